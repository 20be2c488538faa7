import { releasePayload } from './buffers.js';
import type { AnyActorRef } from './types.js';

/** Why a message was not handled. */
export type DeadLetterReason =
  /** The actor was stopped, before it came or while it waited. */
  | 'stopped'
  /** The mailbox, or the way to it, was full. */
  | 'mailbox-full'
  /** The actor has no handler of that name. */
  | 'unknown-message'
  /** The actor's context is lost, or was not there yet. */
  | 'context-lost'
  /** The actor's node, another process, is lost or not connected. */
  | 'node-lost';

/** A message that nobody handled. */
export interface DeadLetter {
  /** Why nobody handled it. */
  readonly reason: DeadLetterReason;
  /** The actor that it was sent to. */
  readonly to: AnyActorRef;
  /** The message's name. */
  readonly name: string;
  /**
   * Only in the context where it became one: a payload does not travel for this. A SharedBuffer is released once the event's
   * listeners have returned.
   */
  readonly payload: unknown;
}

/** The most dead letters that a context keeps. */
const keptLetters = 100;

/** The dead letters of one context: all counted, the last hundred kept. */
export class DeadLetters {
  readonly counts: Record<DeadLetterReason, number> = {
    stopped: 0,
    'mailbox-full': 0,
    'unknown-message': 0,
    'context-lost': 0,
    'node-lost': 0,
  };
  readonly #kept: DeadLetter[] = [];
  #next = 0;
  readonly #onLetter: (letter: DeadLetter) => void;

  constructor(onLetter: (letter: DeadLetter) => void) {
    this.#onLetter = onLetter;
  }

  add(reason: DeadLetterReason, to: AnyActorRef, name: string, payload: unknown): void {
    this.counts[reason]++;
    const letter: DeadLetter = { reason, to, name, payload };
    this.#kept[this.#next] = letter;
    this.#next = (this.#next + 1) % keptLetters;
    this.#onLetter(letter);
    releasePayload(payload);
  }

  /** The last ones, oldest first. */
  get recent(): DeadLetter[] {
    if (this.#kept.length < keptLetters) return [...this.#kept];
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)];
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }
}
