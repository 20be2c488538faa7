/** What the storage daemon is asked to do: to bring a page from its disk slot to its cache slot, or the other way. */
export interface StorageEvent {
  readonly id: number;
  readonly kind: 'load' | 'store';
  readonly cacheSlot: number;
  readonly diskSlot: number;
  /** Of the page's bytes. */
  readonly checksum: number;
}

/** How many events may wait. */
export interface EventQueueLimits {
  readonly critical: number;
  readonly hints: number;
}

/**
 * The events between the memory server and its storage daemon. A critical event is never dropped: who has one looks at
 * {@link isFull} first, and stops taking requests in. A hint may be dropped, and is counted then.
 */
export class EventQueue {
  readonly #limits: EventQueueLimits;
  readonly #critical: StorageEvent[] = [];
  readonly #hints: StorageEvent[] = [];
  droppedHints = 0;
  /** The most critical events that waited at once. */
  criticalHighWater = 0;

  constructor(limits: EventQueueLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#critical.length + this.#hints.length;
  }

  /** Whether one more request could lead to a critical event that has no room. */
  get isFull(): boolean {
    return this.#critical.length >= this.#limits.critical;
  }

  /** Whether enough has been taken out for requests to be let in again. */
  get isDrained(): boolean {
    return this.#critical.length * 2 <= this.#limits.critical;
  }

  /** Puts a critical event in. What a request that was let in leads to always finds room: the limit is where no more are. */
  put(event: StorageEvent): void {
    this.#critical.push(event);
    this.criticalHighWater = Math.max(this.criticalHighWater, this.#critical.length);
  }

  /** Puts a hint in, or drops it (false). */
  offer(event: StorageEvent): boolean {
    if (this.#hints.length < this.#limits.hints) {
      this.#hints.push(event);
      return true;
    }
    this.droppedHints++;
    return false;
  }

  /** Takes up to `most` events out, critical ones first. */
  take(most: number): StorageEvent[] {
    const taken = this.#critical.splice(0, most);
    return taken.concat(this.#hints.splice(0, most - taken.length));
  }

  /** Puts events back that were taken out by a daemon that died over them: to the front, in order. */
  putBack(events: readonly StorageEvent[]): void {
    this.#critical.unshift(...events);
  }
}
