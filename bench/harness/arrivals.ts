import { sharedMicros } from './latency.js';

/** How long after its sender has finished a receiver waits for the rest. */
const straggleTimeoutMs = 15_000;

/** A receiver's account of what has arrived, over all runs. */
export class Arrivals {
  #count = 0;
  #target = Number.POSITIVE_INFINITY;
  #reached: ((micros: number) => void) | undefined;
  #failed: ((error: unknown) => void) | undefined;
  #error: unknown;

  /** How many messages have arrived. Where they come in order, that is the sequence number of the next one. */
  get count(): number {
    return this.#count;
  }

  /** Counts one message that was found right. */
  add(): void {
    if (++this.#count >= this.#target) this.#reached?.(sharedMicros());
  }

  /** A message was wrong: whoever waits, now or later, is told. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.#failed?.(this.#error);
  }

  /** Resolves with the time, in {@link sharedMicros}, at which `total` messages had arrived. */
  waitFor(total: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error);
      if (this.#count >= total) return resolve(sharedMicros());
      const timer = setTimeout(
        () => this.fail(new Error(`messages were lost: sent=${total} arrived=${this.#count}`)),
        straggleTimeoutMs,
      );
      this.#target = total;
      this.#reached = (micros) => {
        clearTimeout(timer);
        this.#target = Number.POSITIVE_INFINITY;
        resolve(micros);
      };
      this.#failed = (error) => {
        clearTimeout(timer);
        reject(error);
      };
    });
  }
}

/** What a sender reports about one run. */
export interface Flood {
  /** When it began, in {@link sharedMicros}. */
  readonly startMicros: number;
  /** Messages sent in this run. */
  readonly count: number;
  /** Messages sent since it was started. */
  readonly total: number;
}

/** Messages a second, from the first one's sending to the last one's arrival. */
export function floodRate(flood: Flood, endMicros: number): number {
  // A receiver may learn of the total only after the last message has come: the later time is the safe one.
  return (flood.count / (endMicros - flood.startMicros)) * 1e6;
}
