/**
 * The record: the one layout in which a message's bytes lie in a ring between threads and in a frame on a wire.
 *
 * ```
 *   0                   4       5               8
 *   +-------------------+-------+---------------+----------------------- - -
 *   | length (int32)    | type  | upper layer's | the upper layer's bytes
 *   +-------------------+-------+---------------+----------------------- - -
 *   ^ 8-byte aligned                                     padded with bytes of
 *                                                        any value to 8 bytes
 * ```
 *
 * - `length` is in bytes and counts the 8-byte header; the padding at the end it need not count.
 * - `type` is the low byte of the second word; its other three bytes belong to the upper layer.
 * - All numbers are little-endian, as every machine that Node.js runs on is (big-endian ones are refused at start).
 * - Type 0 is padding that a reader skips. Types 1 to 15 belong to the transports, the rest to the layers above.
 */

import { bufferView } from './buffer-view.js';

/** Records start at multiples of this many bytes. */
export const recordAlignmentBytes = 8;
/** Length and type. */
export const recordHeaderBytes = 8;
/** A record of this type is skipped by readers: it fills a ring's end, or keeps a frame's length. */
export const paddingRecordType = 0;
/** The first record type that belongs to the layers above the transports. */
export const firstUpperRecordType = 16;

// Not exported, so that V8 folds it into the machine code.
const paddingMask = recordAlignmentBytes - 1;

/** How many bytes a record of `lengthBytes` takes up, padding included. */
export function alignedRecordBytes(lengthBytes: number): number {
  return (lengthBytes + paddingMask) & ~paddingMask;
}

/** A piece of memory that records lie in, seen as words and as bytes. Offsets are always in bytes. */
export class MemoryBlock {
  /** The block as little-endian 32-bit words; index = byte offset >> 2. */
  readonly int32: Int32Array;
  /** The block as bytes. */
  readonly bytes: Buffer;
  /** Where it lies. To ask a view for its memory takes as long as copying a small message. */
  readonly memory: ArrayBufferLike;
  readonly byteOffset: number;
  /** Whether that is a SharedArrayBuffer. */
  readonly isShared: boolean;

  /** `byteOffset` and `lengthBytes` must be multiples of {@link recordAlignmentBytes}. */
  constructor(memory: ArrayBufferLike, byteOffset = 0, lengthBytes = memory.byteLength - byteOffset) {
    this.int32 = new Int32Array(memory, byteOffset, lengthBytes >> 2);
    this.bytes = bufferView(memory, byteOffset, lengthBytes);
    this.memory = memory;
    this.byteOffset = byteOffset;
    this.isShared = memory instanceof SharedArrayBuffer;
  }

  /** The bytes from `start` to `end`, as far as they lie in the block. */
  view(start: number, end: number): Buffer {
    const limit = this.bytes.length;
    if (end > limit || start > end) return this.bytes.subarray(start, end);
    return bufferView(this.memory, this.byteOffset + start, end - start);
  }
}
