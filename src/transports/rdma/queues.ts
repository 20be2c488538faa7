/**
 * What script and binding say to each other, in memory that both see: native/src/queues.h has the same layout. Each
 * exchange takes all submissions and fills the completions from the beginning, so neither needs positions.
 *
 * ```
 *   submission, 16 words                            completion, 8 words
 *   0 kind       4 offset      8,9   remote address   0 kind       4 offset in the receive area
 *   1 endpoint   5 length      10,11 operand          1 endpoint   5 length
 *   2 tag        6 reference   12,13 desired          2 tag        6 -
 *   3 memory     7 -           14,15 -                3 status     7 -
 * ```
 */
export const submissionWords = 16;
export const completionWords = 8;
/** Submissions that one call into the binding takes; with more the script calls again. */
export const submissionCapacity = 256;
/** Completions of one call; what finds no room waits in the binding for the next. */
export const completionCapacity = 2048;
/** Bytes that arrived, until the script has read them: several of the largest frames. */
export const receiveAreaBytes = 4 * 1024 * 1024;

/** What the script asks for. */
export const SubmissionKind = {
  frame: 1,
  hello: 2,
  sendBuffer: 3,
  receiveBuffer: 4,
  close: 5,
  put: 6,
  get: 7,
  fetchAdd: 8,
  compareSwap: 9,
  flush: 10,
  discard: 11,
} as const;

/** What the binding tells. */
export const CompletionKind = {
  frame: 1,
  done: 2,
  hello: 3,
  accepted: 4,
  failed: 5,
  closed: 6,
  violation: 7,
} as const;

/** What a peer did that it must not do, by the number in a violation. */
export const violationTexts: Readonly<Record<number, string>> = {
  1: 'it addressed nobody',
  2: 'it sent a header that does not parse',
  3: 'it sent a frame that is empty, or larger than frames may be',
  4: 'it repeated a frame, or left too many out',
  5: 'it offered more large messages than may wait',
  6: 'it offered a large message twice',
  7: 'a large message has another length than was announced',
  8: 'it said hello twice',
};
