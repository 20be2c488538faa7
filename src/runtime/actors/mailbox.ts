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

/** Slots of one message. */
const stride = 3;
const firstEntries = 2;
const shrinkAboveEntries = 1024;
const noSlots: unknown[] = [];

/**
 * A queue of messages. One that comes when none waits has a place of its own: most actors of a large number never have more.
 * Behind it lies a circle of slots in one array, three for each message (name, payload, origin), which grows with what waits; what
 * travels with messages has a circle of its own, where there is any. Nothing is allocated per message.
 */
export class Mailbox {
  /** Messages that wait. */
  size = 0;
  /** What {@link shift} took out. */
  name: EntryName = '';
  payload: unknown = undefined;
  origin: Origin | undefined = undefined;
  carrier: Carrier | undefined = undefined;
  /** The oldest message, unless that is in the circle: then there is no such name. */
  #firstName: EntryName | undefined = undefined;
  #firstPayload: unknown = undefined;
  #firstOrigin: Origin | undefined = undefined;
  /** By entry of the circle; undefined until a message comes with something that travels. */
  #carriers: (Carrier | undefined)[] | undefined;
  #slots: unknown[] = noSlots;
  #head = 0;
  #mask = -1;

  push(name: EntryName, payload: unknown, origin: Origin | undefined): void {
    if (this.size++ === 0) {
      this.#firstName = name;
      this.#firstPayload = payload;
      this.#firstOrigin = origin;
      return;
    }
    const entry = this.#firstName === undefined ? this.size - 1 : this.size - 2;
    if (entry > this.#mask) this.#grow();
    this.#fill((this.#head + entry) & this.#mask, name, payload, origin);
  }

  /** Notes what travels with the message that was pushed last. */
  carryWithLast(carrier: Carrier): void {
    this.#moveFirst();
    this.#carry((this.#head + this.size - 1) & this.#mask, carrier);
  }

  /** Lets go of what {@link shift} took out last: an idle actor keeps no payload alive. */
  forget(): void {
    this.payload = undefined;
    this.origin = undefined;
    this.carrier = undefined;
  }

  /** Puts a message before all others. */
  unshift(name: EntryName, payload: unknown, origin: Origin | undefined, carrier?: Carrier): void {
    this.#moveFirst();
    this.#unshiftIntoCircle(this.size++, name, payload, origin);
    if (carrier !== undefined) this.#carry(this.#head, carrier);
  }

  /** Takes the oldest message out, into `name`, `payload`, `origin` and `carrier`. False when there is none. */
  shift(): boolean {
    if (this.size === 0) return false;
    this.size--;
    const carriers = this.#carriers;
    if (this.#firstName !== undefined) {
      this.name = this.#firstName;
      this.payload = this.#firstPayload;
      this.origin = this.#firstOrigin;
      this.#forgetFirst();
      if (carriers !== undefined) this.carrier = undefined;
      return true;
    }
    const slots = this.#slots;
    const slot = this.#head * stride;
    this.name = slots[slot] as EntryName;
    this.payload = slots[slot + 1];
    this.origin = slots[slot + 2] as Origin | undefined;
    slots[slot + 1] = undefined;
    slots[slot + 2] = undefined;
    if (carriers !== undefined) {
      this.carrier = carriers[this.#head];
      carriers[this.#head] = undefined;
    }
    this.#head = (this.#head + 1) & this.#mask;
    if (this.size === 0 && this.#mask >= shrinkAboveEntries) {
      this.#slots = noSlots;
      // Still there: what was taken out last had something with it, perhaps, and what comes next may have nothing.
      if (this.#carriers !== undefined) this.#carriers = [];
      this.#mask = -1;
      this.#head = 0;
    }
    return true;
  }

  #fill(entry: number, name: EntryName, payload: unknown, origin: Origin | undefined): void {
    const slots = this.#slots;
    const slot = entry * stride;
    slots[slot] = name;
    slots[slot + 1] = payload;
    slots[slot + 2] = origin;
  }

  #carry(entry: number, carrier: Carrier): void {
    this.#carriers ??= new Array<Carrier | undefined>(this.#mask + 1).fill(undefined);
    this.#carriers[entry] = carrier;
  }

  #forgetFirst(): void {
    this.#firstName = undefined;
    this.#firstPayload = undefined;
    this.#firstOrigin = undefined;
  }

  /** Puts the message that has a place of its own, if there is one, into the circle. */
  #moveFirst(): void {
    if (this.#firstName === undefined) return;
    this.#unshiftIntoCircle(this.size - 1, this.#firstName, this.#firstPayload, this.#firstOrigin);
    this.#forgetFirst();
  }

  /** `entries`: how many are in the circle. */
  #unshiftIntoCircle(entries: number, name: EntryName, payload: unknown, origin: Origin | undefined): void {
    if (entries > this.#mask) this.#grow();
    this.#head = (this.#head - 1) & this.#mask;
    this.#fill(this.#head, name, payload, origin);
  }

  #grow(): void {
    if (this.#mask < 0) {
      this.#slots = [undefined, undefined, undefined, undefined, undefined, undefined];
      this.#mask = firstEntries - 1;
      if (this.#carriers !== undefined) this.#carriers = [undefined, undefined];
      return;
    }
    // What waits fills the circle: its end follows its beginning.
    const entries = this.#mask + 1;
    const head = this.#head;
    const carriers = this.#carriers;
    const more = new Array<undefined>(entries * stride).fill(undefined);
    this.#slots = this.#slots.slice(head * stride).concat(this.#slots.slice(0, head * stride), more);
    if (carriers !== undefined) {
      const room = new Array<undefined>(entries).fill(undefined);
      this.#carriers = [...carriers.slice(head), ...carriers.slice(0, head), ...room];
    }
    this.#head = 0;
    this.#mask = 2 * entries - 1;
  }
}
