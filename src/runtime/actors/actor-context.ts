import type { ExportRegionOptions } from '../context/context.js';
import type { RegionHandle } from '../memory/region-handle.js';
import type { Region } from '../memory/region-table.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import type { RegionOperationOptions, RemoteRegion } from '../session/remote-region.js';
import { exportRegionOf, openRegionFor } from './actor-regions.js';
import type { Cell } from './cell.js';
import { requireDuration, requireRef, requireText } from './checks.js';
import type { ActorDefinition, AnyDefinition, RefOf } from './definition.js';
import { Group } from './group.js';
import { requireMessageName } from './message-name.js';
import type { OffloadArguments, OffloadFunction, OffloadFunctions } from './offload/functions.js';
import { type OffloadOptions, offload } from './offload/offload.js';
import type { SpawnOptions } from './placement.js';
import type { Ref } from './ref.js';
import { signals } from './signals.js';
import type { ActorRef, AnyActorRef, AskArguments, MessageName, PayloadArguments, Protocol, ReplyOf } from './types.js';

/** What an actor can do: the last argument of each of its handlers. One object for the whole life of the actor. */
export class ActorContext {
  readonly #cell: Cell;

  /** @internal */
  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /** @internal */
  get cell(): Cell {
    return this.#cell;
  }

  /** The actor's own ref, to be sent to others. Give the messages it takes to have it typed. */
  // biome-ignore lint/suspicious/noExplicitAny: an actor knows its own messages
  get self(): ActorRef<any> {
    return this.#cell.ref as unknown as ActorRef<Protocol<object>>;
  }

  /** The name of the context that the actor lives in. */
  get contextName(): string {
    return this.#cell.ref.contextName;
  }

  /**
   * Milliseconds of the clock that timers go by: it never goes back, is the same in all threads of a process, and stands
   * still in a test that moves it. For spans of time; `Date` has the time of day.
   */
  get nowMs(): number {
    return this.#cell.host.clock.nowMicros() / 1000;
  }

  /** The messages that wait for this actor. */
  get waiting(): number {
    return this.#cell.inbox.waiting;
  }

  /**
   * Aborted when nobody waits for the reply to the message at hand any more: who asked has cancelled, or their deadline has
   * passed, or they are lost. Take it in a handler before its first `await`; for a message that was told it never is.
   *
   * @example
   * async fetch(_state, url: string, actor) {
   *   const { signal } = actor;
   *   return (await fetch(url, { signal })).text();
   * }
   *
   * @throws ERR_HEDDLE_INVALID_STATE outside of a handler
   */
  get signal(): AbortSignal {
    return this.#cell.askSignal;
  }

  /**
   * As `ref.ask`, and knows who asks: an ask to this very actor while its handler is pending, which could never be answered,
   * rejects with `ERR_HEDDLE_DEADLOCK` at once.
   */
  ask<M extends Protocol<M>, K extends MessageName<M>>(
    ref: ActorRef<M>,
    name: K,
    ...rest: AskArguments<M, K>
  ): Promise<ReplyOf<M, K>> {
    const [payload, options] = rest;
    const cell = this.#cell;
    const asked = ref as unknown as Ref | undefined;
    const reply =
      asked?.host === cell.host
        ? cell.host.ask(asked, name, payload, options, cell)
        : askElsewhere(ref, name, payload, options);
    return reply as Promise<ReplyOf<M, K>>;
  }

  /** A buffer of shared memory, owned by the actor: see {@link Context.allocate}. */
  allocate(lengthBytes: number): SharedBuffer {
    return this.#cell.host.context.allocate(lengthBytes);
  }

