import { thrownText } from '../../errors.js';
import { maximumDepth } from './value-format.js';

/** Where in a value the first part is that cannot be sent, and why. */
export interface Unsendable {
  /** As one would write it: `value.items[3].callback`. */
  readonly path: string;
  readonly reason: string;
}

/** Parts looked at, at the most: this only makes an error message better. */
const maximumParts = 100_000;
const identifier = /^[A-Za-z_$][\w$]*$/;

/**
 * Looks for the part of a value that made encoding fail. Only for the error message: encoding itself keeps no path,
 * since that would cost every message.
 */
export function findUnsendable(value: unknown): Unsendable | undefined {
  const ancestors: object[] = [];
  let parts = 0;

  function search(part: unknown, path: string): Unsendable | undefined {
    if (typeof part === 'function' || typeof part === 'symbol') return { path, reason: `a ${typeof part} is found` };
    if (typeof part !== 'object' || part === null) return undefined;
    if (ancestors.includes(part)) return { path, reason: 'it contains itself' };
    if (ancestors.length >= maximumDepth) return { path, reason: `it is nested more than ${maximumDepth} levels deep` };
    if (ArrayBuffer.isView(part) || ++parts > maximumParts) return undefined;
    ancestors.push(part);
    const found = searchInside(part, path);
    ancestors.pop();
    return found;
  }

  function searchInside(part: object, path: string): Unsendable | undefined {
    if (Array.isArray(part) || part instanceof Set) {
      let index = 0;
      for (const item of part) {
        const found = search(item, `${path}[${index++}]`);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    if (part instanceof Map) {
      for (const [key, item] of part) {
        const found = search(key, `${path}.keys()`) ?? search(item, `${path}.get(${String(key)})`);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    if (part instanceof Error) return search(part.cause, `${path}.cause`);
    if (typeof (part as { toJSON?: unknown }).toJSON === 'function') return undefined;
    for (const key of Object.keys(part)) {
      const at = identifier.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
      let item: unknown;
      try {
        item = (part as Record<string, unknown>)[key];
      } catch (error) {
        return { path: at, reason: `its getter throws ${thrownText(error)}` };
      }
      const found = search(item, at);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  try {
    return search(value, 'value');
  } catch {
    return undefined; // A proxy or an iterator that throws: the cause says more than a path would.
  }
}
