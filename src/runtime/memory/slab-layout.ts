import { HeddleError } from '../../errors.js';

/**
 * The slab: one SharedArrayBuffer that holds control words and then slots of one size class.
 *
 * ```
 * byte 0                                                128
 *      +-------------------------------------------------+
 *      | magic | slab id | owner | class | slots | dropped | header words (int32)
 *      +-------------------------------------------------+ 128
 *      | freed bitmap: 1 bit per slot, 32 slots per word | on a cache line pair of its own
 *      +-------------------------------------------------+ 256
 *      | slot 0: count | handle 0 .. handle 15 |  unused | 128 bytes a slot, so that contexts that release
 *      | slot 1: count | handle 0 .. handle 15 |  unused | neighbouring slots do not share cache lines
 *      |  ...                                            |
 *      +-------------------------------------------------+ data start: a multiple of 4096
 *      | slot 0's bytes (slot bytes of the class)        |
 *      | slot 1's bytes                                  |
 *      |  ...                                            |
 *      +-------------------------------------------------+
 * ```
 *
 * - **owner**: id of the context whose pool made the slab. Only that context gives its slots out.
 * - **dropped**: 1 once the owner has let go of the slab, or was lost: no slot will be given out any more, and other
 *   contexts let go of it, too, as soon as they hold nothing in it and learn of another slab.
 * - **count**: how many handles of the slot are taken. Whoever brings it to 0 frees the slot, nobody else.
 * - **handle**: 0 when free, or the id of the context that holds it, plus one. A {@link SharedBuffer} holds one
 *   handle. Since the words are in shared memory, any context can release, and the handles of a context that died can
 *   be found and released by the slab's owner.
 * - **freed bitmap**: slots that were freed by a context other than the owner, which collects them when it needs some.
 *
 * Order of writes, so that a context that dies between two of them leaks a slot but never frees one that is in use:
 * a clone raises the count before it takes the handle word; a release clears the handle word before it lowers the
 * count.
 */

/** First word of a slab. */
export const slabMagic = 0x4d4c5348;
/** Word index of each header field. */
export const slabHeader = { magic: 0, slabId: 1, ownerContextId: 2, sizeClass: 3, slotCount: 4, isDropped: 5 } as const;
/** Word index of the freed bitmap. */
export const freedBitmapIndex = 32;
/** Word index of slot 0's control words. */
export const firstSlotIndex = 64;
/** Control words a slot. */
export const slotControlWords = 32;
/** The most handles that one slot can have, over all contexts. */
export const handlesPerSlot = 16;
/** Slot data starts at a multiple of this: a page, as registering memory with a device wants it. */
export const slotAlignmentBytes = 4096;

const kib = 1024;
const mib = 1024 * kib;

/** Bytes of a slot, by size class. */
export const slotBytesOfClass: readonly number[] = [
  16 * kib,
  64 * kib,
  256 * kib,
  mib,
  4 * mib,
  16 * mib,
  64 * mib,
  256 * mib,
];

/** Slots of a slab, by size class: slabs of 1 to 8 MiB, or one slot where a slot is larger than that. */
export const slotsOfClass: readonly number[] = [64, 32, 16, 8, 2, 1, 1, 1];

/** The largest SharedBuffer there can be. */
export const maximumSharedBufferBytes = 256 * mib;

/** The size class whose slots are the smallest that hold `lengthBytes`. Classes go up by a factor of four. */
export function sizeClassFor(lengthBytes: number): number {
  if (lengthBytes <= 16 * kib) return 0;
  return (32 - Math.clz32(lengthBytes - 1) - 14 + 1) >> 1;
}

/** Word index of a slot's reference count. */
export function countIndex(slot: number): number {
  return firstSlotIndex + slot * slotControlWords;
}

/** Word index of a slot's handle. */
export function handleIndex(slot: number, handle: number): number {
  return firstSlotIndex + slot * slotControlWords + 1 + handle;
}

/** Byte offset of the first slot's data. */
export function dataStartBytes(slotCount: number): number {
  const controlBytes = (firstSlotIndex + slotCount * slotControlWords) * 4;
  return Math.ceil(controlBytes / slotAlignmentBytes) * slotAlignmentBytes;
}

/** Bytes of a whole slab of that class, control words included. */
export function slabBytes(sizeClass: number): number {
  const slotCount = slotsOfClass[sizeClass]!;
  return dataStartBytes(slotCount) + slotCount * slotBytesOfClass[sizeClass]!;
}

/** Makes the memory of a new slab. */
export function createSlabMemory(slabId: number, ownerContextId: number, sizeClass: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(slabBytes(sizeClass));
  const words = new Int32Array(memory, 0, firstSlotIndex);
  words[slabHeader.magic] = slabMagic;
  words[slabHeader.slabId] = slabId;
  words[slabHeader.ownerContextId] = ownerContextId;
  words[slabHeader.sizeClass] = sizeClass;
  words[slabHeader.slotCount] = slotsOfClass[sizeClass]!;
  return memory;
}

/** Throws `ERR_HEDDLE_MALFORMED` unless `memory` is the slab `slabId`, whole and of a known class. */
export function requireSlab(slabId: number, memory: SharedArrayBuffer): void {
  const words = memory.byteLength >= firstSlotIndex * 4 ? new Int32Array(memory, 0, firstSlotIndex) : undefined;
  const sizeClass = words?.[slabHeader.sizeClass] ?? -1;
  if (
    words === undefined ||
    words[slabHeader.magic] !== slabMagic ||
    words[slabHeader.slabId] !== slabId ||
    slotsOfClass[sizeClass] === undefined ||
    words[slabHeader.slotCount] !== slotsOfClass[sizeClass] ||
    memory.byteLength !== slabBytes(sizeClass)
  ) {
    throw new HeddleError(
      'ERR_HEDDLE_MALFORMED',
      `the memory handed over is not slab slabId=${slabId}: close the link, its peer is not to be trusted with memory`,
      { details: { slabId, lengthBytes: memory.byteLength } },
    );
  }
}
