import { describe, HeddleError } from '../../errors.js';
import type { ActorHost } from './host.js';
import { Ref } from './ref.js';

/*
 * What the compiler sees to for those who use it. Checked where it costs nothing that counts: never for a message that is
 * told.
 */

function invalid(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', message);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is the ref of an actor. */
export function requireRef(call: string, value: unknown): asserts value is Ref {
  if (value instanceof Ref) return;
  throw invalid(`${call} takes the ref of an actor, as spawn() resolves to it, not ${describe(value)}`);
}

/**
 * Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is a ref that this system has: one of another system of the process has an
 * address there, at which this system has an actor of its own.
 */
export function requireOwnRef(call: string, value: unknown, host: ActorHost): asserts value is Ref {
  requireRef(call, value);
  if (value.host === host) return;
  throw invalid(
    `${call} takes a ref of its own system, ${host.systemId}, and ${value} is one of ${value.host.systemId}: call that system, or ` +
      'connect the two, and have the ref sent',
  );
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is a definition. */
export function requireDefinition(call: string, value: unknown): void {
  const { handlers, specification } = (value ?? {}) as { handlers?: unknown; specification?: unknown };
  if (typeof handlers === 'object' && typeof specification === 'object' && specification !== null) return;
  throw invalid(`${call} takes what defineActor() has returned, not ${describe(value)}`);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is a function. */
export function requireFunction(what: string, value: unknown): void {
  if (typeof value !== 'function') throw invalid(`${what} must be a function, not ${describe(value)}`);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is a boolean. */
export function requireBoolean(what: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalid(`${what} must be true or false, not ${describe(value)}`);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is a text of at least one character. */
export function requireText(what: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw invalid(`${what} must be a text, not ${describe(value)}`);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is one of those texts. */
export function requireOneOf(what: string, value: unknown, choices: readonly string[]): void {
  if (!choices.includes(value as string)) throw invalid(`${what}=${describe(value)} is none of ${choices.join(', ')}`);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is a number of milliseconds, from 0 on; Infinity is one. */
export function requireDuration(what: string, value: unknown): void {
  if (typeof value === 'number' && value >= 0) return;
  throw invalid(`${what} must be a number of milliseconds from 0 on, not ${describe(value)}`);
}
