import type { Message } from '../message/message.js';

/** Where the gate lets messages through to. */
export interface GateTarget {
  /** A request or one-way message whose turn it is. It is nobody's yet: as it was when it arrived. */
  deliver(message: Message): void;
}

/**
 * Where the peer's posts (requests and one-way messages) wait while a connection's reception is suspended. They hold their
 * credits, so that no more than the receive depth of them can gather here, and keep their order. Responses do not come
 * this way: who suspends reception still gets the answers to its own requests.
 */
export class ReceptionGate {
  readonly #target: GateTarget;
  readonly #waiting: Message[] = [];
  #isDelivering = false;
  #onEmpty: (() => void) | undefined;
  isSuspended = false;
  /** Whether an arriving message has to wait: read for every message. */
  isShut = false;

  constructor(target: GateTarget) {
    this.#target = target;
  }

  /** Messages that wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** Makes a message that has arrived wait. */
  hold(message: Message): void {
    message.keep();
    this.#waiting.push(message);
  }

  suspend(): void {
    this.isSuspended = true;
    this.isShut = true;
  }

  /** Lets everything that waits through, in order, unless a handler suspends reception again. */
  resume(): void {
    this.isSuspended = false;
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (!this.isSuspended) {
      const message = this.#waiting.shift();
      if (message === undefined) break;
      // Kept for the gate's sake only: whether the user keeps it is the user's business.
      message.isKept = false;
      this.#target.deliver(message);
    }
    this.#isDelivering = false;
    this.isShut = this.isSuspended || this.#waiting.length > 0;
    if (this.#waiting.length > 0) return;
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    onEmpty?.();
  }

  /** Takes a message out that its sender does not want any more; false when it does not wait here. */
  remove(message: Message): boolean {
    const index = this.#waiting.indexOf(message);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }

  /** Calls back once, when nothing waits any more: at once when that is so. Never when all is dropped before. */
  whenEmpty(callback: () => void): void {
    if (this.#waiting.length === 0) callback();
    else this.#onEmpty = callback;
  }

  /** This side closes the connection: what waits is let go, and with it what kept the peer's own close waiting. */
  close(): void {
    const onEmpty = this.#onEmpty;
    this.drop();
    this.isSuspended = false;
    this.isShut = false;
    onEmpty?.();
  }

  /** The connection is over: what waits is let go. */
  drop(): void {
    this.#onEmpty = undefined;
    for (const message of this.#waiting.splice(0)) message.release();
  }
}
