import { HeddleError, requireKnownOptions } from '../../errors.js';
import type { AskOptions } from './types.js';

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` for a deadline or a signal that is none. */
export function checkAsk(timeoutMs: unknown, signal: unknown): void {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `timeoutMs=${timeoutMs} must be above 0, or Infinity`);
  }
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `signal must be an AbortSignal, not ${String(signal)}`);
}

/** What is wrong with options that say nothing that an ask knows; others are not looked at, since an ask has to be quick. */
export function problemOf(options: AskOptions | undefined): unknown {
  if (options === undefined) return undefined;
  if (options !== null && (options.timeoutMs !== undefined || options.signal !== undefined)) return undefined;
  try {
    requireKnownOptions('ask', options, ['timeoutMs', 'signal']);
    return undefined;
  } catch (error) {
    return error;
  }
}
