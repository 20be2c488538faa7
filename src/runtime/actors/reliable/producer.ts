import { randomBytes } from 'node:crypto';
import { type Clock, longestTimerMs, systemClock, type Timer } from '../../../clock.js';
import { HeddleError, requireInteger, requireKnownOptions, thrownFacts } from '../../../errors.js';
import { timeLimitMs } from '../../../time-limits.js';
import { buffersIn } from '../buffers.js';
import { requireFunction, requireRef } from '../checks.js';
import type { Ref } from '../ref.js';
import type { ActorRef, MessageName, PayloadArguments, Protocol } from '../types.js';
import { readError } from '../wire-error.js';
import { ProducerMachine } from './producer-machine.js';
import { type ReliableAck, type ReliableData, reliableName } from './protocol.js';

/** A message that a producer has given up. */
export interface Undelivered {
  /** The message's name. */
  readonly name: string;
  /** What it carried. */
  readonly payload: unknown;
  /** Why: what its handler threw the last time, `ERR_HEDDLE_TIMEOUT`, `ERR_HEDDLE_ACTOR_STOPPED`, `ERR_HEDDLE_CLOSED`. */
  readonly error: unknown;
}

/** How a {@link Producer} delivers. */
export interface ProducerOptions {
  /** Messages that may wait to be confirmed, 1 to 10 000. Default: 64. */
  readonly window?: number | undefined;
  /**
   * How long an answer may take before a message is sent again, in milliseconds; doubled each time, until a message is confirmed.
   * Default: 1000.
   */
  readonly retryAfterMs?: number | undefined;
  /** The longest time between two tries. Default: 10 000. */
  readonly maximumRetryAfterMs?: number | undefined;
  /** How often the handler may fail a message before it is given up. Default: 5. */
  readonly maximumFailures?: number | undefined;
  /** How long a message is tried before it is given up. Default: 60 000; Infinity: for ever. */
  readonly giveUpAfterMs?: number | undefined;
  /** Called with each message that is given up; without it they become process warnings. */
  readonly onUndelivered?: ((letter: Undelivered) => void) | undefined;
}

/** Where a producer delivers to: an actor, or how to find it, asked anew whenever the one found before has gone. */
export type ProducerTarget<M extends Protocol<M>> =
  | ActorRef<M>
  | (() => ActorRef<M> | undefined | Promise<ActorRef<M> | undefined>);

interface Letter {
  readonly name: string;
  readonly payload: unknown;
}

const optionNames = [
  'window',
  'retryAfterMs',
  'maximumRetryAfterMs',
  'maximumFailures',
  'giveUpAfterMs',
  'onUndelivered',
];
const closeTimeoutMs = 10_000;

/**
 * Delivers messages to one actor so that each is handled, in order, and none twice: what is not confirmed is sent again,
 * over reconnects and restarts of the actor, until its handler has ended well. Made by {@link createProducer}.
 */
export class Producer<M extends Protocol<M>> implements AsyncDisposable {
  readonly #id = randomBytes(12).toString('hex');
  readonly #clock: Clock = systemClock;
  readonly #machine: ProducerMachine<Letter>;
  readonly #retryAfterMs: number;
  readonly #onUndelivered: ((letter: Undelivered) => void) | undefined;
  readonly #find: (() => unknown) | undefined;
  #target: Ref | undefined;
  #finding: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Messages that were handled and confirmed. */
  confirmedCount = 0;
  /** Messages that were given up. */
  undeliveredCount = 0;
  #waitingForRoom: (() => void)[] = [];
  #waitingForAll: (() => void)[] = [];

