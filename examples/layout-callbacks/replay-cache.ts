import type { CallFrame, ReplyStatus } from './call-frame.js';

/** What the callee makes of a call: it is to be run, or answered at once without running anything. */
export type Verdict<Body> = 'run' | { readonly status: ReplyStatus; readonly body: Body | undefined };

interface Slot<Body> {
  sequence: number;
  xid: number;
  isRunning: boolean;
  isUsed: boolean;
  reply: { readonly status: ReplyStatus; readonly body: Body | undefined } | undefined;
}

/** How a session is being drained: `delay` lets calls be sent again later, `reset` ends the session. */
export type Draining = 'delay' | 'reset';

/**
 * The callee's side of a session's slots, after the rules for SEQUENCE and CB_SEQUENCE in RFC 8881 (2.10.6): each slot
 * takes one call at a time, in the order of its sequence numbers, and keeps the last reply. Nothing here knows of time,
 * connections or what a call does.
 */
export class ReplayCache<Body> {
  readonly sessionId: number;
  readonly #slots: Slot<Body>[];
  #draining: Draining | undefined;
  /** Calls that were answered from the cache. */
  replays = 0;

  constructor(sessionId: number, slots: number) {
    this.sessionId = sessionId;
    this.#slots = Array.from({ length: slots }, () => ({
      sequence: 0,
      xid: 0,
      isRunning: false,
      isUsed: false,
      reply: undefined,
    }));
  }

  /** Lets no new call run from now on; undefined ends that. What runs is finished, and replays are answered. */
  drain(how: Draining | undefined): void {
    this.#draining = how;
  }

  /** Whether a drained session has nothing left that runs. */
  get isDrained(): boolean {
    return this.#draining !== undefined && this.#slots.every((slot) => !slot.isRunning);
  }

  /** Judges a call. After `run` the slot is busy until {@link finish}. */
  admit(frame: CallFrame): Verdict<Body> {
    const slots = this.#slots;
    if (frame.sessionId !== this.sessionId || this.#draining === 'reset') return refusal('bad-session');
    if (frame.slot >= slots.length) return refusal('bad-slot');
    if (frame.highestSlot >= slots.length || frame.highestSlot < frame.slot) return refusal('bad-high-slot');
    const slot = slots[frame.slot]!;
    if (slot.isUsed && frame.sequence === slot.sequence) return this.#replay(slot, frame);
    if (slot.isRunning || frame.sequence !== (slot.sequence + 1) >>> 0) return refusal('misordered');
    if (this.#draining !== undefined) return refusal('delay');
    slot.isUsed = true;
    slot.sequence = frame.sequence;
    slot.xid = frame.xid;
    slot.isRunning = true;
    slot.reply = undefined;
    return 'run';
  }

  #replay(slot: Slot<Body>, frame: CallFrame): Verdict<Body> {
    if (frame.xid !== slot.xid) return refusal('false-retry');
    if (slot.isRunning) return refusal('delay');
    this.replays++;
    return slot.reply ?? refusal('uncached-replay');
  }

  /** The call that was admitted with this frame has been run. */
  finish(frame: CallFrame, status: ReplyStatus, body: Body | undefined): void {
    const slot = this.#slots[frame.slot]!;
    slot.isRunning = false;
    slot.reply = frame.cachesReply ? { status, body } : undefined;
  }
}

function refusal(status: ReplyStatus): { readonly status: ReplyStatus; readonly body: undefined } {
  return { status, body: undefined };
}
