import type { Cell } from '../cell.js';

/** For whom comlink takes a message apart at the moment: whoever gets the proxies that are in it. */
export interface Reviving {
  readonly owner: Cell | undefined;
  readonly timeoutMs: number | undefined;
  /** Settle when those who sent the proxies know that they were taken. */
  readonly holds: Promise<unknown>[];
}

let current: Reviving = { owner: undefined, timeoutMs: undefined, holds: [] };

/**
 * Has comlink take a message apart: proxies in it end with the owner's state, and their calls have that deadline. Returns
 * what settles when those who sent the proxies know that they were taken.
 */
export function reviveWith(
  owner: Cell | undefined,
  timeoutMs: number | undefined,
  takeApart: () => void,
): readonly Promise<unknown>[] {
  const outer = current;
  const holds: Promise<unknown>[] = [];
  current = { owner, timeoutMs, holds };
  try {
    takeApart();
    return holds;
  } finally {
    current = outer;
  }
}

export function currentReviving(): Reviving {
  return current;
}
