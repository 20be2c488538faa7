import type { CallFrame, ReplyStatus } from './call-frame.js';
import { type Draining, ReplayCache } from './replay-cache.js';

/** What holds a call from its arrival to its reply. */
export interface RequestSlot<Body> {
  frame: CallFrame | undefined;
  body: Body | undefined;
}

/** What is done with a call that arrives when all slots of the fixed table are taken. Nothing ever waits for one. */
export type NoSlotPolicy =
  /** It is dropped and counted: its caller sends it again. */
  | { readonly kind: 'drop' }
  /** Up to `maximum` further slots are made, and let go again; past that it is dropped. */
  | { readonly kind: 'allocate'; readonly maximum: number };

/** How a callee takes calls in. */
export interface CalleeOptions {
  /** Slots of the session: calls that its caller may have under way. */
  readonly sessionSlots: number;
  /** Slots for calls that have arrived, retransmissions included. */
  readonly requestSlots: number;
  readonly whenNoSlot: NoSlotPolicy;
}

/** A call that has been taken out of the queue: to be run, or to be answered with what `reply` says. */
export interface Job<Body> {
  readonly slot: RequestSlot<Body>;
  readonly frame: CallFrame;
  readonly body: Body;
  readonly reply: CallFrame | undefined;
  readonly replyBody: Body | undefined;
}

/**
 * The callee's half of a channel: takes calls in without ever waiting, queues them for the service, and sees to it
 * that each is run once, however often it is sent. A pure state machine: it knows neither time nor connections.
 */
export class Callee<Body> {
  readonly #cache: ReplayCache<Body>;
  readonly #free: RequestSlot<Body>[];
  readonly #queue: RequestSlot<Body>[] = [];
  readonly #policy: NoSlotPolicy;
  #allocated = 0;
  /** Calls that found no slot. */
  dropped = 0;
  /** Calls that were run. */
  run = 0;
  /** The most slots beyond the fixed table that there were at once. */
  allocatedHighWater = 0;

  constructor(sessionId: number, options: CalleeOptions) {
    this.#cache = new ReplayCache(sessionId, options.sessionSlots);
    this.#policy = options.whenNoSlot;
    this.#free = Array.from({ length: options.requestSlots }, () => ({ frame: undefined, body: undefined }));
  }

  /** Calls that were answered from the cache. */
  get replays(): number {
    return this.#cache.replays;
  }

  /** Calls that wait for the service. */
  get queued(): number {
    return this.#queue.length;
  }

  /** A call has arrived: queues it, or drops it (false). `body` is called only for one that is queued. */
  receive(frame: CallFrame, body: () => Body): boolean {
    const slot = this.#take();
    if (slot === undefined) {
      this.dropped++;
      return false;
    }
    slot.frame = frame;
    slot.body = body();
    this.#queue.push(slot);
    return true;
  }

  #take(): RequestSlot<Body> | undefined {
    const slot = this.#free.pop();
    if (slot !== undefined) return slot;
    if (this.#policy.kind === 'drop' || this.#allocated >= this.#policy.maximum) return undefined;
    this.#allocated++;
    this.allocatedHighWater = Math.max(this.allocatedHighWater, this.#allocated);
    return { frame: undefined, body: undefined };
  }

  #give(slot: RequestSlot<Body>): void {
    slot.frame = undefined;
    slot.body = undefined;
    // The slot of a busy moment is let go as soon as the fixed table would do.
    if (this.#allocated > 0) this.#allocated--;
    else this.#free.push(slot);
  }

  /** The next call for the service; undefined when none waits. One with a `reply` is over: send that. */
  next(): Job<Body> | undefined {
    const slot = this.#queue.shift();
    if (slot === undefined) return undefined;
    const frame = slot.frame!;
    const body = slot.body!;
    const verdict = this.#cache.admit(frame);
    if (verdict === 'run') {
      this.run++;
      return { slot, frame, body, reply: undefined, replyBody: undefined };
    }
    this.#give(slot);
    return { slot, frame, body, reply: replyTo(frame, verdict.status), replyBody: verdict.body };
  }

  /** A job has been run: the reply to send. */
  finish(job: Job<Body>, status: 'ok' | 'failed', body: Body): CallFrame {
    this.#cache.finish(job.frame, status, body);
    this.#give(job.slot);
    return replyTo(job.frame, status);
  }

  /** See {@link ReplayCache.drain}. */
  drain(how: Draining | undefined): void {
    this.#cache.drain(how);
  }

  /** Whether a drained session has nothing left that runs. */
  get isDrained(): boolean {
    return this.#cache.isDrained;
  }
}

function replyTo(frame: CallFrame, status: ReplyStatus): CallFrame {
  return { ...frame, isReply: true, status };
}
