import type { HeldLayout } from './held-layout.js';
import { blockBytes } from './protocol.js';
import type { ByteRange } from './range-set.js';

/** The layouts that a client has. Those of one file never overlap, so a block finds the one that covers it. */
export class HeldLayouts {
  /** Used last comes last. */
  readonly #all = new Map<number, HeldLayout>();
  readonly #blocks = new Map<string, Map<number, HeldLayout>>();

  get size(): number {
    return this.#all.size;
  }

  /** All of them, those used longest ago first. */
  get all(): HeldLayout[] {
    return [...this.#all.values()];
  }

  get(id: number): HeldLayout | undefined {
    return this.#all.get(id);
  }

  add(layout: HeldLayout): void {
    this.#all.set(layout.id, layout);
    let blocks = this.#blocks.get(layout.file);
    if (blocks === undefined) {
      blocks = new Map();
      this.#blocks.set(layout.file, blocks);
    }
    for (let start = layout.start; start < layout.end; start += blockBytes) blocks.set(start / blockBytes, layout);
  }

  delete(layout: HeldLayout): void {
    if (!this.#all.delete(layout.id)) return;
    const blocks = this.#blocks.get(layout.file);
    if (blocks === undefined) return;
    for (let start = layout.start; start < layout.end; start += blockBytes) {
      if (blocks.get(start / blockBytes) === layout) blocks.delete(start / blockBytes);
    }
    if (blocks.size === 0) this.#blocks.delete(layout.file);
  }

  /** The layout that covers the byte at `start`. */
  at(file: string, start: number): HeldLayout | undefined {
    return this.#blocks.get(file)?.get(Math.floor(start / blockBytes));
  }

  /** Those that have a block in common with a range. */
  overlapping(file: string, { start, end }: ByteRange): HeldLayout[] {
    const found = new Set<HeldLayout>();
    for (let at = start; at < end; at += blockBytes) {
      const layout = this.at(file, at);
      if (layout !== undefined) found.add(layout);
    }
    return [...found];
  }

  /** Notes that it was used just now. */
  used(layout: HeldLayout): void {
    this.#all.delete(layout.id);
    this.#all.set(layout.id, layout);
  }
}
