import type { LayoutMode } from './layout-table.js';
import { type ByteRange, RangeSet } from './range-set.js';

/** A layout that this client has, with what it caches of its range. */
export class HeldLayout implements ByteRange {
  readonly id: number;
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly mode: LayoutMode;
  readonly #bytes: Buffer;
  readonly #present = new RangeSet();
  readonly #dirty = new RangeSet();
  readonly #onIdle: (() => void)[] = [];
  #users = 0;
  /** It is wanted elsewhere: no operation begins with it any more. */
  isRecalled = false;
  /** It was taken away. */
  isLost = false;
  /** When the server is known to have held it to be this client's. */
  confirmedMs = 0;
  /** Resolves when it has been given back. */
  returned: Promise<void> | undefined;

  constructor(layout: { id: number; file: string; start: number; end: number; mode: LayoutMode }) {
    this.id = layout.id;
    this.file = layout.file;
    this.start = layout.start;
    this.end = layout.end;
    this.mode = layout.mode;
    this.#bytes = Buffer.alloc(layout.end - layout.start);
  }

  /** Whether an operation on `range` can begin with it. */
  serves(file: string, range: ByteRange, mode: LayoutMode): boolean {
    if (this.isRecalled || this.isLost || this.file !== file) return false;
    return this.start <= range.start && range.end <= this.end && (mode === 'read' || this.mode === 'write');
  }

  /** Bytes that it caches, at most. */
  get cachedBytes(): number {
    return this.#bytes.length;
  }

  get isIdle(): boolean {
    return this.#users === 0;
  }

  /** An operation uses it: it stays until {@link unpin}. */
  pin(): this {
    this.#users++;
    return this;
  }

  unpin(): void {
    if (--this.#users === 0) for (const onIdle of this.#onIdle.splice(0)) onIdle();
  }

  /** Resolves when no operation uses it. */
  idle(): Promise<void> {
    if (this.#users === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
    });
  }

  missingIn(range: ByteRange): ByteRange[] {
    return this.#present.missingIn(range);
  }

  /** What the server has: not where something was written meanwhile. */
  fill(start: number, bytes: Uint8Array): void {
    for (const gap of this.missingIn({ start, end: start + bytes.length })) {
      this.#bytes.set(bytes.subarray(gap.start - start, gap.end - start), gap.start - this.start);
      this.#present.add(gap);
    }
  }

  write(start: number, bytes: Uint8Array): void {
    const range = { start, end: start + bytes.length };
    this.#bytes.set(bytes, start - this.start);
    this.#present.add(range);
    this.#dirty.add(range);
  }

  /** A copy of what is cached. */
  read({ start, end }: ByteRange): Buffer {
    return Buffer.from(this.#bytes.subarray(start - this.start, end - this.start));
  }

  /** The next piece that the server does not have, clean from now on; undefined when there is none. */
  takeDirty(maximumBytes: number): { range: ByteRange; bytes: Buffer } | undefined {
    const first = this.#dirty.ranges[0];
    if (first === undefined) return undefined;
    const range = { start: first.start, end: Math.min(first.end, first.start + maximumBytes) };
    this.#dirty.delete(range);
    return { range, bytes: this.read(range) };
  }

  /** What was written and cannot reach the server any more. */
  takeAllDirty(): readonly ByteRange[] {
    const ranges = [...this.#dirty.ranges];
    this.#dirty.clear();
    return ranges;
  }
}
