import { percentile } from './statistics.js';

/** Collects round trip times without allocating as it goes; beyond the capacity, further ones are only counted. */
export class LatencyRecorder {
  readonly #micros: Float64Array;
  #count = 0;

  constructor(capacity = 2_000_000) {
    this.#micros = new Float64Array(capacity);
  }

  /** How many round trips there were. */
  get count(): number {
    return this.#count;
  }

  add(micros: number): void {
    const count = this.#count++;
    if (count < this.#micros.length) this.#micros[count] = micros;
  }

  /** The times kept, in the order taken, in microseconds. */
  values(): Float64Array {
    return this.#micros.subarray(0, Math.min(this.#count, this.#micros.length));
  }

  /** Throws when nothing was recorded: a benchmark without a round trip has not worked. */
  percentile(fraction: number): number {
    if (this.#count === 0) throw new Error('no round trip was completed within the budget');
    return percentile(this.values(), fraction);
  }

  reset(): void {
    this.#count = 0;
  }
}

/** Microseconds that all threads of this process, and all processes of this machine, count alike. */
export function sharedMicros(): number {
  return Number(process.hrtime.bigint()) / 1000;
}
