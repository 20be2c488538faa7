/**
 * The frame: the records that travel together on a wire. TCP carries frames one after another in a byte stream, RDMA
 * carries each in a message of its own. Inside of a frame records lie exactly as in a ring (record.ts), so that what
 * was encoded into a frame is never encoded again.
 *
 * ```
 *   0                4                8                12               16
 *   +----------------+----------------+----------------+----------------+-------- - - --------+
 *   | frame length   | 'h' 'd' 'l' v  | serial         | record count   | records, each       |
 *   | (int32)        | v: version     | (uint32)       | (int32)        | padded to 8 bytes   |
 *   +----------------+----------------+----------------+----------------+-------- - - --------+
 *   ^ 8-byte aligned                                                    ^ 8-byte aligned
 * ```
 *
 * - The frame length counts the header and all records with their padding: a multiple of 8, at least 24, at most
 *   {@link maximumFrameBytes}.
 * - Serials count from 0 for each direction of a link and wrap at 2^32: a frame lost, doubled or out of order is seen.
 * - The record count counts records of every type, padding records too, and is at least 1: an empty frame says
 *   nothing and is not sent.
 * - Record types 1 to 15 belong to the transports; {@link closeRecordType} is the one in use, the others are reserved
 *   and refused.
 */

import { alignedRecordBytes, type MemoryBlock, recordAlignmentBytes, recordHeaderBytes } from './record.js';

/** Frame length, magic and version, serial, record count. */
export const frameHeaderBytes = 16;
/**
 * Version of frame and record layout, and of the size of UCX's fragments (native/src/ucx_library.cc). Both sides of a link
 * speak the same: the handshake makes sure of it.
 */
export const frameVersion = 3;
/** The header's second word: the letters `hdl` and the version. */
export const frameMagic = 0x68 | (0x64 << 8) | (0x6c << 16) | (frameVersion << 24);
/** The largest frame that a receiver accepts. */
export const maximumFrameBytes = 1024 * 1024;
/** The smallest frame: one record that is a header alone. */
export const minimumFrameBytes = frameHeaderBytes + recordHeaderBytes;
/** The largest record that fits into a frame. */
export const maximumFrameRecordBytes = maximumFrameBytes - frameHeaderBytes;
/** The record that ends a link in order (close-record.ts). */
export const closeRecordType = 1;

/** Offsets of the header's fields in bytes. */
export const frameLengthOffset = 0;
export const frameMagicOffset = 4;
export const frameSerialOffset = 8;
export const frameRecordCountOffset = 12;

/** Writes the header of the frame that occupies `start` to `end` of `block`. */
export function writeFrameHeader(
  block: MemoryBlock,
  start: number,
  end: number,
  serial: number,
  recordCount: number,
): void {
  const word = start >> 2;
  const int32 = block.int32;
  int32[word] = end - start;
  int32[word + 1] = frameMagic;
  int32[word + 2] = serial;
  int32[word + 3] = recordCount;
}

/**
 * Counts the records that lie from `start` to `end` of `block`. Returns -1 unless they fill that space exactly, which
 * means that somebody claimed a record and did not fill in its length.
 */
export function countRecords(block: MemoryBlock, start: number, end: number): number {
  const int32 = block.int32;
  let position = start;
  let count = 0;
  while (position < end) {
    const lengthBytes = int32[position >> 2]!;
    if (lengthBytes < recordHeaderBytes || lengthBytes > end - position) return -1;
    position += alignedRecordBytes(lengthBytes);
    count++;
  }
  return position === end ? count : -1;
}

/** How many bytes of records a frame may hold on its way out under the option `frameBytes`. */
export function framePayloadBytes(frameBytes: number): number {
  return Math.min(frameBytes, maximumFrameRecordBytes) & ~(recordAlignmentBytes - 1);
}
