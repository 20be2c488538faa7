import { HeddleError } from '../../errors.js';
import type { Ref } from './ref.js';

/** What a feed sends at once. */
export interface FeedBatch {
  readonly items: readonly unknown[];
  /** Items that were left out before these, because the receiver was slow. */
  readonly skipped: number;
}

/**
 * Sends items to an actor, one batch at a time: the next one when the actor has handled the one before. While it has not,
 * `capacity` items wait, and of more than that the oldest are left out. So a slow receiver costs no memory, and has the
 * newest when it comes to it.
 */
export class BoundedFeed {
  readonly ref: Ref;
  readonly #message: string;
  readonly #capacity: number;
  readonly #onFailed: (error: unknown) => void;
  #waiting: unknown[] = [];
  #skipped = 0;
  #isSending = false;
  #hasEnded = false;

  /** `onFailed`: an item cannot be sent; nothing more is. That the receiver has gone is not told. */
  constructor(ref: Ref, message: string, capacity: number, onFailed: (error: unknown) => void) {
    this.ref = ref;
    this.#message = message;
    this.#capacity = capacity;
    this.#onFailed = onFailed;
  }

  push(item: unknown): void {
    if (this.#hasEnded) return;
    this.#waiting.push(item);
    if (this.#waiting.length > this.#capacity) {
      this.#waiting.shift();
      this.#skipped++;
    }
    if (!this.#isSending) this.#send();
  }

  /** Sends what waits, whether the receiver is ready or not: there will be nothing more. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#waiting.length === 0) return;
    try {
      this.ref.tell(this.#message, this.#take());
    } catch (error) {
      this.#onFailed(error);
    }
  }

  #take(): FeedBatch {
    const batch: FeedBatch = { items: this.#waiting, skipped: this.#skipped };
    this.#waiting = [];
    this.#skipped = 0;
    return batch;
  }

  #send(): void {
    this.#isSending = true;
    // Without a deadline: an actor that has gone, or its context, settles it.
    this.ref.ask(this.#message, this.#take(), { timeoutMs: Infinity }).then(
      () => {
        this.#isSending = false;
        if (this.#waiting.length > 0 && !this.#hasEnded) this.#send();
      },
      (error: unknown) => {
        this.#hasEnded = true;
        this.#waiting = [];
        if (error instanceof HeddleError && error.code === 'ERR_HEDDLE_CODEC') this.#onFailed(error);
      },
    );
  }
}
