import type { RegionHandle } from './region-handle.js';
import { RegionMemory } from './region-memory.js';
import type { SharedBuffer } from './shared-buffer.js';

/** The memory of another context's region, mapped into this one; shared by all who have the region open here. */
export class OpenedMemory {
  readonly memory: RegionMemory;
  readonly #table: OpenedMemories;
  readonly #handle: RegionHandle;
  readonly #buffer: SharedBuffer;
  /** Where the owner keeps the generation of the region that stands in the slot. */
  readonly #generations: Int32Array;
  #users = 1;

  constructor(table: OpenedMemories, handle: RegionHandle, buffer: SharedBuffer, generations: Int32Array) {
    this.#table = table;
    this.#handle = handle;
    this.#buffer = buffer;
    this.#generations = generations;
    this.memory = new RegionMemory(buffer.bytes);
  }

  /** Whether the region is still the one that was opened. Atomic, so that it sees a revocation that came before. */
  get isLive(): boolean {
    return Atomics.load(this.#generations, this.#handle.slot) === this.#handle.generation && this.#buffer.isHeld;
  }

  /** One user more. */
  share(): this {
    this.#users++;
    return this;
  }

  /** One user fewer: with the last one, the memory is given back. */
  release(): void {
    if (--this.#users > 0) return;
    this.#table.forget(this.#handle);
    if (this.#buffer.isHeld) this.#buffer.release();
  }
}

/**
 * The regions of other contexts of this process whose memory this context has. Each holds one handle of the memory,
 * however many of this context's connections and actors have it open: so the memory is not given to another use before
 * this context is done with it, whatever its owner does, and the few handles that a slot has go round.
 */
export class OpenedMemories {
  readonly #memories = new Map<string, OpenedMemory>();

  /** The memory of that region, with one user more; undefined when this context does not have it. */
  find(handle: RegionHandle): OpenedMemory | undefined {
    return this.#memories.get(keyOf(handle))?.share();
  }

  /** Takes memory over that came with the answer to an open; returns what serves the region from now on. */
  add(handle: RegionHandle, buffer: SharedBuffer, generations: Int32Array): OpenedMemory {
    const known = this.find(handle);
    if (known !== undefined) {
      buffer.release();
      return known;
    }
    const memory = new OpenedMemory(this, handle, buffer, generations);
    this.#memories.set(keyOf(handle), memory);
    return memory;
  }

  forget(handle: RegionHandle): void {
    this.#memories.delete(keyOf(handle));
  }
}

/** The key is part of it: who does not know it finds nothing. */
function keyOf({ owner, slot, generation, key }: RegionHandle): string {
  return `${owner} ${slot} ${generation} ${key}`;
}
