import { longestTimerMs } from './clock.js';
import { describe, HeddleError, requireInteger, requireKnownOptions } from './errors.js';

/**
 * How long a call that takes `{ timeoutMs }` alone may take: whole milliseconds from 0 on, or `ordinaryMs` where nothing is
 * said. Throws `ERR_HEDDLE_INVALID_ARGUMENT` for anything else.
 */
export function timeLimitMs(call: string, options: { readonly timeoutMs?: number }, ordinaryMs: number): number {
  requireKnownOptions(call, options, ['timeoutMs']);
  return requireInteger('timeoutMs', options.timeoutMs ?? ordinaryMs, 0, longestTimerMs);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless a question can wait for so long: milliseconds above 0, or Infinity. */
export function requireWaitMs(name: string, value: unknown): void {
  if (typeof value === 'number' && value > 0) return;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name}=${describe(value)} must be above 0, or Infinity`);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` for what should give something up when it is aborted, and cannot. */
export function requireSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `signal must be an AbortSignal, not ${describe(signal)}`);
}
