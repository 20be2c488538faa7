/**
 * What script and binding say to each other, in memory that both see: native/src/queues.h has the same layout. Each
 * exchange takes all submissions and fills the completions from the beginning, so neither needs positions.
 *
 * ```
 *   submission, 16 words                            completion, 8 words
 *   0 kind       4 offset      8,9   remote address   0 kind       4 offset in the receive area
 *   1 endpoint   5 length      10-15 -                1 endpoint   5 length
 *   2 tag        6 reference                          2 tag        6 -
 *   3 memory     7 -                                  3 status     7 -
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
  flush: 8,
  discard: 9,
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
  1: 'it sent a frame that is empty, or larger than frames may be',
  2: 'it repeated a frame, or left too many out',
  3: 'it offered more large messages than may wait',
  4: 'it offered a large message twice',
  5: 'a large message has another length than was announced',
  6: 'it said hello twice',
};

/** The last of them, which the link finds for itself as well. */
export const repeatedHello = 6;
