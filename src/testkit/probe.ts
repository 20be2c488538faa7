import { isDeepStrictEqual } from 'node:util';
import { describe, HeddleError, requireKnownOptions } from '../errors.js';
import { requireOwnRef } from '../runtime/actors/checks.js';
import type { Origin } from '../runtime/actors/mailbox.js';
import type { ActorRef, AnyActorRef, MessageName, Protocol, ReplyOf, Termination } from '../runtime/actors/types.js';
import { promiseOf } from '../runtime/message/thenable.js';
import { ExpectationError } from './expectation-error.js';
import { ProbeInbox } from './probe-inbox.js';
import { describeMessage, type PayloadOf, Received, type ReceivedMessage } from './received.js';
import type { TestKit } from './test-kit.js';

/** How long a probe waits. */
export interface WithinOptions {
  /** Longest time to wait, in milliseconds of real time. Default: the kit's `withinMs`, 3000. */
  readonly withinMs?: number | undefined;
}

/** Messages that a probe keeps in {@link Probe.received}. */
const maximumReceived = 10_000;

/**
 * An actor for tests: it records what it gets, and the test takes that out, in order. Hand its {@link ref} to the actors
 * under test, as if it were the one that they work with. `M` is what it stands for.
 *
 * Waiting ends after `withinMs` of real time, under a manual clock, too: time that stands still cannot pass.
 *
 * @example
 * const probe = kit.probe<{ total(count: number): void }>();
 * counter.tell('reportTo', probe.ref);
 * await probe.expectMessage('total', 5);
 */
// biome-ignore lint/suspicious/noExplicitAny: without a protocol a probe stands for any actor
export class Probe<M extends Protocol<M> = any> {
  /** The probe's address. */
  readonly ref: ActorRef<M>;
  readonly #kit: TestKit;
  readonly #inbox = new ProbeInbox<Received>();
  readonly #terminations = new ProbeInbox<Termination>();
  readonly #watched: AnyActorRef[] = [];
  readonly #received: Received[] = [];
  readonly #answers = new Map<string, (payload: unknown) => unknown>();

  /** @internal Use {@link TestKit.probe}. */
  constructor(kit: TestKit, name: string) {
    this.#kit = kit;
    this.ref = kit.spawnProbe(name, {
      throughCodec: kit.throughCodec,
      take: (message, payload, answer) => this.#take(message, payload, answer),
      end: () => this.#end(),
    }) as unknown as ActorRef<M>;
  }

  /** All messages so far, taken out or not, answered or not: the last 10 000. */
  get received(): readonly ReceivedMessage<M>[] {
    return this.#received as unknown as readonly ReceivedMessage<M>[];
  }

  /** Messages that have come and were not taken out. */
  get waiting(): number {
    return this.#inbox.size;
  }

