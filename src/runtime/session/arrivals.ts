import { HeddleError } from '../../errors.js';
import type { Message } from '../message/message.js';

/** A sequenced record that cannot be delivered yet. */
export interface Arrival {
  /** The message that it is; undefined for a receipt, a cancel or the like. */
  readonly message: Message | undefined;
  readonly sentAt: number;
  readonly kind: number;
  /** Of what is no message: what its record said. */
  readonly flags: number;
  readonly headerField: number;
  readonly reference: number;
  /** Whether all of its data is there. */
  isComplete: boolean;
}

/** More than this is not what credits allow: messages take credits, and what is about a message is no more than those. */
const maximumArrivals = 4_000_000;

/**
 * The sequenced records from the first large message on whose data is still on its way, in their order: messages reach
 * the handler in the order sent, and many large ones may be on their way at a time.
 */
export class Arrivals {
  #arrivals: Arrival[] = [];
  #first = 0;
  length = 0;

  push(arrival: Arrival): void {
    if (this.length >= maximumArrivals) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer sends without end behind data that it does not send');
    }
    this.#arrivals.push(arrival);
    this.length++;
  }

  includes(arrival: Arrival): boolean {
    return this.#arrivals.includes(arrival, this.#first);
  }

  /** Takes the oldest one out if it is complete. */
  takeComplete(): Arrival | undefined {
    const arrival = this.#arrivals[this.#first];
    if (arrival === undefined || !arrival.isComplete) return undefined;
    this.#first++;
    this.length--;
    // Moving the rest down each time the dead half outgrows the live one keeps the cost per record constant.
    if (this.#first > 32 && this.#first * 2 >= this.#arrivals.length) {
      this.#arrivals.splice(0, this.#first);
      this.#first = 0;
    }
    return arrival;
  }

  takeAll(): Arrival[] {
    const all = this.#arrivals.slice(this.#first);
    this.#arrivals = [];
    this.#first = 0;
    this.length = 0;
    return all;
  }
}
