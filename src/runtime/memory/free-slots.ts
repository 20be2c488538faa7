import type { Slab } from './slab.js';

/** Slots that can be given out, of one size class: the one freed last is on top, since its lines are in the cache. */
export class FreeSlots {
  readonly #slabs: Slab[] = [];
  readonly #slots: number[] = [];
  get length(): number {
    return this.#slots.length;
  }
  push(slab: Slab, slot: number): void {
    this.#slabs.push(slab);
    this.#slots.push(slot);
  }
  /** The slab of the slot on top. */
  topSlab(): Slab {
    return this.#slabs[this.#slabs.length - 1]!;
  }
  /** Takes the slot on top. */
  pop(): number {
    this.#slabs.pop();
    return this.#slots.pop()!;
  }
  /** Takes out all slots of some slabs. */
  remove(slabs: ReadonlySet<Slab>): void {
    let kept = 0;
    for (let i = 0; i < this.#slots.length; i++) {
      if (slabs.has(this.#slabs[i]!)) continue;
      this.#slabs[kept] = this.#slabs[i]!;
      this.#slots[kept++] = this.#slots[i]!;
    }
    this.#slabs.length = kept;
    this.#slots.length = kept;
  }
}
