import type { HeddleError } from '../../errors.js';
import type { Carrier } from './trace-context.js';

/** The name of a message, or the symbol of a signal of the runtime's own. */
export type EntryName = string | symbol;

/** Where a message came from, for what it must be told: a reply, an error, or that it has been taken out. */
export interface Origin {
  /** The message has left the mailbox, handled or not: room for another. */
  onTaken(): void;
  /** Whether somebody waits for the result. */
  readonly isAsk: boolean;
  /** Whether nobody waits for it any more: what has not begun need not be done. */
  readonly isCancelled: boolean;
  /** Aborted when nobody waits for it any more; undefined where nobody ever did. */
  readonly signal: AbortSignal | undefined;
  /** The handler's result. */
  reply(value: unknown): void;
  /** The handler failed, or the message will not be handled. */
  replyError(error: unknown): void;
  /** The handler is pending, and its actor has gone without it. What it replies all the same is for nobody. */
  abandon(error: HeddleError): void;
}

const strideBits = 2;
/** Few: most actors of a large number have one message waiting, or none. */
const firstEntries = 2;
const shrinkAboveEntries = 1024;
const noSlots: unknown[] = [];

/**
 * A queue of messages: a circle of slots in one array, four for each message (name, payload, origin, and what travels with
 * it), which grows with what waits. Nothing is allocated per message.
 */
export class Mailbox {
  /** Messages that wait. */
  size = 0;
  /** What {@link shift} took out. */
  name: EntryName = '';
  payload: unknown = undefined;
  origin: Origin | undefined = undefined;
  carrier: Carrier | undefined = undefined;
  /** Whether any message came with something that travels: only then the fourth slots are used. */
  #hasCarriers = false;
  #slots: unknown[] = noSlots;
  #head = 0;
  #mask = -1;

  push(name: EntryName, payload: unknown, origin: Origin | undefined): void {
    if (this.size > this.#mask) this.#grow();
    const slot = ((this.#head + this.size) & this.#mask) << strideBits;
    const slots = this.#slots;
    slots[slot] = name;
    slots[slot + 1] = payload;
    slots[slot + 2] = origin;
    this.size++;
  }

  /** Notes what travels with the message that was pushed last. */
  carryWithLast(carrier: Carrier): void {
    this.#hasCarriers = true;
    this.#slots[(((this.#head + this.size - 1) & this.#mask) << strideBits) + 3] = carrier;
  }

  /** Lets go of what {@link shift} took out last: an idle actor keeps no payload alive. */
  forget(): void {
    this.payload = undefined;
    this.origin = undefined;
    this.carrier = undefined;
  }

  /** Puts a message before all others. */
  unshift(name: EntryName, payload: unknown, origin: Origin | undefined, carrier?: Carrier): void {
    if (this.size > this.#mask) this.#grow();
    this.#head = (this.#head - 1) & this.#mask;
    this.size++;
    const slot = this.#head << strideBits;
    this.#slots[slot] = name;
    this.#slots[slot + 1] = payload;
    this.#slots[slot + 2] = origin;
    this.#slots[slot + 3] = carrier;
    if (carrier !== undefined) this.#hasCarriers = true;
  }

  /** Takes the oldest message out, into `name`, `payload`, `origin` and `carrier`. False when there is none. */
  shift(): boolean {
    if (this.size === 0) return false;
    const slots = this.#slots;
    const slot = this.#head << strideBits;
    this.name = slots[slot] as EntryName;
    this.payload = slots[slot + 1];
    this.origin = slots[slot + 2] as Origin | undefined;
    slots[slot + 1] = undefined;
    slots[slot + 2] = undefined;
    if (this.#hasCarriers) {
      this.carrier = slots[slot + 3] as Carrier | undefined;
      slots[slot + 3] = undefined;
    }
    this.#head = (this.#head + 1) & this.#mask;
    if (--this.size === 0 && this.#mask >= shrinkAboveEntries) {
      this.#slots = noSlots;
      this.#mask = -1;
      this.#head = 0;
    }
    return true;
  }

  #grow(): void {
    const entries = this.#mask < 0 ? firstEntries : (this.#mask + 1) * 2;
    const slots = new Array<unknown>(entries << strideBits).fill(undefined);
    for (let i = 0; i < this.size; i++) {
      const from = ((this.#head + i) & this.#mask) << strideBits;
      const to = i << strideBits;
      slots[to] = this.#slots[from];
      slots[to + 1] = this.#slots[from + 1];
      slots[to + 2] = this.#slots[from + 2];
      slots[to + 3] = this.#slots[from + 3];
    }
    this.#slots = slots;
    this.#head = 0;
    this.#mask = entries - 1;
  }
}
