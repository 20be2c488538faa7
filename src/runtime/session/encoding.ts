import { HeddleError } from '../../errors.js';

/*
 * Encoding a message calls code of the user's: getters, `toJSON`, a codec of theirs. The record of that message is not
 * complete then, and what senders keep for one message at a time is in use. So nothing else is placed by this thread until
 * the encoder has returned: messages are refused, and what the runtime has to tell a peer waits.
 */

let isEncoding = false;
const waiting: (() => void)[] = [];

/** From here on to {@link endEncoding} this thread encodes a message. */
export function beginEncoding(): void {
  isEncoding = true;
}

export function endEncoding(): void {
  isEncoding = false;
}

/** Whether a message is being encoded. */
export function isBusyEncoding(): boolean {
  return isEncoding;
}

/** Throws `ERR_HEDDLE_CODEC` to whoever sends while a message is encoded: they can do it before, or later. */
export function requireNotEncoding(): void {
  if (!isEncoding) return;
  throw new HeddleError(
    'ERR_HEDDLE_CODEC',
    'a getter, a toJSON or a codec sends or polls while the message that it belongs to is encoded: do it before that ' +
      'message is sent, or afterwards, by queueMicrotask',
  );
}

/** Has `goOn` called after the message that is encoded now has been placed. */
export function waitForEncoder(goOn: () => void): void {
  waiting.push(goOn);
}

/** What has waited for the encoder goes on: no record may be incomplete. */
export function goOnAfterEncoding(): void {
  if (waiting.length > 0) for (const goOn of waiting.splice(0)) goOn();
}

/** Runs `encode`, during which this thread sends nothing else. */
export function whileEncoding<R>(encode: () => R): R {
  requireNotEncoding();
  beginEncoding();
  try {
    return encode();
  } finally {
    endEncoding();
    goOnAfterEncoding();
  }
}
