import { bufferView } from '../../transports/buffer-view.js';
import {
  countIndex,
  dataStartBytes,
  firstSlotIndex,
  freedBitmapIndex,
  handleIndex,
  handlesPerSlot,
  slabHeader,
  slotBytesOfClass,
  slotControlWords,
} from './slab-layout.js';

/**
 * A slab as one context sees it: the shared words, and beside them what this context alone keeps about the handles
 * that it holds. The operations here are the only ones that touch the shared words.
 */
export class Slab {
  readonly slabId: number;
  readonly memory: SharedArrayBuffer;
  readonly sizeClass: number;
  readonly slotCount: number;
  readonly slotBytes: number;
  readonly ownerContextId: number;
  /** Whether this context made the slab and gives its slots out. */
  readonly isOwn: boolean;
  /** Control words; see slab-layout.ts. */
  readonly words: Int32Array;
  /** Per handle: bytes of the SharedBuffer that holds it in this context, or -1 when none does. */
  readonly heldBytes: Int32Array;
  /** Per handle: goes up by one each time this context gains or gives up the handle. Stale SharedBuffers differ. */
  readonly generations: Int32Array;
  /** Per handle: where it was gained, when the pool records that. */
  readonly stacks = new Map<number, string>();
  /** How many handles this context holds here. */
  heldCount = 0;
  /** Slots given out, as far as the owner knows. */
  slotsInUse = 0;
  readonly #views: (Buffer | undefined)[];
  readonly #dataStart: number;

  constructor(memory: SharedArrayBuffer, contextId: number) {
    const header = new Int32Array(memory, 0, firstSlotIndex);
    this.memory = memory;
    this.slabId = header[slabHeader.slabId]!;
    this.ownerContextId = header[slabHeader.ownerContextId]!;
    this.sizeClass = header[slabHeader.sizeClass]!;
    this.slotCount = header[slabHeader.slotCount]!;
    this.slotBytes = slotBytesOfClass[this.sizeClass]!;
    this.isOwn = this.ownerContextId === contextId;
    this.words = new Int32Array(memory, 0, firstSlotIndex + this.slotCount * slotControlWords);
    this.heldBytes = new Int32Array(this.slotCount * handlesPerSlot).fill(-1);
    this.generations = new Int32Array(this.slotCount * handlesPerSlot);
    this.#views = new Array<Buffer | undefined>(this.slotCount).fill(undefined);
    this.#dataStart = dataStartBytes(this.slotCount);
  }

  /** Whether the owner has let go of the slab. */
  get isDropped(): boolean {
    return Atomics.load(this.words, slabHeader.isDropped) === 1;
  }

  /** Tells the other contexts that the slab is not used any more. For the owner, with no slot in use, or when it was lost. */
  markDropped(): void {
    Atomics.store(this.words, slabHeader.isDropped, 1);
  }

  /** The bytes of a piece of a slot. The view used last is kept: the next buffer of that length gets it for free. */
  view(slot: number, byteOffset: number, lengthBytes: number): Buffer {
    const start = this.#dataStart + slot * this.slotBytes + byteOffset;
    const kept = this.#views[slot];
    if (kept !== undefined && kept.byteOffset === start && kept.length === lengthBytes) return kept;
    const view = bufferView(this.memory, start, lengthBytes);
    this.#views[slot] = view;
    return view;
  }

  /** Takes handle 0 of a free slot. Only the owner calls this. */
  takeFreeSlot(slot: number, contextId: number): void {
    // Plain stores: no other context looks at the words of a free slot, and one that is given a handle learns of it
    // through a ring, whose tail is stored with release order after these.
    this.words[countIndex(slot)] = 1;
    this.words[handleIndex(slot, 0)] = contextId + 1;
    this.slotsInUse += 1;
  }

  /** Takes one more handle of a slot that this context holds already; -1 when all are taken. */
  takeHandle(slot: number, contextId: number): number {
    const { words } = this;
    // The count goes up first: see the order of writes in slab-layout.ts. It cannot reach 0 meanwhile, since the
    // caller holds a handle. Atomic because other contexts change the count of the same slot at the same time.
    Atomics.add(words, countIndex(slot), 1);
    const first = handleIndex(slot, 0);
    for (let handle = 0; handle < handlesPerSlot; handle++) {
      // Compare-exchange, because two contexts may be cloning the same slot and must not get the same word.
      if (words[first + handle] === 0 && Atomics.compareExchange(words, first + handle, 0, contextId + 1) === 0) {
        return handle;
      }
    }
    Atomics.sub(words, countIndex(slot), 1);
    return -1;
  }

  /** Whose the handle is: 0 for nobody's, or a context id plus one. */
  handleHolder(slot: number, handle: number): number {
    return this.words[handleIndex(slot, handle)]!;
  }

  /** Gives a handle of this context to another. */
  giveHandle(slot: number, handle: number, toContextId: number): void {
    // A plain store: until the record that names the handle is published (a store with release order, later than
    // this one) nobody but this context may touch the word.
    this.words[handleIndex(slot, handle)] = toContextId + 1;
  }

  /** Rewrites a handle from one context to another, unless it is no longer the former's. */
  exchangeHandle(slot: number, handle: number, fromContextId: number, toContextId: number): boolean {
    // Compare-exchange, because the slab's owner may be reclaiming everything of `fromContextId` right now.
    const index = handleIndex(slot, handle);
    return Atomics.compareExchange(this.words, index, fromContextId + 1, toContextId + 1) === fromContextId + 1;
  }

  /**
   * Clears a handle of `contextId` and, if it was the slot's last, marks the slot free. Returns whether it was the
   * last one; the owner then puts the slot back itself when `isOwn`.
   */
  dropHandle(slot: number, handle: number, contextId: number): boolean {
    const { words } = this;
    const index = handleIndex(slot, handle);
    // Compare-exchange and not a store: if the owner has already reclaimed the handle of a context that it took for
    // dead, the count went down then, and must not go down twice.
    if (Atomics.compareExchange(words, index, contextId + 1, 0) !== contextId + 1) return false;
    // Atomic because holders in other contexts count down at the same time; exactly one of them sees the 1. The
    // exchange of values also orders all that each holder did with the bytes before the slot is used again.
    if (Atomics.sub(words, countIndex(slot), 1) !== 1) return false;
    // Or, because other contexts set bits of the same word; atomic also against the owner's collecting exchange.
    if (!this.isOwn) Atomics.or(words, freedBitmapIndex + (slot >> 5), 1 << (slot & 31));
    return true;
  }

  /** Takes the bits of 32 slots out of the freed bitmap. Only the owner calls this. */
  collectFreed(bitmapWord: number): number {
    const index = freedBitmapIndex + bitmapWord;
    // A plain look first: most words are 0 when many slabs are searched, and a bit missed now is seen next time.
    if (this.words[index] === 0) return 0;
    // Exchange, so that a bit set between a load and a store is not lost. It pairs with the Atomics.or of the context
    // that freed the slot: its writes to the slot are over before this context gives the slot out again.
    return Atomics.exchange(this.words, index, 0);
  }
}
