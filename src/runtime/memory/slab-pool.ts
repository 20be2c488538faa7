import { HeddleError, requireInteger } from '../../errors.js';
import { FreeSlots } from './free-slots.js';
import { captureStack, type LeakReport, warnOfLeak } from './leak-report.js';
import { type HandleTicket, SharedBuffer, type SharedBufferHome } from './shared-buffer.js';
import { Slab } from './slab.js';
import {
  createSlabMemory,
  handlesPerSlot,
  maximumSharedBufferBytes,
  requireSlab,
  sizeClassFor,
  slabBytes,
  slotBytesOfClass,
} from './slab-layout.js';

/** The largest context id: a handle word holds it plus one. */
const maximumContextId = 0x7fff_fffe;
/** Buffers that may be held before the net under unreleased ones is spread for them; see `watch`. */
const nurseryLength = 64;

/** How a pool is made. */
export interface SlabPoolOptions {
  /** The context that the pool belongs to, unique in the process. */
  readonly contextId: number;
  /** The first int32 of this memory, shared by all pools of the process, counts slab ids. */
  readonly slabCounter: SharedArrayBuffer;
  /** The most bytes that the pool's own slabs may take up. Default 1 GiB. */
  readonly limitBytes?: number | undefined;
  /** Is given the memory of each new slab before its first use. */
  readonly prepareMemory?: ((memory: SharedArrayBuffer) => void) | undefined;
  /** Records where each buffer was allocated or received, for leak reports. Costs some microseconds each. */
  readonly captureStacks?: boolean | undefined;
  /** Told of each buffer that was garbage collected without release. Default: one process warning a pool. */
  readonly onLeak?: ((leak: LeakReport) => void) | undefined;
  /** Told when the pool lets go of a slab, its own or another context's: whoever else knows the memory must do so, too. */
  readonly onSlabForgotten?: ((slabId: number, memory: SharedArrayBuffer) => void) | undefined;
}

/** What a pool has, at this moment. */
export interface SlabPoolStatistics {
  /** Slabs that this pool made and still has. */
  readonly slabs: number;
  /** Bytes of those slabs. */
  readonly slabBytes: number;
  /** The most bytes that its slabs may take together: the context's option `slabLimitBytes`. */
  readonly limitBytes: number;
  /** Slots of own slabs that are given out, here or in other contexts, or freed elsewhere and not collected yet. */
  readonly slotsInUse: number;
  /** Slots of own slabs that can be given out at once. */
  readonly slotsFree: number;
  /** Slabs of other contexts that are known here. */
  readonly foreignSlabs: number;
  /** SharedBuffers that this context holds, in own and foreign slabs. */
  readonly buffersHeld: number;
  /** Buffers that were garbage collected without release since the start. */
  readonly buffersLeaked: number;
}

/**
 * A context's shared memory: it makes slabs, gives out their slots as {@link SharedBuffer}s, and knows the slabs of
 * other contexts from which buffers were received.
 */
export class SlabPool implements SharedBufferHome {
  readonly contextId: number;
  readonly limitBytes: number;
  readonly #counter: Int32Array;
  readonly #captureStacks: boolean;
  readonly #onLeak: ((leak: LeakReport) => void) | undefined;
  readonly #prepareMemory: ((memory: SharedArrayBuffer) => void) | undefined;
  readonly #onSlabForgotten: ((slabId: number, memory: SharedArrayBuffer) => void) | undefined;
  readonly #own: Slab[][] = slotBytesOfClass.map(() => []);
  readonly #free: FreeSlots[] = slotBytesOfClass.map(() => new FreeSlots());
  readonly #slabs = new Map<number, Slab>();
  readonly #registry = new FinalizationRegistry<HandleTicket>((ticket) => this.#onCollected(ticket));
  readonly #nursery = new Array<SharedBuffer | undefined>(nurseryLength).fill(undefined);
  #nurseryCount = 0;
  #slabBytes = 0;
  #buffersLeaked = 0;

