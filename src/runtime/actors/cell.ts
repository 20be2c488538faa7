import type { Timer } from '../../clock.js';
import { promiseOf } from '../message/thenable.js';
import { ActorContext } from './actor-context.js';
import { actorStopped, notHandling } from './actor-errors.js';
import { releasePayload, releaseWhole, replyWith } from './buffers.js';
import { Child } from './children.js';
import type { AnyDefinition, AnySpecification, Handler } from './definition.js';
import { diagnostics, handleObserved } from './diagnostics.js';
import { Endings } from './endings.js';
import { errorOf, isOfMessageAlone } from './error-reply.js';
import { Family, type Parent } from './family.js';
import type { HandlerTable } from './handler-table.js';
import type { ActorHost } from './host.js';
import { Inbox, type Stashed } from './inbox.js';
import type { EntryName, Mailbox, Origin } from './mailbox.js';
import { mailboxOptionsWith } from './mailbox-options.js';
import { Ref } from './ref.js';
import { unwrapReliable } from './reliable/consume.js';
import type { Consumers } from './reliable/consumer-machine.js';
import { reliableName } from './reliable/protocol.js';
import { callReceive, callSignalHandler } from './signals.js';
import { type Directive, supervisionWith } from './supervision.js';
import { Timers } from './timers.js';
import type { TerminationReason } from './types.js';
import { stopTimeoutOf, UnderWay } from './under-way.js';
import type { Watcher } from './watches.js';
import { type EndReason, endLateState, Winding } from './winding.js';

/** `suspended`: it failed, and its supervisor has not decided yet. */
export type CellStatus = 'starting' | 'running' | 'suspended' | 'stopping' | 'stopped';

/**
 * One actor: its state, its mailbox, and its life. Handlers run in the turn of its context, a batch of messages at a
 * time, one message at a time unless the actor is reentrant.
 */
export class Cell extends Child {
  readonly host: ActorHost;
  readonly definition: AnyDefinition;
  readonly ref: Ref;
  readonly parent: Parent;
  readonly args: unknown;
  status: CellStatus = 'starting';
  /** Whether the host's run queue holds the cell. */
  isScheduled = false;
  /** The handler that runs, or has not resolved yet: for messages to people. */
  lastName: EntryName = '';
  watchers: Map<unknown, Watcher> | undefined;
  /** The end of a state that is under way: no children are made meanwhile. */
  winding: Winding | undefined;
  /** Where the actor is in the sequences of its producers; kept over restarts. */
  consumers: Consumers | undefined;
  readonly inbox: Inbox;
  readonly #specification: AnySpecification;
  readonly #handlers: HandlerTable;
  readonly #isReentrant: boolean;
  #state: unknown;
  #hasState = false;
  #context: ActorContext | undefined;
  #family: Family | undefined;
  #timers: Timers | undefined;
  #taken: Mailbox | undefined;
  #stopsNext = false;
  #onStarted: ((error: unknown) => void) | undefined;
  #underWay: UnderWay | undefined;
  #backoff: Timer | undefined;
  #endings: Endings | undefined;
  /** Counts states, so that what one left running changes nothing in the next. */
  incarnation = 0;

