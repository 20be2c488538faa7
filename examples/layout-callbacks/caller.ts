import type { CallFrame, ReplyStatus } from './call-frame.js';

/** How a caller behaves. */
export interface CallerOptions {
  /** Calls that may be under way; the callee's session must have as many slots. */
  readonly slots: number;
  /** Calls that may wait for a slot; one more is refused. */
  readonly maximumWaiting: number;
  /** Time without a reply after which a call is sent again; doubled each time, up to eight times as long. */
  readonly retransmitMs: number;
  /** Time after which a call is given up. */
  readonly timeoutMs: number;
}

/** How a call ended: a reply, `timeout`, or `closed` when the session ended first. */
export interface Outcome<Body> {
  readonly status: Exclude<ReplyStatus, 'delay'> | 'timeout' | 'closed';
  readonly body: Body | undefined;
}

/** A call, from its beginning to its outcome. */
interface Call<Body> {
  readonly xid: number;
  readonly body: Body;
  readonly cachesReply: boolean;
  readonly settle: (outcome: Outcome<Body>) => void;
  readonly expiresMs: number;
  frame: CallFrame | undefined;
  resendMs: number;
  intervalMs: number;
  /** Its time is over. It is sent on, slowly: only a reply tells that its slot may be used again. */
  isGivenUp: boolean;
}

/** After these the two sides may not agree on the slot's sequence any more: it is not used again. */
const slotIsLostAfter: ReadonlySet<ReplyStatus> = new Set([
  'bad-session',
  'bad-slot',
  'bad-high-slot',
  'misordered',
  'false-retry',
]);

type Send<Body> = (frame: CallFrame, body: Body) => void;

/**
 * The caller's half of a channel: gives each call an xid and a slot, lets it wait when there is none, sends it again
 * while no reply comes, and finds the call that a reply belongs to. A pure state machine: time is an argument, and what
 * is to be sent goes to the function given.
 */
export class Caller<Body> {
  readonly sessionId: number;
  readonly #options: CallerOptions;
  readonly #send: Send<Body>;
  readonly #sequences: number[];
  readonly #busy: (Call<Body> | undefined)[];
  readonly #calls = new Map<number, Call<Body>>();
  readonly #waiting: Call<Body>[] = [];
  #nextXid: number;
  #isClosed = false;
  /** Calls that had to wait for a slot. */
  waitedForSlot = 0;
  /** Frames sent again. */
  retransmissions = 0;
  /** Replies that no call was waiting for: dropped. */
  unknownReplies = 0;
  /** Replies to calls that had been given up: they free the slot. */
  lateReplies = 0;

  constructor(sessionId: number, options: CallerOptions, send: Send<Body>, firstXid: number) {
    this.sessionId = sessionId;
    this.#options = options;
    this.#send = send;
    this.#nextXid = firstXid;
    this.#sequences = Array.from({ length: options.slots }, () => 0);
    this.#busy = Array.from({ length: options.slots }, () => undefined);
  }