  constructor(options: SlabPoolOptions) {
    this.contextId = requireInteger('contextId', options.contextId, 0, maximumContextId);
    this.limitBytes = requireInteger('limitBytes', options.limitBytes ?? 2 ** 30, 0, Number.MAX_SAFE_INTEGER);
    this.#counter = new Int32Array(options.slabCounter, 0, 1);
    this.#captureStacks = options.captureStacks ?? false;
    this.#onLeak = options.onLeak;
    this.#prepareMemory = options.prepareMemory;
    this.#onSlabForgotten = options.onSlabForgotten;
  }

  /**
   * A buffer of `lengthBytes` (0 to 256 MiB), held by this context. Its bytes are not cleared.
   *
   * @throws ERR_HEDDLE_OUT_OF_MEMORY when another slab would exceed `limitBytes`.
   */
  allocate(lengthBytes: number): SharedBuffer {
    requireInteger('lengthBytes', lengthBytes, 0, maximumSharedBufferBytes);
    const sizeClass = sizeClassFor(lengthBytes);
    const free = this.#free[sizeClass]!;
    if (free.length === 0 && !this.#collect(sizeClass)) this.#grow(sizeClass, lengthBytes);
    const slab = free.topSlab();
    const slot = free.pop();
    slab.takeFreeSlot(slot, this.contextId);
    return new SharedBuffer(this, slab, slot, 0, 0, lengthBytes);
  }

  /**
   * The receiving side of `SharedBuffer.moveTo`. `memory` may be left out for a slab that is known here.
   *
   * @throws ERR_HEDDLE_MALFORMED when what is named is not a handle of this context.
   */
  adopt(
    slabId: number,
    memory: SharedArrayBuffer | undefined,
    slot: number,
    handle: number,
    byteOffset: number,
    lengthBytes: number,
  ): SharedBuffer {
    const slab = this.#slabs.get(slabId) ?? this.#learn(slabId, memory);
    const isInRange =
      slot >= 0 &&
      slot < slab.slotCount &&
      handle >= 0 &&
      handle < handlesPerSlot &&
      byteOffset >= 0 &&
      lengthBytes >= 0 &&
      byteOffset + lengthBytes <= slab.slotBytes;
    if (
      !isInRange ||
      slab.handleHolder(slot, handle) !== this.contextId + 1 ||
      slab.heldBytes[slot * handlesPerSlot + handle] !== -1
    ) {
      const details = { slabId, slot, handle, byteOffset, lengthBytes, contextId: this.contextId };
      const facts = Object.entries(details).map(([name, value]) => `${name}=${value}`);
      throw new HeddleError(
        'ERR_HEDDLE_MALFORMED',
        `a SharedBuffer was received that was not moved here: close the link (${facts.join(' ')})`,
        { details },
      );
    }
    return new SharedBuffer(this, slab, slot, handle, byteOffset, lengthBytes);
  }

  /**
   * Frees every handle that a dead context holds in this pool's slabs, and returns how many there were. Call it when
   * that context's thread has ended, not before. Slabs that the dead context owned are forgotten once nothing in them
   * is held here.
   */
  reclaimContext(deadContextId: number): number {
    if (deadContextId === this.contextId) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        'a context does not reclaim its own handles: use releaseAll',
        {
          details: { contextId: deadContextId },
        },
      );
    }
    let count = 0;
    for (const slabs of this.#own) {
      for (const slab of slabs) {
        for (let slot = 0; slot < slab.slotCount; slot++) {
          for (let handle = 0; handle < handlesPerSlot; handle++) {
            if (slab.handleHolder(slot, handle) !== deadContextId + 1) continue;
            this.drop(slab, slot, handle, deadContextId);
            count += 1;
          }
        }
      }
    }
    for (const slab of this.#slabs.values()) {
      if (slab.ownerContextId === deadContextId) slab.markDropped();
    }
    this.#forgetDropped();
    return count;
  }

  /** The buffers that this context holds now; after its last use of any, each one is a leak. */
  leaks(): LeakReport[] {
    const reports: LeakReport[] = [];
    for (const slab of this.#slabs.values()) {
      if (slab.heldCount === 0) continue;
      for (let index = 0; index < slab.heldBytes.length; index++) {
        if (slab.heldBytes[index]! >= 0) reports.push(this.#report(slab, index, 'stop'));
      }
    }
    return reports;
  }

  /** Releases every buffer that this context holds, at its stop, and says which they were. Using one then throws. */
  releaseAll(): LeakReport[] {
    const reports = this.leaks();
    for (const slab of this.#slabs.values()) {
      if (slab.heldCount === 0) continue;
      for (let index = 0; index < slab.heldBytes.length; index++) {
        if (slab.heldBytes[index]! < 0) continue;
        const slot = Math.floor(index / handlesPerSlot);
        const handle = index % handlesPerSlot;
        this.giveUp(slab, slot, handle);
        this.drop(slab, slot, handle, this.contextId);
      }
    }
    return reports;
  }

  /** What the pool has now. */
  statistics(): SlabPoolStatistics {
    let slabs = 0;
    let slotsInUse = 0;
    let buffersHeld = 0;
    for (const slab of this.#slabs.values()) {
      buffersHeld += slab.heldCount;
      if (!slab.isOwn) continue;
      slabs += 1;
      slotsInUse += slab.slotsInUse;
    }
    let slotsFree = 0;
    for (const free of this.#free) slotsFree += free.length;
    return {
      slabs,
      slabBytes: this.#slabBytes,
      limitBytes: this.limitBytes,
      slotsInUse,
      slotsFree,
      foreignSlabs: this.#slabs.size - slabs,
      buffersHeld,
      buffersLeaked: this.#buffersLeaked,
    };
  }

  /** Not for users; see {@link SharedBufferHome}. */
  gain(slab: Slab, slot: number, handle: number, lengthBytes: number): number {
    const index = slot * handlesPerSlot + handle;
    slab.heldBytes[index] = lengthBytes;
    slab.heldCount += 1;
    if (this.#captureStacks) slab.stacks.set(index, captureStack());
    const generation = (slab.generations[index]! + 1) | 0;
    slab.generations[index] = generation;
    return generation;
  }

  /** Not for users; see {@link SharedBufferHome}. */
  giveUp(slab: Slab, slot: number, handle: number): void {
    const index = slot * handlesPerSlot + handle;
    slab.heldBytes[index] = -1;
    slab.heldCount -= 1;
    if (this.#captureStacks) slab.stacks.delete(index);
    slab.generations[index] = (slab.generations[index]! + 1) | 0;
  }

  /** Not for users; see {@link SharedBufferHome}. */
  drop(slab: Slab, slot: number, handle: number, contextId: number): void {
    if (!slab.dropHandle(slot, handle, contextId) || !slab.isOwn) return;
    slab.slotsInUse -= 1;
    this.#free[slab.sizeClass]!.push(slab, slot);
  }

  /**
   * Not for users; see {@link SharedBufferHome}. Registering an object for finalization costs half a microsecond,
   * more than all the rest, and most buffers are sent or released soon. So the last few are kept in a nursery, and
   * only those that are still held when it is full are registered.
   */
  watch(buffer: SharedBuffer): void {
    if (this.#nurseryCount === nurseryLength) this.watchHeld();
    this.#nursery[this.#nurseryCount++] = buffer;
  }

  /** Spreads the net under buffers that are still held. Contexts call this before they sleep. */
  watchHeld(): void {
    const nursery = this.#nursery;
    const count = this.#nurseryCount;
    for (let i = 0; i < count; i++) {
      const ticket = nursery[i]!.takeTicket();
      if (ticket !== undefined) this.#registry.register(nursery[i]!, ticket);
      nursery[i] = undefined;
    }
    this.#nurseryCount = 0;
  }

  #onCollected(ticket: HandleTicket): void {
    const { slab, slot, handle } = ticket;
    const index = slot * handlesPerSlot + handle;
    if (slab.generations[index] !== ticket.generation) return;
    this.#buffersLeaked += 1;
    const report = this.#report(slab, index, 'collected');
    this.giveUp(slab, slot, handle);
    this.drop(slab, slot, handle, this.contextId);
    if (this.#onLeak !== undefined) this.#onLeak(report);
    else if (this.#buffersLeaked === 1) warnOfLeak(report);
  }

  #report(slab: Slab, index: number, found: LeakReport['found']): LeakReport {
    const slot = Math.floor(index / handlesPerSlot);
    const lengthBytes = slab.heldBytes[index]!;
    return { slabId: slab.slabId, slot, lengthBytes, found, stack: slab.stacks.get(index) };
  }

  /** Takes in a slab of another context, seen for the first time. */
  #learn(slabId: number, memory: SharedArrayBuffer | undefined): Slab {
    if (memory === undefined) {
      throw new HeddleError(
        'ERR_HEDDLE_MALFORMED',
        `a SharedBuffer was received in slabId=${slabId}, which was never handed over: close the link`,
        { details: { slabId } },
      );
    }
    requireSlab(slabId, memory);
    // Here, so that what is kept in vain is never more than what was known when the last slab came.
    this.#forgetDropped();
    const slab = new Slab(memory, this.contextId);
    this.#slabs.set(slabId, slab);
    return slab;
  }

  /** A slab of a lost context goes when the last buffer in it has been released here. */
  #forgetDropped(): void {
    for (const slab of this.#slabs.values()) if (slab.isDropped && slab.heldCount === 0) this.#forget(slab);
  }

  #forget(slab: Slab): void {
    this.#slabs.delete(slab.slabId);
    this.#onSlabForgotten?.(slab.slabId, slab.memory);
  }

  /** Gathers slots of one class that other contexts freed. */
  #collect(sizeClass: number): boolean {
    const free = this.#free[sizeClass]!;
    for (const slab of this.#own[sizeClass]!) {
      for (let word = 0; word << 5 < slab.slotCount; word++) {
        let bits = slab.collectFreed(word);
        while (bits !== 0) {
          const bit = 31 - Math.clz32(bits & -bits);
          bits &= bits - 1;
          slab.slotsInUse -= 1;
          free.push(slab, (word << 5) + bit);
        }
      }
    }
    return free.length > 0;
  }

  #grow(sizeClass: number, lengthBytes: number): void {
    const neededBytes = slabBytes(sizeClass);
    if (this.#slabBytes + neededBytes > this.limitBytes) this.#dropIdleSlabs();
    if (this.#slabBytes + neededBytes > this.limitBytes) {
      const details = { lengthBytes, slabBytes: this.#slabBytes, neededBytes, limitBytes: this.limitBytes };
      const facts = Object.entries(details).map(([name, value]) => `${name}=${value}`);
      throw new HeddleError(
        'ERR_HEDDLE_OUT_OF_MEMORY',
        `the slab pool of context ${this.contextId} is at its limit: release buffers, send fewer at a time, or raise ` +
          `limitBytes (${facts.join(' ')})`,
        { details },
      );
    }
    const slabId = this.takeSlabId();
    const memory = createSlabMemory(slabId, this.contextId, sizeClass);
    this.#prepareMemory?.(memory);
    const slab = new Slab(memory, this.contextId);
    this.#own[sizeClass]!.push(slab);
    this.#slabs.set(slabId, slab);
    this.#slabBytes += neededBytes;
    for (let slot = slab.slotCount - 1; slot >= 0; slot--) this.#free[sizeClass]!.push(slab, slot);
  }

  /** A number for memory that links hand over: no other of this process has it. */
  takeSlabId(): number {
    return Atomics.add(this.#counter, 0, 1); // atomic: pools of all threads draw ids from it
  }

  /** Lets go of slabs that are wholly free, so that what one size class took can serve another. */
  #dropIdleSlabs(): void {
    for (let sizeClass = 0; sizeClass < this.#own.length; sizeClass++) {
      this.#collect(sizeClass);
      const idle = new Set(this.#own[sizeClass]!.filter((slab) => slab.slotsInUse === 0));
      if (idle.size === 0) continue;
      this.#free[sizeClass]!.remove(idle);
      this.#own[sizeClass] = this.#own[sizeClass]!.filter((slab) => !idle.has(slab));
      for (const slab of idle) {
        this.#slabBytes -= slab.memory.byteLength;
        slab.markDropped();
        this.#forget(slab);
      }
    }
  }
}

/** Makes the counter of slab ids that all pools of a process share. */
export function createSlabCounter(): SharedArrayBuffer {
  return new SharedArrayBuffer(8);
}
