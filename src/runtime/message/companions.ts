import type { SharedBuffer } from '../memory/shared-buffer.js';

/*
 * SharedBuffers inside of a value are no part of its bytes: they travel beside it, and the value has their numbers. Who sends
 * values that way has them gathered here while it encodes; for everybody else a SharedBuffer in a value cannot be sent.
 */

/** The buffers that were found in the value that is being encoded, by their numbers; undefined when none may be in it. */
export const companions = { found: undefined as SharedBuffer[] | undefined };

/** The most buffers that one value has. */
export const maximumCompanions = 64;

/** Gives a decoder the buffer of that number; undefined when none has come. */
export type CompanionReader = (number: number) => SharedBuffer | undefined;

/** What the encoder throws at a buffer that may not be there: made once, since who sends may expect it, and try otherwise. */
export const strayBuffer = new Error("a SharedBuffer cannot be sent inside of a value: send it as the message's data");

/** The number of a buffer in the value that is being encoded. The same buffer has the same number. */
export function numberOf(buffer: SharedBuffer): number {
  const { found } = companions;
  if (found === undefined) throw strayBuffer;
  const number = found.indexOf(buffer);
  return number >= 0 ? number : found.push(buffer) - 1;
}

/** Encodes with the buffers of the value gathered in `found`. */
export function gathering<R>(found: SharedBuffer[], encode: () => R): R {
  const outer = companions.found;
  companions.found = found;
  try {
    return encode();
  } finally {
    companions.found = outer;
  }
}
