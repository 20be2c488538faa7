import { inspect } from 'node:util';

/** A value in some words, for the error that refuses it. */
export function describe(value: unknown): string {
  return typeof value === 'function' ? `function ${value.name}` : inspect(value, { depth: 0 }).slice(0, 100);
}