  /**
   * Lets whoever gets the handle reach the memory of a buffer: see {@link Context.exportRegion}. The region is revoked when
   * the actor stops or restarts.
   */
  exportRegion(buffer: SharedBuffer, options: ExportRegionOptions): Region {
    return exportRegionOf(this.#cell, buffer, options);
  }

  /**
   * Opens a region by the handle that came in a message, whichever context of the system owns it: see
   * {@link Context.openRegion}. It is closed when the actor stops or restarts.
   */
  openRegion(handle: RegionHandle, options: RegionOperationOptions = {}): Promise<RemoteRegion> {
    return openRegionFor(this.#cell, handle, options);
  }

  /**
   * Makes a child, which this actor supervises, in whichever context; resolves when its state is made. Rejects as
   * {@link ActorSystem.spawn} does; with `ERR_HEDDLE_ACTOR_STOPPED` when this actor stops or restarts meanwhile, and with
   * `ERR_HEDDLE_INVALID_STATE` in `onStop`.
   */
  spawn<D extends AnyDefinition>(definition: D, ...rest: SpawnArguments<D>): Promise<RefOf<D>> {
    const [args, options] = rest;
    return this.#cell.host.spawner.spawn(this.#cell.family, definition, args, options) as Promise<unknown> as Promise<
      RefOf<D>
    >;
  }

  /** Makes a child in this context, at once. It can be told things before its state is made. */
  spawnHere<D extends AnyDefinition>(definition: D, ...rest: SpawnArguments<D>): RefOf<D> {
    return this.#cell.host.spawner.spawnHere(this.#cell.family, definition, rest[0]) as unknown as RefOf<D>;
  }

  /**
   * Has a function of {@link defineFunctions} run on a thread of a pool, beside the contexts: for what takes more than a
   * few milliseconds of a core. Arguments and result are cloned as `postMessage` clones; a result that is an ArrayBuffer, or
   * a typed array over a whole one, moves, and a SharedBuffer is not copied: leave it alone meanwhile. Rejects with what
   * the function threw (as a `RemoteError`), and with
   * `ERR_HEDDLE_CANCELLED`, `ERR_HEDDLE_ACTOR_STOPPED` (the actor stopped or restarted: the function is ended),
   * `ERR_HEDDLE_OFFLOAD_FULL`, `ERR_HEDDLE_OFFLOAD_LOST`, `ERR_HEDDLE_CODEC`.
   *
   * @example
   * const hash = await actor.offload(hashing, 'sha256', [data], { signal: AbortSignal.timeout(1000) });
   */
  offload<F extends Readonly<Record<keyof F, OffloadFunction>>, K extends keyof F & string>(
    functions: OffloadFunctions<F>,
    name: K,
    args: OffloadArguments<F[K]>,
    options?: OffloadOptions,
  ): Promise<Awaited<ReturnType<F[K]>>> {
    const { host } = this.#cell;
    return offload(host, this.#cell, functions, name, args as readonly unknown[], options) as Promise<never>;
  }

  /** The children, in the order in which they were made. */
  get children(): AnyActorRef[] {
    return this.#cell.hasFamily ? this.#cell.family.refs() : [];
  }

  /** Stops an actor, a child or any other; resolves when it has gone. Without an argument: this one, after this message. */
  stop(ref: AnyActorRef = this.self): Promise<void> {
    if (ref === (this.#cell.ref as AnyActorRef)) {
      // Not waited for: the handler that would wait is what the stop waits for.
      this.#cell.stopSoon();
      return Promise.resolve();
    }
    return this.#cell.host.stop(ref as Ref);
  }

  /**
   * Asks to be told, once, by `onTerminated`, when that actor has gone; at once when it has gone already. A restart is
   * no end. Harmless when it is watched already.
   */
  watch(ref: AnyActorRef): void {
    const cell = this.#cell;
    cell.host.watches.add(ref as Ref, cell, {
      onTerminated: (termination) => cell.signal(signals.terminated, termination),
    });
  }

  /** Takes {@link watch} back. */
  unwatch(ref: AnyActorRef): void {
    this.#cell.host.watches.remove(ref as Ref, this.#cell);
  }

  /** The actor with that name, as this context knows it now. */
  lookup<M extends Protocol<M>>(name: string): ActorRef<M> | undefined {
    return this.#cell.host.registry.lookup(name) as unknown as ActorRef<M> | undefined;
  }

  /** Gives this actor a name, until it has gone or gives it back. Rejects with `ERR_HEDDLE_NAME_IN_USE`. */
  register(name: string): Promise<void> {
    return this.#cell.host.registry.register(name, this.#cell.ref);
  }

  /** Takes {@link register} back; harmless when this actor does not have that name. */
  unregister(name: string): Promise<void> {
    return this.#cell.host.registry.unregister(name, this.#cell.ref);
  }

  /** Tells this actor `message`, with the ref or undefined, at once and whenever someone else has the name. Until a restart. */
  subscribe(name: string, message: string): void {
    requireText('message', message);
    const cell = this.#cell;
    cell.host.registry.subscribe(name, (ref) => void cell.ref.tell(message, ref), cell);
  }

  /** The group of that name. */
  group<M extends Protocol<M>>(name: string): Group<M> {
    return new Group<M>(this.#cell.host, name);
  }

  /**
   * Sets the message that is being handled aside until {@link unstashAll}; what the handler returns is no reply then.
   * Call it before the handler's first `await`. Throws ERR_HEDDLE_INVALID_STATE outside of a handler.
   */
  stash(): void {
    this.#cell.stashNow();
  }

  /** Puts what was stashed before all that waits. A restart does so, too. */
  unstashAll(): void {
    this.#cell.unstashAll();
  }

  /** Tells `to` something once, `delayMs` from now, unless the actor stops or restarts before. `key` replaces and cancels. */
  sendLater<M extends Protocol<M>, K extends MessageName<M>>(
    delayMs: number,
    to: ActorRef<M>,
    name: K,
    ...payload: PayloadArguments<M, K>
  ): TimerKey {
    requireRef('sendLater()', to);
    requireMessageName(name);
    return this.#setTimer(delayMs, false, () => to.tell(name, ...payload));
  }

  /** As {@link sendLater}, every `intervalMs` until it is cancelled. */
  sendEvery<M extends Protocol<M>, K extends MessageName<M>>(
    intervalMs: number,
    to: ActorRef<M>,
    name: K,
    ...payload: PayloadArguments<M, K>
  ): TimerKey {
    requireRef('sendEvery()', to);
    requireMessageName(name);
    return this.#setTimer(intervalMs, true, () => to.tell(name, ...payload));
  }

  #setTimer(delayMs: number, isRepeated: boolean, callback: () => void): TimerKey {
    const key: TimerKey = { cancel: () => this.#cell.timers.cancel(key) };
    this.#cell.timers.set(key, delayMs, isRepeated, callback);
    return key;
  }

  /** Calls `onReceiveTimeout` when no message came for `timeoutMs`; 0 turns it off. */
  setReceiveTimeout(timeoutMs: number): void {
    requireDuration('timeoutMs', timeoutMs);
    this.#cell.timers.setReceiveTimeout(timeoutMs);
  }
}

/** Asks an actor of another system of this process, which has its address there. */
async function askElsewhere<M extends Protocol<M>>(
  ref: ActorRef<M>,
  name: MessageName<M>,
  payload: unknown,
  options: unknown,
): Promise<unknown> {
  requireRef('ask()', ref);
  return ref.ask(name, payload as never, options as never);
}

/** A scheduled send. */
export interface TimerKey {
  /** Keeps it from being sent; false when it was sent, or cancelled, before. */
  cancel(): boolean;
}

/** What an actor is spawned with: its definition's arguments, and where. */
export type SpawnArguments<D> =
  D extends ActorDefinition<infer A, infer _M>
    ? unknown extends A
      ? [args?: undefined, options?: SpawnOptions]
      : undefined extends A
        ? [args?: A, options?: SpawnOptions]
        : [args: A, options?: SpawnOptions]
    : never;
