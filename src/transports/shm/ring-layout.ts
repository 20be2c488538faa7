import { HeddleError, requireInteger } from '../../errors.js';
import { MemoryBlock } from '../record.js';

/**
 * The layout of a ring: records from one context to one other, in a SharedArrayBuffer of their own.
 *
 * ```
 *   byte
 *      0  +---------------------------------------------------------------+
 *         | magic and version | capacity in bytes |                       |  written once, by the maker
 *    128  +---------------------------------------------------------------+
 *         | tail |                                                        |  written by the producer
 *    256  +---------------------------------------------------------------+
 *         | head |                                                        |  written by the consumer
 *    384  +---------------------------------------------------------------+
 *         | producer wants room |                                         |  written by the producer, seldom
 *    512  +---------------------------------------------------------------+
 *         | closed | length of the reason in bytes | reason, UTF-8 ...    |  written by the producer, once
 *   1024  +---------------------------------------------------------------+
 *         | records and padding records, `capacity` bytes                 |
 *         +---------------------------------------------------------------+
 * ```
 *
 * - `tail` and `head` are positions: bytes written and bytes taken out since the ring was made, as int32 that wrap.
 *   Position and `capacity - 1` make the offset among the records; `(tail - head) | 0` is what lies between them, right
 *   across the wrap because a capacity is far below 2^31.
 * - Each field that one side writes often has a cache line pair of its own (128 bytes: processors fetch lines in
 *   pairs), so that writing it does not take the other side's line away.
 * - `tail - head` never exceeds `capacity - closeReserveBytes`, except by the close record itself: it always has room.
 * - A record never crosses the end: a padding record fills what is too short.
 */
export const ringHeaderBytes = 1024;

/** 'hdl' and the version of this layout. */
export const ringMagic = 0x68646c02;
export const magicIndex = 0;
export const capacityIndex = 1;
export const tailIndex = 128 >> 2;
export const headIndex = 256 >> 2;
export const wantsRoomIndex = 384 >> 2;
export const closedIndex = 512 >> 2;
export const reasonLengthIndex = closedIndex + 1;
export const reasonByteOffset = 520;
export const maximumReasonBytes = ringHeaderBytes - reasonByteOffset;

export const minimumRingCapacityBytes = 4 * 1024;
export const maximumRingCapacityBytes = 64 * 1024 * 1024;
export const defaultRingCapacityBytes = 1 << 20;

/** The last record of a ring: the producer's link has closed. It is a header and nothing else. */
export const closeRecordType = 1;
/** Kept free for the close record. Being one alignment unit, it fits before the end of the records, too. */
export const closeReserveBytes = 8;

/**
 * The largest record in a ring of that capacity. An eighth, so that a record and the padding before it (shorter than
 * the record) fit into any ring that is empty, wherever its positions stand.
 */
export function maximumRingRecordBytes(capacityBytes: number): number {
  return capacityBytes >> 3;
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `capacityBytes` is a power of two from 4 KiB to 64 MiB. */
export function requireRingCapacity(capacityBytes: number, name = 'capacityBytes'): void {
  requireInteger(name, capacityBytes, minimumRingCapacityBytes, maximumRingCapacityBytes);
  if ((capacityBytes & (capacityBytes - 1)) === 0) return;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name} must be a power of two: ${name}=${capacityBytes}`, {
    details: { [name]: capacityBytes },
  });
}

/**
 * Of a ring of that capacity, the bytes after which the consumer publishes its position in the midst of a batch: while one
 * side fills a part of the ring the other can empty another, where they would take turns at the whole of it.
 */
export function ringShareBytes(capacityBytes: number): number {
  return capacityBytes >> 3;
}

/**
 * Of a ring of that capacity, the bytes after which the producer publishes in the midst of a batch whose next record takes
 * `recordBytes`: few enough that a consumer that waits begins with the batch while it is made, so many, and so many records,
 * that publishing costs next to nothing. At least `recordBytes`, of a record that the ring can hold.
 */
export function ringPublishBytes(capacityBytes: number, recordBytes: number): number {
  return Math.min(Math.max(8192, 8 * recordBytes), capacityBytes >> 3);
}

/** Makes the memory of an empty ring. The capacity is a power of two from 4 KiB to 64 MiB. */
export function createRing(capacityBytes: number = defaultRingCapacityBytes, startPosition = 0): SharedArrayBuffer {
  requireRingCapacity(capacityBytes);
  if ((startPosition & 7) !== 0) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `startPosition=${startPosition} is not a multiple of 8`, {
      details: { startPosition },
    });
  }
  const memory = new SharedArrayBuffer(ringHeaderBytes + capacityBytes);
  const header = new Int32Array(memory, 0, ringHeaderBytes >> 2);
  header[capacityIndex] = capacityBytes;
  header[tailIndex] = startPosition;
  header[headIndex] = startPosition;
  // Last, so that memory with the magic word in it is a whole ring.
  Atomics.store(header, magicIndex, ringMagic);
  return memory;
}

/** A ring's memory as one side sees it. The views are made once: each view costs memory and time. */
export interface RingView {
  readonly header: Int32Array;
  readonly headerBytes: Buffer;
  readonly records: MemoryBlock;
  readonly capacityBytes: number;
}

/** Checks that `memory` is a ring of this version; throws `ERR_HEDDLE_VERSION` or `ERR_HEDDLE_MALFORMED`. */
export function openRing(memory: SharedArrayBuffer): RingView {
  if (!(memory instanceof SharedArrayBuffer) || memory.byteLength < ringHeaderBytes) {
    throw new HeddleError('ERR_HEDDLE_MALFORMED', 'a ring must be a SharedArrayBuffer made by createRing()');
  }
  const header = new Int32Array(memory, 0, ringHeaderBytes >> 2);
  const magic = Atomics.load(header, magicIndex);
  if (magic !== ringMagic) {
    throw new HeddleError(
      'ERR_HEDDLE_VERSION',
      `the ring has another layout: magic=0x${(magic >>> 0).toString(16)} expected=0x${ringMagic.toString(16)}; ` +
        'load one version of heddle in all threads of a process',
      { details: { magic, expected: ringMagic } },
    );
  }
  const capacityBytes = header[capacityIndex]!;
  if (
    capacityBytes < minimumRingCapacityBytes ||
    capacityBytes > maximumRingCapacityBytes ||
    (capacityBytes & (capacityBytes - 1)) !== 0 ||
    memory.byteLength !== ringHeaderBytes + capacityBytes
  ) {
    throw new HeddleError(
      'ERR_HEDDLE_MALFORMED',
      `the ring's capacity does not fit its memory: capacityBytes=${capacityBytes} memoryBytes=${memory.byteLength}`,
      { details: { capacityBytes, memoryBytes: memory.byteLength } },
    );
  }
  return {
    header,
    headerBytes: Buffer.from(memory as unknown as ArrayBuffer, 0, ringHeaderBytes),
    records: new MemoryBlock(memory, ringHeaderBytes, capacityBytes),
    capacityBytes,
  };
}

/** Whether the producer of the ring has closed its link. */
export function isRingClosed(memory: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(memory, 0, ringHeaderBytes >> 2), closedIndex) !== 0;
}