  constructor(
    host: ActorHost,
    definition: AnyDefinition,
    args: unknown,
    parent: Parent,
    slot: number,
    generation: number,
  ) {
    super();
    this.host = host;
    this.definition = definition;
    this.parent = parent;
    this.#specification = definition.specification as AnySpecification;
    this.#handlers = definition.handlers;
    this.args = args;
    this.#isReentrant = this.#specification.isReentrant === true;
    this.ref = new Ref(host, host.place, slot, generation, definition.name, this);
    this.inbox = new Inbox(host, this.ref, mailboxOptionsWith(this.#specification.mailbox));
  }

  get context(): ActorContext {
    this.#context ??= new ActorContext(this);
    return this.#context;
  }

  /** The children; made on first use. */
  get family(): Family {
    this.#family ??= new Family(this.host, supervisionWith(this.#specification.supervision), this);
    return this.#family;
  }

  get hasFamily(): boolean {
    return this.#family !== undefined;
  }

  get timers(): Timers {
    this.#timers ??= new Timers(this);
    return this.#timers;
  }

  /** What else ends with the state. */
  get endings(): Endings {
    this.#endings ??= new Endings();
    return this.#endings;
  }

  /** Handlers whose promises are pending. */
  get pendingHandlers(): number {
    return this.#underWay === undefined ? 0 : this.#underWay.count;
  }

  get isGone(): boolean {
    return this.status === 'stopping' || this.status === 'stopped';
  }

  // ---- the way in

  /** Takes a message in, unless `limit` wait already. False when the sender should slow down. */
  deliver(name: string, payload: unknown, origin: Origin | undefined, limit: number): boolean {
    const inbox = this.inbox;
    if (this.status === 'stopping' || this.status === 'stopped') {
      inbox.refuse(name, payload, origin, 'stopped');
      return false;
    }
    if (!inbox.accept(name, payload, origin, limit)) return false;
    if (!this.isScheduled && this.status === 'running') this.host.schedule(this);
    return inbox.size < inbox.ordinaryHighWater;
  }

  /** Puts a signal behind what waits, whatever the capacity. */
  signal(name: symbol, payload?: unknown): void {
    if (this.isGone) return;
    this.inbox.push(name, payload, undefined);
    this.schedule();
  }

  /** Resolves when the mailbox has room again, or the actor is gone. */
  ready(): Promise<void> {
    return this.isGone ? Promise.resolve() : this.inbox.ready();
  }

  schedule(): void {
    if (!this.isScheduled && this.status === 'running' && !this.#isBlocked()) this.host.schedule(this);
  }

  #isBlocked(): boolean {
    return this.pendingHandlers > 0 && !this.#isReentrant; // No getter: V8 calls a private one out of line.
  }

  // ---- handling

  /** Handles up to `limit` messages; returns how many. */
  run(limit: number): number {
    this.isScheduled = false;
    let handled = 0;
    const inbox = this.inbox;
    while (handled < limit && this.status === 'running' && !this.#isBlocked()) {
      const taken = inbox.take();
      if (taken === undefined) break;
      handled++;
      this.#handle(taken);
      if (this.#stopsNext) this.stop('stopped');
      if (this.host.mustYield) break;
    }
    inbox.announceRoom();
    if (inbox.runnable > 0) this.schedule();
    else inbox.forgetTaken();
    return handled;
  }

  #handle(taken: Mailbox): void {
    const { name, payload, origin } = taken;
    if (origin !== undefined) {
      origin.onTaken();
      if (origin.isCancelled) {
        releasePayload(payload);
        return;
      }
    }
    if (typeof name === 'symbol') {
      this.#handleSignal(name, payload);
      return;
    }
    this.lastName = name;
    this.#timers?.onMessage();
    const handler = this.#handlers.find(name);
    if (handler === undefined && name === reliableName) {
      if (unwrapReliable(this, taken)) this.#handle(taken);
      return;
    }
    let result: unknown;
    const inbox = this.inbox;
    this.#taken = taken;
    const outer = this.host.current;
    this.host.current = this;
    try {
      if (diagnostics.isOn || taken.carrier !== undefined) result = handleObserved(this, taken, handler);
      else result = this.callHandler(handler, payload, taken);
    } catch (error) {
      if (inbox.stashed !== undefined) inbox.dropStashed(inbox.takeStashed());
      this.#handlerFailed(error, origin);
      releaseWhole(payload);
      return;
    } finally {
      this.host.current = outer;
      this.#taken = undefined;
    }
    const promise = typeof result === 'object' ? promiseOf(result) : undefined;
    const stashed = inbox.stashed === undefined ? undefined : inbox.takeStashed();
    if (promise !== undefined) this.#follow(promise, origin, payload, stashed);
    else if (stashed === undefined) replyWith(result, origin, payload);
  }

  /** Calls what takes a message, and nothing else: see {@link run}. */
  callHandler(handler: Handler | undefined, payload: unknown, taken: Mailbox): unknown {
    if (handler === undefined) return callReceive(this.#specification, this.#state, taken, this);
    const { asyncHandlers } = this.host;
    if (asyncHandlers === undefined) return handler(this.#state, payload, this.context);
    return asyncHandlers.call(this, handler, this.#state, payload);
  }

  /** `stashed`: the handler has set its message aside, and replies to it another time, unless it fails. */
  #follow(promise: Promise<unknown>, origin: Origin | undefined, payload?: unknown, stashed?: Stashed): void {
    const incarnation = this.incarnation;
    this.#underWay ??= new UnderWay();
    this.#underWay.begin(stashed === undefined ? origin : undefined);
    this.host.endTurnSoon();
    promise.then(
      (value) => {
        this.#finishHandler(incarnation, origin);
        if (stashed === undefined) replyWith(value, origin, payload);
      },
      (error: unknown) => {
        this.#finishHandler(incarnation, origin);
        // One that has been put back since is handled once more, and answered then.
        const hasFailed = stashed === undefined || this.inbox.dropStashed(stashed);
        if (hasFailed) releaseWhole(payload);
        if (incarnation === this.incarnation) this.#handlerFailed(error, hasFailed ? origin : undefined);
        else if (hasFailed && origin?.isAsk === true) origin.replyError(errorOf(error));
      },
    );
  }

  #finishHandler(incarnation: number, origin: Origin | undefined): void {
    this.#underWay?.settle(origin);
    if (incarnation !== this.incarnation) return;
    this.#underWay?.end();
    if (this.inbox.runnable > 0) this.schedule();
  }

  #handleSignal(name: symbol, payload: unknown): void {
    try {
      const promise = promiseOf(callSignalHandler(this.#specification, name, this.#state, payload, this.context));
      if (promise !== undefined) this.#follow(promise, undefined);
    } catch (error) {
      this.#handlerFailed(error, undefined);
    }
  }

  #handlerFailed(error: unknown, origin: Origin | undefined): void {
    if (origin?.isAsk === true) origin.replyError(errorOf(error));
    if (!isOfMessageAlone(error, origin)) this.fail(error);
  }

  /** Sets the message that is being handled aside, until `unstashAll`. */
  stashNow(): void {
    if (this.#taken === undefined) throw notHandling('stash() sets the message at hand aside');
    this.inbox.stash(this.#taken);
  }

  /** Aborted when nobody waits for the reply to the message at hand any more. */
  get askSignal(): AbortSignal {
    if (this.#taken === undefined) throw notHandling('signal belongs to the message at hand');
    return this.#taken.origin?.signal ?? new AbortController().signal;
  }

  /** Puts what was stashed back, before all else that waits. */
  unstashAll(): void {
    this.inbox.unstashAll();
    this.schedule();
  }

  // ---- life

  /** Makes the state. `onStarted` is called once, with the error if there is one. */
  start(onStarted = this.#onStarted): void {
    this.status = 'starting';
    this.#onStarted = onStarted;
    let state: unknown;
    const outer = this.host.current;
    this.host.current = this;
    try {
      state = this.#specification.state(this.args, this.context);
    } catch (error) {
      this.#setupFailed(error);
      return;
    } finally {
      this.host.current = outer;
    }
    const promise = promiseOf(state);
    if (promise !== undefined) this.#awaitState(promise);
    else this.#started(state);
  }

  #awaitState(state: Promise<unknown>): void {
    const incarnation = this.incarnation;
    const isAwaited = () => incarnation === this.incarnation && this.status === 'starting';
    state.then(
      (value) => (isAwaited() ? this.#started(value) : endLateState(this, value, this.#specification)),
      (error: unknown) => isAwaited() && this.#setupFailed(error),
    );
    this.host.endTurnSoon();
  }

  #started(state: unknown): void {
    this.#state = state;
    this.#hasState = true;
    this.status = 'running';
    const { receiveTimeoutMs } = this.#specification;
    if (receiveTimeoutMs !== undefined) this.timers.setReceiveTimeout(receiveTimeoutMs);
    if (this.inbox.runnable > 0) this.schedule();
    this.#takeOnStarted()?.(undefined);
  }

  #setupFailed(error: unknown): void {
    const onStarted = this.#takeOnStarted();
    if (onStarted === undefined) this.fail(error);
    else {
      void this.#family?.stopAll();
      this.#terminate('failed');
      onStarted(error);
    }
  }

  #takeOnStarted(): ((error: unknown) => void) | undefined {
    const onStarted = this.#onStarted;
    this.#onStarted = undefined;
    return onStarted;
  }

  /** The actor cannot go on: its supervisor decides. */
  fail(error: unknown): void {
    if (this.isGone || this.status === 'suspended') return;
    if (this.#onStarted === undefined) {
      this.status = 'suspended';
      this.host.childFailed(this, error);
    } else this.#setupFailed(error); // Who spawns it hears of it.
  }

  /** Does what the supervisor decided. */
  obey(directive: Exclude<Directive, 'escalate'>, delayMs: number): void {
    if (this.isGone) return;
    if (directive === 'stop') this.stop('failed');
    else if (directive === 'resume') this.#resume();
    else {
      this.status = 'suspended';
      this.#backoff?.cancel();
      if (delayMs > 0) this.#backoff = this.host.clock.setTimer(delayMs, () => this.#restart());
      else this.#restart();
    }
  }

  #resume(): void {
    if (this.status !== 'suspended' || this.winding !== undefined || this.#backoff !== undefined) return; // It restarts.
    if (this.#hasState) {
      this.status = 'running';
      this.schedule();
    } else this.stop('failed');
  }

  #restart(): void {
    this.#backoff = undefined;
    this.incarnation++;
    this.#underWay?.forget();
    this.consumers?.restart();
    this.endState();
    this.#wind('restarted', () => {
      if (this.#backoff !== undefined) return; // It is to wait for longer.
      this.endState(); // What its onStop has begun ends as well.
      this.unstashAll();
      this.host.onRestarted(this);
      this.start();
    });
  }

  /** Stops when the message at hand has been handled; in the next microtask where none is. */
  stopSoon(): void {
    if (this.#taken !== undefined) this.#stopsNext = true;
    else queueMicrotask(() => this.stop('stopped'));
  }

  /** Stops after the message at hand: children first. What waits becomes dead letters. */
  stop(reason: 'stopped' | 'failed'): void {
    if (this.isGone) return;
    this.#stopsNext = false;
    const wasRunning = this.status === 'running';
    this.status = 'stopping';
    this.#backoff?.cancel();
    this.#takeOnStarted()?.(actorStopped(String(this.ref)));
    if (!wasRunning || this.pendingHandlers === 0) this.#stopNow(reason);
    else this.#underWay?.wait(this.host.clock, stopTimeoutOf(this.#specification), () => this.#stopNow(reason));
  }

  #stopNow(reason: 'stopped' | 'failed'): void {
    this.incarnation++;
    if (this.endState()) this.#terminate(reason);
    else this.#wind(reason, () => this.#terminate(reason));
    this.#underWay?.abandon(actorStopped(String(this.ref)));
  }

  /** Ends what the state has begun: timers, watches. True when that is all, and neither children nor `onStop` are left. */
  endState(): boolean {
    this.#timers?.cancelAll();
    this.#timers = undefined;
    this.#endings?.run();
    this.host.watches.dropOwner(this);
    this.host.registry.dropOwner(this);
    if (this.winding !== undefined || this.#specification.onStop !== undefined) return false;
    return this.#family === undefined || this.#family.size === 0;
  }

  /** Ends the rest of the state: its children, and then its own `onStop`; then calls `next`, unless another end overtakes it. */
  #wind(reason: EndReason, next: () => void): void {
    this.winding ??= new Winding(this, this.#hasState, this.#state, this.#specification);
    this.#state = undefined;
    this.#hasState = false;
    this.winding.leadTo(reason, next);
  }

  #terminate(reason: TerminationReason): void {
    if (this.status === 'stopped') return;
    this.status = 'stopped';
    this.#state = undefined;
    this.endState(); // What its onStop has begun ends as well.
    this.inbox.refuseAll();
    this.host.onTerminated(this, reason);
    const watchers = this.watchers;
    this.watchers = undefined;
    for (const watcher of watchers?.values() ?? []) watcher.onTerminated({ ref: this.ref, reason });
  }
}
