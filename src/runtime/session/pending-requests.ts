import { type Clock, longestTimerMs, type Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { Message } from '../message/message.js';

/** Who waits for the response to a request. Exactly one of the two is called, once. */
export interface RequestWaiter {
  /** The response; valid until the call returns unless kept. */
  onResponse(message: Message): void;
  /** Why there is none: a deadline, a cancel, the connection's end, or what the handler on the other side threw. */
  onError(error: HeddleError): void;
}

/** Whose requests they are: a connection. */
export interface RequestOwner<Waiter = RequestWaiter> {
  /** Requests of this owner that have no response yet. */
  pendingRequests: number;
  /** The request's deadline has passed: it is no longer pending, and the waiter must be told. */
  onDeadline(requestId: number, waiter: Waiter): void;
}

const indexBits = 20;
/** The part of a request's id that tells it from all others that are pending in its context. */
export const requestIndexMask = (1 << indexBits) - 1;
const generationMask = (1 << (31 - indexBits)) - 1;
const none = -1;

/** Requests with the same time to wait, oldest first: the head is always the next to expire. */
interface DeadlineList {
  readonly timeoutMs: number;
  head: number;
  tail: number;
  timer: Timer | undefined;
}

/**
 * The requests of one context that wait for their responses. A request's id is its slot and the slot's generation, so
 * that a late or forged response finds nothing. Adding and taking a request allocates nothing: the deadline lists run
 * through the slots, one list for each length of time to wait, and one timer for each list.
 */
export class PendingRequests<Waiter = RequestWaiter> {
  readonly #clock: Clock;
  #waiters: (Waiter | undefined)[] = [];
  #owners: (RequestOwner<Waiter> | undefined)[] = [];
  #lists: (DeadlineList | undefined)[] = [];
  #expiresMicros: number[] = [];
  #generation: number[] = [];
  #next: number[] = [];
  #previous: number[] = [];
  #freeHead = none;
  readonly #listByTimeoutMs = new Map<number, DeadlineList>();
  /** Requests without a response yet. */
  count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Enters a request and returns its id; `timeoutMs` may be Infinity. */
  add(owner: RequestOwner<Waiter>, waiter: Waiter, timeoutMs: number): number {
    let slot = this.#freeHead;
    if (slot === none) slot = this.#grow();
    else this.#freeHead = this.#next[slot];
    this.#waiters[slot] = waiter;
    this.#owners[slot] = owner;
    owner.pendingRequests++;
    this.count++;
    if (timeoutMs === Infinity) this.#lists[slot] = undefined;
    else this.#append(slot, timeoutMs);
    return slot | (this.#generation[slot] << indexBits);
  }

  /** Takes the request out and returns its waiter; undefined when this owner has no such request. */
  take(owner: RequestOwner<Waiter>, requestId: number): Waiter | undefined {
    const slot = requestId & requestIndexMask;
    if (
      requestId < 0 ||
      slot >= this.#owners.length ||
      this.#owners[slot] !== owner ||
      this.#generation[slot] !== requestId >> indexBits
    ) {
      return undefined;
    }
    const waiter = this.#waiters[slot];
    const list = this.#lists[slot];
    if (list !== undefined) this.#unlink(slot, list);
    this.#free(slot, owner);
    return waiter;
  }

  /** Whether this owner waits for a response to `requestId`. */
  has(owner: RequestOwner<Waiter>, requestId: number): boolean {
    const slot = requestId & requestIndexMask;
    return requestId >= 0 && this.#owners[slot] === owner && this.#generation[slot] === requestId >> indexBits;
  }

  /** Takes all requests of `owner` out, in the order of their slots, and hands their waiters to `callback`. */
  takeAll(owner: RequestOwner<Waiter>, callback: (waiter: Waiter) => void): void {
    for (let slot = 0; owner.pendingRequests > 0 && slot < this.#owners.length; slot++) {
      if (this.#owners[slot] !== owner) continue;
      const waiter = this.take(owner, slot | (this.#generation[slot] << indexBits));
      if (waiter !== undefined) callback(waiter);
    }
  }

  #grow(): number {
    const slot = this.#waiters.length;
    if (slot > requestIndexMask) {
      throw new HeddleError(
        'ERR_HEDDLE_SEND_QUEUE_FULL',
        `this context waits for the responses to ${slot} requests, the most there can be: wait for some first`,
        { details: { requests: slot } },
      );
    }
    this.#waiters.push(undefined);
    this.#owners.push(undefined);
    this.#lists.push(undefined);
    this.#expiresMicros.push(0);
    this.#generation.push(0);
    this.#next.push(none);
    this.#previous.push(none);
    return slot;
  }

  #free(slot: number, owner: RequestOwner<Waiter>): void {
    this.#waiters[slot] = undefined;
    this.#owners[slot] = undefined;
    this.#generation[slot] = (this.#generation[slot] + 1) & generationMask;
    this.#next[slot] = this.#freeHead;
    this.#freeHead = slot;
    owner.pendingRequests--;
    this.count--;
  }

  #append(slot: number, timeoutMs: number): void {
    let list = this.#listByTimeoutMs.get(timeoutMs);
    if (list === undefined) {
      list = { timeoutMs, head: none, tail: none, timer: undefined };
      this.#listByTimeoutMs.set(timeoutMs, list);
    }
    this.#lists[slot] = list;
    this.#expiresMicros[slot] = this.#clock.nowMicros() + timeoutMs * 1000;
    this.#next[slot] = none;
    this.#previous[slot] = list.tail;
    if (list.tail === none) list.head = slot;
    else this.#next[list.tail] = slot;
    list.tail = slot;
    list.timer ??= this.#arm(list, timeoutMs);
  }

  #unlink(slot: number, list: DeadlineList): void {
    const next = this.#next[slot];
    const previous = this.#previous[slot];
    if (previous === none) list.head = next;
    else this.#next[previous] = next;
    if (next === none) list.tail = previous;
    else this.#previous[next] = previous;
  }

  /**
   * The timer stays armed when its list runs empty: setting and clearing one for each request would cost more than
   * the request. It is a background timer while empty, so that it keeps no process alive: see `holdsProcess`.
   */
  #arm(list: DeadlineList, delayMs: number): Timer {
    // What is due later is looked at again then.
    const timerMs = Math.min(Math.max(1, Math.ceil(delayMs)), longestTimerMs);
    return this.#clock.setTimer(timerMs, () => this.#expire(list), true);
  }

  #expire(list: DeadlineList): void {
    list.timer = undefined;
    const nowMicros = this.#clock.nowMicros();
    while (list.head !== none && this.#expiresMicros[list.head] <= nowMicros) {
      const slot = list.head;
      const owner = this.#owners[slot] as RequestOwner<Waiter>;
      const requestId = slot | (this.#generation[slot] << indexBits);
      const waiter = this.take(owner, requestId) as Waiter;
      owner.onDeadline(requestId, waiter);
    }
    if (list.head !== none) list.timer ??= this.#arm(list, (this.#expiresMicros[list.head] - nowMicros) / 1000);
    else if (list.timer === undefined) this.#listByTimeoutMs.delete(list.timeoutMs);
  }

  /** Cancels the timers. Only when no request is pending. */
  stop(): void {
    for (const list of this.#listByTimeoutMs.values()) list.timer?.cancel();
    this.#listByTimeoutMs.clear();
  }
}
