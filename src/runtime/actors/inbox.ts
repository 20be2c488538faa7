import type { HeddleError } from '../../errors.js';
import { actorStopped, mailboxFull, unknownMessage } from './actor-errors.js';
import { releasePayload } from './buffers.js';
import type { DeadLetterReason } from './dead-letters.js';
import { ErrorReply } from './error-reply.js';
import type { ActorHost } from './host.js';
import { type EntryName, Mailbox, type Origin } from './mailbox.js';
import type { MailboxSettings } from './mailbox-options.js';
import type { Ref } from './ref.js';
import { type Carrier, carrierOfDelivery, propagation } from './trace-context.js';

/** A message that was set aside. */
export interface Stashed {
  readonly name: EntryName;
  readonly payload: unknown;
  readonly origin: Origin | undefined;
  readonly carrier: Carrier | undefined;
}

function carryDelivery(mailbox: Mailbox): void {
  const carrier = carrierOfDelivery();
  if (carrier !== undefined) mailbox.carryWithLast(carrier);
}

/**
 * What waits for one actor: a mailbox with bounds, the urgent messages ahead of it, and the stash. It is its mailbox, and does
 * not have one, since an object more for each actor is memory, and work for the collector.
 */
export class Inbox extends Mailbox {
  readonly settings: MailboxSettings;
  /** From so many waiting messages on the senders are told to slow down. */
  readonly highWater: number;
  /**
   * As many of them as are not urgent: what `size` is compared with. It changes with the urgent ones, so that those do not cost
   * who has none.
   */
  ordinaryHighWater: number;
  /** Messages that found the mailbox full. */
  overflows = 0;
  /** What the handler that runs has set aside. */
  stashed: Stashed | undefined;
  #urgent: Mailbox | undefined;
  #stash: Stashed[] | undefined;
  #readyWaiters: (() => void)[] | undefined;
  readonly #host: ActorHost;
  readonly #ref: Ref;

  constructor(host: ActorHost, ref: Ref, settings: MailboxSettings) {
    super();
    this.#host = host;
    this.#ref = ref;
    this.settings = settings;
    this.highWater = settings.whenFull === 'backpressure' ? settings.highWater : Infinity;
    this.ordinaryHighWater = this.highWater;
  }

  /** Messages that wait to be handled now. */
  get runnable(): number {
    return this.#urgent === undefined ? this.size : this.size + this.#urgent.size;
  }

  /** Messages that wait, stashed ones too. */
  get waiting(): number {
    return this.runnable + (this.#stash?.length ?? 0);
  }

  /** Takes a message in, unless `limit` or more wait and the policy is against it. */
  accept(name: string, payload: unknown, origin: Origin | undefined, limit: number): boolean {
    const { urgent } = this.settings;
    if (urgent?.has(name) === true) {
      this.#urgent ??= new Mailbox();
      if (this.#urgent.size >= limit) return this.#overflow(name, payload, origin);
      this.#urgent.push(name, payload, origin);
      this.ordinaryHighWater--;
      if (propagation.isOn) carryDelivery(this.#urgent);
      return true;
    }
    if (this.size >= limit) {
      if (this.settings.whenFull !== 'drop-oldest') return this.#overflow(name, payload, origin);
      this.#dropOldest();
    }
    this.push(name, payload, origin);
    if (propagation.isOn) carryDelivery(this);
    return true;
  }

  /** The mailbox whose first message is next, with that message taken out; undefined when none waits. */
  take(): Mailbox | undefined {
    const urgent = this.#urgent;
    if (urgent?.shift() === true) {
      this.ordinaryHighWater++;
      return urgent;
    }
    return this.shift() ? this : undefined;
  }

  /** Lets go of the message that was taken last. */
  forgetTaken(): void {
    this.forget();
    this.#urgent?.forget();
  }

  #countOverflow(): void {
    this.overflows++;
    this.#host.context.counter('actorMailboxOverflows').add(1);
  }

  #overflow(name: string, payload: unknown, origin: Origin | undefined): false {
    this.#countOverflow();
    this.refuse(name, payload, origin, 'mailbox-full');
    if (this.settings.whenFull === 'fail' && origin === undefined) throw this.#fullError();
    return false;
  }

  #dropOldest(): void {
    this.#countOverflow();
    // The message at hand stands there still, for a handler that sends to its own actor.
    const { name, payload, origin, carrier } = this;
    for (let left = this.size; left > 0; left--) {
      this.shift();
      const oldest = { name: this.name, payload: this.payload, origin: this.origin };
      if (typeof oldest.name !== 'symbol') {
        oldest.origin?.onTaken();
        this.refuse(oldest.name, oldest.payload, oldest.origin, 'mailbox-full');
        break;
      }
      // Signals are never lost: one that is oldest takes the place of the newest.
      this.push(oldest.name, oldest.payload, undefined);
    }
    Object.assign(this, { name, payload, origin, carrier });
  }

