/** A piece of a file: bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Whether two ranges have a byte in common. */
export function overlaps(one: ByteRange, other: ByteRange): boolean {
  return one.start < other.end && other.start < one.end;
}

/** A set of bytes, kept as ranges that neither overlap nor touch, in order. */
export class RangeSet {
  #ranges: ByteRange[] = [];

  /** The ranges, in order. */
  get ranges(): readonly ByteRange[] {
    return this.#ranges;
  }

  add({ start, end }: ByteRange): void {
    if (start >= end) return;
    const kept: ByteRange[] = [];
    for (const range of this.#ranges) {
      if (range.end < start || range.start > end) kept.push(range);
      else {
        start = Math.min(start, range.start);
        end = Math.max(end, range.end);
      }
    }
    kept.push({ start, end });
    this.#ranges = kept.sort((one, other) => one.start - other.start);
  }

  delete({ start, end }: ByteRange): void {
    this.#ranges = this.#ranges.flatMap((range) => {
      if (range.end <= start || range.start >= end) return [range];
      const pieces = [
        { start: range.start, end: start },
        { start: end, end: range.end },
      ];
      return pieces.filter((piece) => piece.start < piece.end);
    });
  }

  /** What of `range` is not in the set. */
  missingIn(range: ByteRange): ByteRange[] {
    const missing = new RangeSet();
    missing.add(range);
    for (const present of this.#ranges) missing.delete(present);
    return [...missing.ranges];
  }

  clear(): void {
    this.#ranges = [];
  }
}
