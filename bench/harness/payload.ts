/**
 * What the messages of the byte benchmarks contain and how a receiver knows that each is the right one: the first
 * word is the message's sequence number, the last word the same number scrambled, and between them lies a fixed
 * pattern. Both sides of a benchmark check the same things, so checking costs them the same.
 */

/** How often the whole content is checked rather than its two ends. A power of 2. */
const wholeCheckInterval = 1024;
const scramble = 0x5bd1e995;

function patternByte(index: number): number {
  return (index * 31 + 7) & 0xff;
}

/** Fills `bytes` (at least 8) with the pattern. Do it once: {@link stampPayload} only changes the ends. */
export function fillPayload(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = patternByte(i);
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
}

function readWord(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Makes the filled `lengthBytes` at `start` the message number `sequence` (an int32). */
export function stampPayload(bytes: Uint8Array, sequence: number, start = 0, lengthBytes = bytes.length): void {
  writeWord(bytes, start, sequence);
  writeWord(bytes, start + lengthBytes - 4, sequence ^ scramble);
}

/** Throws unless the `lengthBytes` at `start` are the message number `sequence`. */
export function checkPayload(bytes: Uint8Array, sequence: number, start = 0, lengthBytes = bytes.length): void {
  if (
    readWord(bytes, start) !== (sequence | 0) ||
    readWord(bytes, start + lengthBytes - 4) !== ((sequence ^ scramble) | 0)
  ) {
    throw new Error(`wrong message: expected sequence=${sequence}, found sequence=${readWord(bytes, start)}`);
  }
  if ((sequence & (wholeCheckInterval - 1)) === 0) checkPattern(bytes, sequence, start, lengthBytes);
}

/**
 * Throws unless everything between the ends is as {@link fillPayload} made it. Compared in one go: byte by byte a MiB takes
 * some milliseconds, in which a peer that checks nothing goes on.
 */
export function checkPattern(bytes: Uint8Array, sequence: number, start: number, lengthBytes: number): void {
  const end = lengthBytes - 4;
  const expected = filledOf(lengthBytes);
  if (Buffer.compare(bytes.subarray(start + 4, start + end), expected.subarray(4, end)) === 0) return;
  let offset = 4;
  while (bytes[start + offset] === expected[offset]) offset++;
  throw new Error(`wrong byte: sequence=${sequence} offset=${offset}`);
}

let filled = new Uint8Array(0);

/** At least so many bytes of the pattern. */
function filledOf(lengthBytes: number): Uint8Array {
  if (filled.length < lengthBytes) {
    filled = new Uint8Array(lengthBytes);
    fillPayload(filled);
  }
  return filled;
}

/** Throws unless `lengthBytes` is what it should be. */
export function checkLength(lengthBytes: number, expectedBytes: number): void {
  if (lengthBytes !== expectedBytes) throw new Error(`wrong length: expected=${expectedBytes}, found=${lengthBytes}`);
}