  #fullError(): HeddleError {
    return mailboxFull(String(this.#ref), this.size, this.settings.capacity);
  }

  /** Says of a message that it will not be handled: to who asks, or as a dead letter. */
  refuse(name: EntryName, payload: unknown, origin: Origin | undefined, reason: DeadLetterReason): void {
    if (typeof name === 'symbol') return;
    if (origin?.isAsk === true) {
      origin.replyError(reason === 'mailbox-full' ? this.#fullError() : actorStopped(String(this.#ref)));
      releasePayload(payload);
    } else this.#host.deadLetters.add(reason, this.#ref, name, payload);
  }

  /** Says of a message that there is no handler for it. */
  refuseUnknown(name: string, payload: unknown, origin: Origin | undefined): void {
    if (origin?.isAsk === true) {
      releasePayload(payload);
      throw new ErrorReply(unknownMessage(String(this.#ref), name));
    }
    this.#host.deadLetters.add('unknown-message', this.#ref, name, payload);
  }

  /** Refuses everything that waits: the actor has gone. */
  refuseAll(): void {
    this.unstashAll();
    for (let taken = this.take(); taken !== undefined; taken = this.take()) {
      this.refuse(taken.name, taken.payload, taken.origin, 'stopped');
    }
    this.resolveReady();
  }

  /** Sets the message that was taken last from `mailbox` aside. Once: its handler may say so more than once. */
  stash({ name, payload, origin, carrier }: Mailbox): void {
    if (this.stashed !== undefined) return;
    this.stashed = { name, payload, origin: origin?.isAsk === true ? origin : undefined, carrier };
    this.#stash ??= [];
    if (this.#stash.length >= this.settings.stashCapacity) {
      this.#countOverflow();
      this.refuse(name, payload, origin, 'mailbox-full');
    } else this.#stash.push(this.stashed);
  }

  /** What the handler that has returned, or thrown, had set aside. */
  takeStashed(): Stashed | undefined {
    const { stashed } = this;
    this.stashed = undefined;
    return stashed;
  }

  /** Its handler has failed, and the message with it. False when it is not set aside any more. */
  dropStashed(stashed: Stashed | undefined): boolean {
    const at = this.#stash?.indexOf(stashed as Stashed) ?? -1;
    if (at < 0) return false;
    this.#stash?.splice(at, 1);
    return true;
  }

  /** Puts what was stashed back, before all else that waits, in the order in which it came. */
  unstashAll(): void {
    const stash = this.#stash;
    if (stash === undefined) return;
    this.#stash = undefined;
    for (let i = stash.length - 1; i >= 0; i--) {
      const { name, payload, origin, carrier } = stash[i]!;
      this.unshift(name, payload, origin, carrier);
    }
  }

  /** Resolves when the mailbox has room again. */
  ready(): Promise<void> {
    if (this.size < this.ordinaryHighWater) return Promise.resolve();
    return new Promise((resolve) => {
      this.#readyWaiters ??= [];
      this.#readyWaiters.push(resolve);
    });
  }

  /** Messages have been taken: tells those who wait for room. */
  announceRoom(): void {
    if (this.#readyWaiters !== undefined && this.runnable <= this.highWater >> 1) this.resolveReady();
  }

  resolveReady(): void {
    const waiters = this.#readyWaiters;
    if (waiters === undefined) return;
    this.#readyWaiters = undefined;
    for (const resolve of waiters) resolve();
    this.#host.endTurnSoon();
  }
}
