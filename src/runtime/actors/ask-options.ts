import { requireKnownOptions } from '../../errors.js';
import type { AskOptions } from './types.js';

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
