import type { Verdict } from './protocol.js';

/** Producers whose place in their sequences an actor remembers; the one heard of first is forgotten for another. */
export const maximumProducers = 1024;

/** The receiving half of reliable delivery from one producer: which message is next. */
export class ConsumerMachine {
  /** The sequence number that is handled next; all before it are done with. */
  expected: number;
  /** Whether that one is being handled. */
  isBusy = false;

  /** `first`: what the producer waits for. Whoever it was confirmed to before, it was not this one. */
  constructor(first: number) {
    this.expected = first;
  }

  get confirmed(): number {
    return this.expected - 1;
  }

  /** A message has come. `deliver`: it is to be handled now, and {@link finish} called then. */
  offer(sequence: number, first: number): Verdict {
    // The producer has given up on some: they are not waited for.
    if (first > this.expected && !this.isBusy) this.expected = first;
    if (sequence < this.expected) return 'duplicate';
    if (sequence > this.expected) return 'gap';
    if (this.isBusy) return 'busy';
    this.isBusy = true;
    return 'deliver';
  }

  /** The handler has ended. One that failed is expected again. */
  finish(sequence: number, isHandled: boolean): void {
    if (sequence !== this.expected) return;
    this.isBusy = false;
    if (isHandled) this.expected++;
  }
}

/** An actor's consumers, by producer. */
export class Consumers {
  readonly #machines = new Map<string, ConsumerMachine>();

  of(producer: string, first: number): ConsumerMachine {
    let machine = this.#machines.get(producer);
    if (machine === undefined) {
      if (this.#machines.size >= maximumProducers) this.#forgetOne();
      machine = new ConsumerMachine(first);
      this.#machines.set(producer, machine);
    }
    return machine;
  }

  /** The actor begins anew: what it was handling has not ended well. */
  restart(): void {
    for (const machine of this.#machines.values()) machine.isBusy = false;
  }

  #forgetOne(): void {
    for (const [producer, { isBusy }] of this.#machines) {
      if (isBusy) continue;
      this.#machines.delete(producer);
      return;
    }
  }
}
