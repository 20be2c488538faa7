import { HeddleError } from '../../errors.js';

/*
 * Encoding a message calls code of the user's: getters, `toJSON`, a codec of theirs. The record of that message is not
 * complete then, and what senders keep for one message at a time is in use. So nothing else is placed by this thread until
 * the encoder has returned: messages are refused, and what the runtime has to tell a peer waits.
 */

/** What this thread encodes now. Plain fields, set by whoever encodes: they are on the way of every message. */
export const encoding = {
  isOn: false,
  /** Whether something waits until the message has been placed; see {@link waitForEncoder}. */
  hasWaiting: false,
};

let waiting: (() => void)[] = [];

/** Throws `ERR_HEDDLE_CODEC` to whoever sends while a message is encoded: they can do it before, or later. */
export function requireNotEncoding(): void {
  if (encoding.isOn) throw whileEncodedError();
}

function whileEncodedError(): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_CODEC',
    'a getter, a toJSON or a codec sends or polls while the message that it belongs to is encoded: do it before that ' +
      'message is sent, or afterwards, by queueMicrotask',
  );
}

/** Has `goOn` called after the message that is encoded now has been placed. */
export function waitForEncoder(goOn: () => void): void {
  waiting.push(goOn);
  encoding.hasWaiting = true;
}

/** The message was placed, or was not: what has waited for the encoder goes on. No record may be incomplete. */
export function endEncoding(): void {
  encoding.isOn = false;
  if (!encoding.hasWaiting) return;
  const ready = waiting;
  waiting = [];
  encoding.hasWaiting = false;
  for (const goOn of ready) goOn();
}

/** Runs `encode`, during which this thread sends nothing else. */
export function whileEncoding<R>(encode: () => R): R {
  requireNotEncoding();
  encoding.isOn = true;
  try {
    return encode();
  } finally {
    endEncoding();
  }
}