  /** @internal */
  constructor(target: ProducerTarget<M>, options: ProducerOptions) {
    requireKnownOptions('createProducer', options, optionNames);
    this.#retryAfterMs = requireInteger('retryAfterMs', options.retryAfterMs ?? 1000, 1, longestTimerMs);
    const giveUpAfterMs = options.giveUpAfterMs ?? 60_000;
    if (giveUpAfterMs !== Infinity) requireInteger('giveUpAfterMs', giveUpAfterMs, 1, longestTimerMs);
    this.#machine = new ProducerMachine({
      window: requireInteger('window', options.window ?? 64, 1, 10_000),
      retryAfterMicros: this.#retryAfterMs * 1000,
      maximumRetryAfterMicros:
        requireInteger('maximumRetryAfterMs', options.maximumRetryAfterMs ?? 10_000, 1, longestTimerMs) * 1000,
      maximumFailures: requireInteger('maximumFailures', options.maximumFailures ?? 5, 1, 1_000_000),
      giveUpAfterMicros: giveUpAfterMs * 1000,
    });
    if (options.onUndelivered !== undefined) requireFunction('onUndelivered', options.onUndelivered);
    this.#onUndelivered = options.onUndelivered;
    if (typeof target !== 'function') requireRef('createProducer()', target);
    if (typeof target === 'function') this.#find = target;
    else this.#target = target as unknown as Ref;
  }

  /** Messages that are not confirmed yet. */
  get unconfirmedCount(): number {
    return this.#machine.unconfirmed;
  }

  /**
   * Takes a message over; resolves when there is room for it, not when it is handled: await each call, and {@link confirmed}
   * at the end. Rejects with `ERR_HEDDLE_CLOSED` when the producer is closed before, and with `ERR_HEDDLE_CODEC` for a payload
   * with a SharedBuffer.
   */
  async send<K extends MessageName<M>>(name: K, ...payload: PayloadArguments<M, K>): Promise<void> {
    while (!this.#isClosed && !this.#machine.hasRoom) {
      await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve));
    }
    if (this.#isClosed) throw closedError();
    if (buffersIn(payload[0]).length > 0) {
      throw new HeddleError(
        'ERR_HEDDLE_CODEC',
        `${name} has a SharedBuffer, which is given away with its message, and what a producer sends it may have to send again: ` +
          'send the bytes',
      );
    }
    this.#machine.offer({ name, payload: payload[0] }, this.#clock.nowMicros());
    this.#pump();
  }

  /** Resolves when every message so far is confirmed or given up. */
  async confirmed(): Promise<void> {
    while (this.#machine.unconfirmed > 0) await new Promise<void>((resolve) => this.#waitingForAll.push(resolve));
  }

  /** Waits for what is unconfirmed, for `timeoutMs` (default 10 000) at the most, and gives up the rest. */
  async close(options: { timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = timeLimitMs('close', options, closeTimeoutMs);
    if (this.#machine.unconfirmed > 0 && timeoutMs > 0) {
      let timer: Timer | undefined;
      const timeIsUp = new Promise<void>((resolve) => {
        timer = this.#clock.setTimer(timeoutMs, resolve);
      });
      await Promise.race([this.confirmed(), timeIsUp]);
      timer?.cancel();
    }
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const { message } of this.#machine.takeAll()) this.#giveUp(message, closedError());
    this.#announce();
  }

  /** For `await using`: the same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #pump(): void {
    if (this.#isClosed) return;
    const machine = this.#machine;
    const nowMicros = this.#clock.nowMicros();
    for (const { message } of machine.takeOverdue(nowMicros)) {
      const error = new HeddleError('ERR_HEDDLE_TIMEOUT', `${message.name} was not confirmed within giveUpAfterMs`);
      this.#giveUp(message, error);
    }
    if (this.#target === undefined) this.#findTarget();
    else {
      for (const { sequence, message } of machine.takeDue(nowMicros))
        void this.#transmit(this.#target, sequence, message);
    }
    this.#announce();
    this.#arm(nowMicros);
  }

  #arm(nowMicros: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const dueMicros = this.#target === undefined ? Infinity : this.#machine.nextDueMicros;
    const atMicros = Math.min(dueMicros, this.#machine.overdueMicros);
    if (atMicros === Infinity || this.#isClosed) return;
    const delayMs = Math.min(longestTimerMs, Math.max(1, Math.ceil((atMicros - nowMicros) / 1000)));
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
  }

  async #transmit(target: Ref, sequence: number, { name, payload }: Letter): Promise<void> {
    const data: ReliableData = { producer: this.#id, sequence, first: this.#machine.first, name, payload };
    try {
      const ack = (await target.ask(reliableName, data, { timeoutMs: this.#retryAfterMs })) as ReliableAck;
      this.#onAck(sequence, ack);
    } catch (error) {
      this.#onSendFailed(target, sequence, error);
    }
    this.#pump();
  }

  #onAck(sequence: number, { confirmed, granted, isGap, error }: ReliableAck): void {
    const nowMicros = this.#clock.nowMicros();
    const done = this.#machine.onAck(sequence, confirmed, granted, isGap, nowMicros);
    this.confirmedCount += done.length;
    if (error === undefined) return;
    const letter = this.#letter(sequence);
    if (this.#machine.onFailed(sequence, nowMicros) && letter !== undefined) this.#giveUp(letter, readError(error));
  }

  #onSendFailed(target: Ref, sequence: number, error: unknown): void {
    const code = error instanceof HeddleError ? error.code : undefined;
    const letter = this.#letter(sequence);
    if (code === 'ERR_HEDDLE_CODEC' || code === 'ERR_HEDDLE_MESSAGE_TOO_LARGE') {
      // It will never go: no time would change that.
      this.#machine.drop(sequence);
      if (letter !== undefined) this.#giveUp(letter, error);
      return;
    }
    this.#machine.onLost(sequence, this.#clock.nowMicros());
    if (code !== 'ERR_HEDDLE_ACTOR_STOPPED' && code !== 'ERR_HEDDLE_NODE_LOST') return;
    if (this.#find !== undefined) {
      if (this.#target === target) this.#target = undefined;
    } else if (code === 'ERR_HEDDLE_ACTOR_STOPPED') {
      // There will never be anyone who takes them.
      for (const { message } of this.#machine.takeAll()) this.#giveUp(message, error);
    }
  }

  #letter(sequence: number): Letter | undefined {
    return this.#machine.find(sequence)?.message;
  }

  #findTarget(): void {
    if (this.#find === undefined || this.#finding !== undefined || this.#machine.unconfirmed === 0) return;
    this.#finding = (async () => {
      let found: unknown;
      try {
        found = await this.#find?.();
      } catch {
        // Not to be found now: perhaps later.
      }
      if (found === undefined || found === null) {
        await new Promise<void>((resolve) => void this.#clock.setTimer(this.#retryAfterMs, resolve));
      } else this.#target = found as Ref;
      this.#finding = undefined;
      this.#pump();
    })();
  }

  #giveUp({ name, payload }: Letter, error: unknown): void {
    this.undeliveredCount++;
    if (this.#onUndelivered !== undefined) this.#onUndelivered({ name, payload, error });
    else {
      process.emitWarning(`${name} was given up by its producer: ${thrownFacts(error).message}`, {
        code: 'HEDDLE_UNDELIVERED',
      });
    }
  }

  #announce(): void {
    if (this.#machine.unconfirmed === 0) for (const resolve of this.#waitingForAll.splice(0)) resolve();
    if (this.#isClosed || this.#machine.hasRoom) for (const resolve of this.#waitingForRoom.splice(0)) resolve();
  }
}

function closedError(): HeddleError {
  return new HeddleError('ERR_HEDDLE_CLOSED', 'the producer was closed');
}

/**
 * Makes a producer: messages that it takes are handled by the actor in order, each once, or given up with a reason. It
 * works to actors here, in other contexts, and on other nodes; the actor needs nothing but its handlers.
 *
 * Each message is sent until its handler has ended well, and the actor takes none twice: that holds over lost wires,
 * over restarts of the actor, and over a busy or full mailbox. An actor whose context or process is lost forgets what it had:
 * a message that was handled, and whose confirmation was lost with it, is handled again by its successor.
 *
 * @example
 * await using orders = createProducer(() => peer.lookup('orders', Orders));
 * for (const order of batch) await orders.send('place', order);
 * await orders.confirmed();
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT
 */
export function createProducer<M extends Protocol<M>>(
  target: ProducerTarget<M>,
  options: ProducerOptions = {},
): Producer<M> {
  return new Producer(target, options);
}