  /** Calls without an outcome. */
  get pending(): number {
    let pending = this.#waiting.length;
    for (const call of this.#calls.values()) if (!call.isGivenUp) pending++;
    return pending;
  }

  /** Begins a call. False when too many wait for a slot already; `settle` is not called then. */
  call(body: Body, nowMs: number, settle: Call<Body>['settle'], cachesReply = true): boolean {
    if (this.#isClosed) {
      settle({ status: 'closed', body: undefined });
      return true;
    }
    const { retransmitMs, timeoutMs, maximumWaiting } = this.#options;
    const slot = this.#busy.indexOf(undefined);
    if (slot < 0 && this.#waiting.length >= maximumWaiting) return false;
    const xid = this.#nextXid;
    this.#nextXid = (xid + 1) >>> 0;
    const call: Call<Body> = {
      xid,
      body,
      cachesReply,
      settle,
      expiresMs: nowMs + timeoutMs,
      frame: undefined,
      resendMs: Infinity,
      intervalMs: retransmitMs,
      isGivenUp: false,
    };
    if (slot >= 0) this.#begin(call, slot, nowMs);
    else {
      this.waitedForSlot++;
      this.#waiting.push(call);
    }
    return true;
  }

  #begin(call: Call<Body>, slot: number, nowMs: number): void {
    this.#busy[slot] = call;
    this.#calls.set(call.xid, call);
    const sequence = (this.#sequences[slot]! + 1) >>> 0;
    this.#sequences[slot] = sequence;
    const { xid, cachesReply } = call;
    let highestSlot = slot;
    for (let other = slot + 1; other < this.#busy.length; other++) if (this.#busy[other]) highestSlot = other;
    const { sessionId } = this;
    call.frame = { isReply: false, status: 'ok', cachesReply, xid, sessionId, sequence, slot, highestSlot };
    call.resendMs = nowMs + call.intervalMs;
    this.#send(call.frame, call.body);
  }

  /** A reply has arrived. It is dropped and counted when no call of that xid, slot and sequence waits for one. */
  receive(frame: CallFrame, body: () => Body, nowMs: number): void {
    const call = this.#calls.get(frame.xid);
    const sent = call?.frame;
    const matches = sent?.slot === frame.slot && sent.sequence === frame.sequence && frame.sessionId === this.sessionId;
    if (call === undefined || !matches) {
      this.unknownReplies++;
      return;
    }
    // The callee is at it: the reply comes by itself, or for one of the next transmissions.
    if (frame.status === 'delay') return;
    this.#calls.delete(call.xid);
    if (!slotIsLostAfter.has(frame.status)) this.#busy[frame.slot] = undefined;
    if (call.isGivenUp) this.lateReplies++;
    else call.settle({ status: frame.status, body: body() });
    this.#useFreeSlots(nowMs);
  }

  #useFreeSlots(nowMs: number): void {
    while (this.#waiting.length > 0) {
      const slot = this.#busy.indexOf(undefined);
      if (slot < 0) return;
      this.#begin(this.#waiting.shift()!, slot, nowMs);
    }
  }

  /** When {@link poll} has something to do; undefined when nothing is under way. */
  get dueMs(): number | undefined {
    let due: number | undefined;
    for (const call of this.#calls.values()) {
      due = Math.min(due ?? Infinity, call.resendMs, call.isGivenUp ? Infinity : call.expiresMs);
    }
    // Those that wait have the same time to live: the first ends first.
    const first = this.#waiting[0];
    return first === undefined ? due : Math.min(due ?? Infinity, first.expiresMs);
  }

  /** Sends again what is due, and gives up what has had its time. */
  poll(nowMs: number): void {
    for (const call of [...this.#calls.values()]) {
      if (call.resendMs <= nowMs) {
        call.intervalMs = Math.min(call.intervalMs * 2, this.#options.retransmitMs * 8);
        this.#resend(call, nowMs);
      }
      if (call.isGivenUp || call.expiresMs > nowMs) continue;
      call.isGivenUp = true;
      call.settle({ status: 'timeout', body: undefined });
    }
    while (this.#waiting.length > 0 && this.#waiting[0]!.expiresMs <= nowMs) {
      this.#waiting.shift()!.settle({ status: 'timeout', body: undefined });
    }
  }

  #resend(call: Call<Body>, nowMs: number): void {
    call.resendMs = nowMs + call.intervalMs;
    this.retransmissions++;
    this.#send(call.frame!, call.body);
  }

  /** Sends everything that has no reply again, at once: there is a new connection. */
  resendAll(nowMs: number): void {
    for (const call of this.#calls.values()) this.#resend(call, nowMs);
  }

  /** The session is over: every call that has no outcome ends as `closed`, and so does each one made later. */
  close(): void {
    this.#isClosed = true;
    const calls = [...this.#calls.values()].filter((call) => !call.isGivenUp);
    calls.push(...this.#waiting.splice(0));
    this.#calls.clear();
    for (const call of calls) call.settle({ status: 'closed', body: undefined });
  }
}