  /** The next message, which may be there already. Rejects with `ERR_HEDDLE_TIMEOUT`. */
  async receiveOne(options: WithinOptions = {}): Promise<ReceivedMessage<M>> {
    return (await this.#next(options, 'a message')) as unknown as ReceivedMessage<M>;
  }

  /** The next `count` messages; `withinMs` is for all of them together. */
  async receiveMany(count: number, options: WithinOptions = {}): Promise<ReceivedMessage<M>[]> {
    const until = this.#until(options);
    const messages: Received[] = [];
    while (messages.length < count) {
      messages.push(await this.#next(until(), `message ${messages.length + 1} of ${count}`));
    }
    return messages as unknown as ReceivedMessage<M>[];
  }

  /**
   * The next message, which must be `name`, and carry what `payload` says unless that is undefined. Rejects with an
   * {@link ExpectationError} when it is another, and with `ERR_HEDDLE_TIMEOUT` when none comes.
   */
  async expectMessage<K extends MessageName<M>>(
    name: K,
    payload?: PayloadOf<M, K>,
    options: WithinOptions = {},
  ): Promise<ReceivedMessage<M, K>> {
    const expected = describeMessage(name, payload);
    const message = await this.#next(options, expected);
    if (message.name !== name || (payload !== undefined && !isDeepStrictEqual(message.payload, payload))) {
      const actual = { name: message.name, payload: message.payload };
      throw new ExpectationError(
        `${this.ref} expected ${expected}, and got ${describeMessage(message.name, message.payload)}`,
        { name, payload },
        actual,
      );
    }
    return message as unknown as ReceivedMessage<M, K>;
  }

  /**
   * The next message of that name, or the next for which the function returns true; those before it are passed over.
   * Rejects with `ERR_HEDDLE_TIMEOUT`.
   */
  async fishFor<K extends MessageName<M>>(
    which: K | ((message: ReceivedMessage<M>) => boolean),
    options: WithinOptions = {},
  ): Promise<ReceivedMessage<M, K>> {
    if (typeof which !== 'string' && typeof which !== 'function') {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `fishFor() takes the name of a message, or a function that knows it, not ${describe(which)}`,
      );
    }
    const until = this.#until(options);
    const passedOver: Received[] = [];
    const wanted = typeof which === 'string' ? which : 'a message that the function takes';
    for (;;) {
      const message = await this.#next(until(), wanted, passedOver);
      const isIt = typeof which === 'string' ? message.name === which : which(message as unknown as ReceivedMessage<M>);
      if (isIt) return message as unknown as ReceivedMessage<M, K>;
      passedOver.push(message);
    }
  }

  /**
   * Nothing comes for `forMs`: under a manual clock that is moved on by as much, else it is waited for. Default: 0 under a
   * manual clock, that is, once the actors are at rest; 50 else. Rejects with an {@link ExpectationError}.
   */
  async expectNothing(forMs?: number): Promise<void> {
    await this.#kit.pass(forMs);
    const message = this.#inbox.take();
    if (message === undefined) return;
    const got = describeMessage(message.name, message.payload);
    const actual = { name: message.name, payload: message.payload };
    throw new ExpectationError(`${this.ref} expected nothing, and got ${got}`, undefined, actual);
  }

  /**
   * From now on messages of that name are answered at once with what `answer` returns, or its promise resolves to, or
   * with what it throws. They stand in {@link received}, and are not waited for.
   */
  answer<K extends MessageName<M>>(
    name: K,
    answer: (payload: PayloadOf<M, K>) => ReplyOf<M, K> | Promise<ReplyOf<M, K>>,
  ): void {
    this.#answers.set(name, answer as (payload: unknown) => unknown);
  }

  /** Watches an actor, for {@link expectTermination}. */
  watch(ref: AnyActorRef): void {
    requireOwnRef('a probe', ref, this.#kit.system.host);
    if (this.#watched.some((one) => one.equals(ref))) return;
    this.#watched.push(ref);
    void this.#kit.system.watch(ref).then((termination) => this.#terminations.put(termination));
  }

  /** The actor has gone, or goes in time. {@link watch} it before what ends it, to learn the reason. */
  async expectTermination(ref: AnyActorRef, options: WithinOptions = {}): Promise<Termination> {
    this.watch(ref);
    const until = this.#until(options);
    const others: Termination[] = [];
    try {
      for (;;) {
        const { withinMs } = until();
        const termination = await this.#terminations.next(withinMs, () =>
          this.#timeout(`the end of ${ref}`, options, []),
        );
        if (termination.ref.equals(ref)) return termination;
        others.push(termination);
      }
    } finally {
      // Somebody may wait for the others, too.
      for (const other of others) this.#terminations.put(other);
    }
  }

  /** Stops the probe; who asked it something and has no answer gets `ERR_HEDDLE_ACTOR_STOPPED`. */
  stop(): Promise<void> {
    return this.#kit.system.stop(this.ref as unknown as AnyActorRef);
  }

  #take(name: string, payload: unknown, origin: Origin | undefined): void {
    const message = new Received(name, payload, this.#kit.nowMs, origin);
    this.#received.push(message);
    if (this.#received.length > maximumReceived) this.#received.shift();
    const answer = this.#answers.get(name);
    if (answer === undefined) {
      this.#inbox.put(message);
      return;
    }
    try {
      const reply = answer(payload);
      const promise = promiseOf(reply);
      if (promise === undefined) origin?.reply(reply);
      else {
        promise.then(
          (value) => origin?.reply(value),
          (error: unknown) => origin?.replyError(error),
        );
      }
    } catch (error) {
      origin?.replyError(error);
    }
  }

  #end(): void {
    const stopped = new HeddleError('ERR_HEDDLE_ACTOR_STOPPED', `${this.ref} was stopped, and gets nothing any more`);
    this.#inbox.end(stopped);
    this.#terminations.end(stopped);
  }

  #withinMs(options: WithinOptions): number {
    requireKnownOptions('a probe', options, ['withinMs']);
    return this.#kit.withinMsOf(options.withinMs);
  }

  #until(options: WithinOptions): () => { withinMs: number } {
    const endMs = performance.now() + this.#withinMs(options);
    return () => ({ withinMs: Math.max(0, endMs - performance.now()) });
  }

  #next(options: WithinOptions, what: string, before: readonly Received[] = []): Promise<Received> {
    const withinMs = this.#withinMs(options);
    return this.#inbox.next(withinMs, () => this.#timeout(what, options, before));
  }

  #timeout(what: string, options: WithinOptions, before: readonly Received[]): HeddleError {
    const withinMs = Math.round(this.#withinMs(options));
    const instead = before.map(({ name, payload }) => describeMessage(name, payload));
    const got = instead.length > 0 ? `; it got ${instead.slice(-10).join(', ')}` : '';
    return new HeddleError(
      'ERR_HEDDLE_TIMEOUT',
      `${this.ref} waited in vain for ${what}: withinMs=${withinMs}${got}${this.#kit.explain()}`,
      { details: { withinMs } },
    );
  }
}
