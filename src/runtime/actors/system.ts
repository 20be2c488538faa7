import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { availableParallelism } from 'node:os';
import { longestTimerMs } from '../../clock.js';
import { describe, HeddleError, requireInteger, requireObject, thrownFacts, thrownText } from '../../errors.js';
import { timeLimitMs } from '../../time-limits.js';
import type { ContextHandle } from '../context/context-handle.js';
import type { ContextOptions } from '../context/context-options.js';
import { createNode, type HeddleNode } from '../context/node.js';
import type { SpawnArguments } from './actor-context.js';
import { isFollowingCheap } from './async-handlers.js';
import { requireBoolean, requireText } from './checks.js';
import type { DeadLetter, DeadLetterReason } from './dead-letters.js';
import type { ActorDefinition, AnyDefinition, RefOf } from './definition.js';
import { Group } from './group.js';
import { ActorHost, codecKeyOf } from './host.js';
import type { HostPost } from './host-messages.js';
import type { SystemParts } from './host-options.js';
import { inspectMachines, type MachineInspector } from './machines/inspect.js';
import { type OffloadPoolOptions, offloadOptionsWith } from './offload/offload-pool.js';
import { type ContextSpecification, PlaceKeeper, type RestartContextsOptions, restartLimits } from './place-keeper.js';
import { mainPlace, Places } from './places.js';
import { Pool, type PoolOptions } from './pool.js';
import type { Ref } from './ref.js';
import { Shutdown, type ShutdownPhase } from './shutdown.js';
import { type Directive, type SupervisionOptions, supervisionWith } from './supervision.js';
import type { ActorRef, AnyActorRef, Protocol, Termination } from './types.js';
import { readError } from './wire-error.js';

/** How a system is made. */
export interface SystemOptions {
  /**
   * The worker contexts: how many, or what each is like. Default: 0, all actors live in this thread. A context that is
   * lost is replaced, see {@link restartContexts}.
   */
  readonly contexts?: number | readonly ContextSpecification[] | undefined;
  /** For messages to people. Default: `system`. */
  readonly name?: string | undefined;
  /** Options of all contexts of the system. */
  readonly contextOptions?: Partial<Omit<ContextOptions, 'codec'>> | undefined;
  /** Bytes of the ring in each direction between two contexts. */
  readonly ringCapacityBytes?: number | undefined;
  /** How long an ask waits unless it says otherwise, in milliseconds. Default: 5000. */
  readonly askTimeoutMs?: number | undefined;
  /**
   * Whether an actor that asks itself after an `await` of its handler, an async function, is told at once that this is a
   * deadlock (`ERR_HEDDLE_DEADLOCK`) rather than by the ask's deadline. Default: true from Node.js 24 on; before, it
   * makes every promise of the threads 130 to 150 ns slower, and `actor.ask` tells of it at no cost.
   */
  readonly detectDeadlocks?: boolean | undefined;
  /** The threads that run what actors offload: each context has its own. */
  readonly offload?: OffloadPoolOptions | undefined;
  /** How the actors are supervised that `system.spawn` makes. */
  readonly supervision?: SupervisionOptions | undefined;
  /**
   * Signals at which the system closes in order, and the process then ends as that signal ends it. Default: `SIGTERM`
   * alone; an empty list leaves them all to the program.
   */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /** Is told what all XState machines of the system do, from the first on: see {@link ActorSystem.inspect}. */
  readonly inspect?: MachineInspector | undefined;
  /** How often lost contexts are replaced; false: not at all. Default: each 10 times within 60 seconds. */
  readonly restartContexts?: RestartContextsOptions | false | undefined;
}

/** An actor failed, and what was done about it. */
export interface ActorFailure {
  /** The actor that failed. */
  readonly ref: AnyActorRef;
  /** What it threw; from another context a {@link RemoteError}, unless it is one of the runtime's own. */
  readonly error: unknown;
  /** What its supervisor decided; `onStop`: its `onStop` threw. */
  readonly action: Directive | 'onStop';
}

/** Events of an {@link ActorSystem}. */
export interface SystemEvents {
  /** A message that nobody handled, in any context; past 32 in one turn of a context's event loop they are only counted. */
  deadLetter: [letter: DeadLetter];
  /** An actor failed. Without a listener it becomes a process warning. */
  actorFailure: [failure: ActorFailure];
  /** A worker context was lost, and for good when it is not to be replaced. */
  contextLost: [
    context: {
      /** The name of the context. */
      readonly name: string;
      /** `ERR_HEDDLE_CONTEXT_LOST`, with the cause. */
      readonly error: HeddleError;
      /** Whether a new thread takes its place; `contextReplaced` tells when it has. */
      readonly isReplaced: boolean;
    },
  ];
  /** A lost context has been replaced, and its actors were made again where their supervision says so. */
  contextReplaced: [
    context: {
      /** The name of the context, the same as before. */
      readonly name: string;
    },
  ];
}

/** The pool of actors of a definition. */
export type PoolOf<D extends AnyDefinition> = D extends ActorDefinition<infer _A, infer M> ? Pool<M> : never;

const maximumContexts = 255;

/**
 * Actors on all cores: this thread's context and the worker contexts, in which actors live. Made by
 * {@link createSystem}; `await using`, or {@link close}, ends it.
 */
export class ActorSystem extends EventEmitter<SystemEvents> implements AsyncDisposable {
  /** As {@link SystemOptions.name} says. */
  readonly name: string;
  /** The node that the system runs on. */
  readonly node: HeddleNode;
  /** @internal */
  readonly host: ActorHost;
  readonly #keeper: PlaceKeeper;
  readonly #shutdown: Shutdown;
  #closing: Promise<void> | undefined;

  /** @internal Use {@link createSystem}. */
  constructor(options: SystemOptions, parts: SystemParts = {}) {
    super();
    if (options.name !== undefined) requireText('name', options.name);
    this.name = options.name ?? 'system';
    this.#shutdown = new Shutdown(() => this.close());
    const specifications = contextSpecifications(options.contexts ?? 0);
    const askTimeoutMs = requireInteger('askTimeoutMs', options.askTimeoutMs ?? 5000, 1, longestTimerMs);
    const followsAsyncHandlers = options.detectDeadlocks ?? isFollowingCheap;
    requireBoolean('detectDeadlocks', followsAsyncHandlers);
    if (options.contextOptions !== undefined) requireObject('contextOptions', options.contextOptions);
    const coresForEach = Math.max(1, Math.floor(availableParallelism() / Math.max(1, specifications.length)));
    const offload = offloadOptionsWith(options.offload ?? {}, coresForEach);
    const supervision = supervisionWith(options.supervision);
    const restart = restartLimits(options.restartContexts);
    // Nothing is made before all options are known to be good.
    const systemId = `${this.name.slice(0, 64).replace(/[^\w-]/g, '_')}-${randomBytes(6).toString('hex')}`;
    const codec = codecKeyOf(systemId);
    this.node = createNode({
      ...(options.ringCapacityBytes !== undefined && { ringCapacityBytes: options.ringCapacityBytes }),
      contextOptions: { ...options.contextOptions, codec },
    });
    const loads = Places.createLoads(specifications.length + 1);
    const places = new Places(PlaceKeeper.firstPlaces(systemId, specifications), loads);
    this.host = new ActorHost(this.node.context, {
      ...parts,
      systemId,
      place: mainPlace,
      incarnation: 0,
      places,
      askTimeoutMs,
      offload,
      followsAsyncHandlers,
      supervision,
      onDeadLetter: (letter) => void this.emit('deadLetter', letter),
      onFailure: (ref, error, action) => this.#onFailure({ ref: ref as AnyActorRef, error, action }),
    });
    this.host.messages.onReport = (post) => this.#onReport(post);
    this.#keeper = new PlaceKeeper({
      node: this.node,
      host: this.host,
      specifications,
      contextOptions: { ...options.contextOptions, codec },
      loads,
      askTimeoutMs,
      offload,
      followsAsyncHandlers,
      restart,
      thread: parts.thread,
      onLost: (name, error, isReplaced) => void this.emit('contextLost', { name, error, isReplaced }),
      onReplaced: (name) => {
        this.host.registry.inform(this.host.places.byName(name)!.place);
        this.emit('contextReplaced', { name });
      },
    });
  }

  /** @internal */
  async start(signals: readonly NodeJS.Signals[]): Promise<void> {
    this.#shutdown.listen(signals);
    await this.host.links.listen();
    await this.#keeper.start();
  }

  /** The names of the contexts: `main`, and those of the workers. */
  get contextNames(): string[] {
    return this.host.places.all.map(({ name }) => name);
  }

  /** The handle of a worker context; undefined when there is none of that name, or it is lost at the moment. */
  contextHandle(name: string): ContextHandle | undefined {
    return this.#keeper.handle(name);
  }

  /**
   * Makes an actor, supervised by the system, in a worker context unless `on` says otherwise. Resolves to its ref when
   * its state is made; rejects with what making it threw, or with `ERR_HEDDLE_UNKNOWN_ACTOR_TYPE`,
   * `ERR_HEDDLE_CONTEXT_LOST`, `ERR_HEDDLE_TIMEOUT` (after 30 s), `ERR_HEDDLE_CLOSED` when the system is closed meanwhile.
   *
   * @example
   * const counter = await system.spawn(Counter, { start: 0 }, { on: 'worker-1' });
   * counter.tell('add', 5);
   * console.log(await counter.ask('get'));
   */
  async spawn<D extends AnyDefinition>(definition: D, ...rest: SpawnArguments<D>): Promise<RefOf<D>> {
    this.#requireOpen();
    const [args, options] = rest;
    // What is no object is refused further on, as it is.
    const withPlace = typeof options === 'string' ? options : { on: 'round-robin', ...options };
    return this.host.spawner.spawn(this.host.root, definition, args, withPlace) as Promise<unknown> as Promise<
      RefOf<D>
    >;
  }

  /** Makes an actor in this thread, at once: it can be told things before an asynchronous state is made. */
  spawnHere<D extends AnyDefinition>(definition: D, ...rest: SpawnArguments<D>): RefOf<D> {
    this.#requireOpen();
    return this.host.spawner.spawnHere(this.host.root, definition, rest[0]) as unknown as RefOf<D>;
  }

  /**
   * Makes a pool of actors of one definition: `least-loaded` unless told otherwise, from `minimum` to `maximum` members.
   *
   * @example
   * await using pool = await system.createPool(Resizer, undefined, { minimum: 2, maximum: 8 });
   * const image = await pool.ask('resize', { path, width: 640 });
   */
  async createPool<D extends AnyDefinition>(
    definition: D,
    args: SpawnArguments<D>[0],
    options: PoolOptions = {},
  ): Promise<PoolOf<D>> {
    this.#requireOpen();
    // biome-ignore lint/suspicious/noExplicitAny: PoolOf says what it is
    const pool = new Pool<any>(this.host, this.host.root, definition, args, options);
    await pool.start();
    return pool as PoolOf<D>;
  }

  /**
   * Stops an actor after the message at hand; resolves when it has gone. What waits in its mailbox becomes dead letters. Rejects
   * with `ERR_HEDDLE_INVALID_ARGUMENT` for a ref of another system of the process.
   */
  stop(ref: AnyActorRef): Promise<void> {
    return this.host.stop(ref as Ref);
  }

  /** Resolves, once, when the actor has gone; at once when it has gone before. Rejects as {@link stop} does. */
  watch(ref: AnyActorRef): Promise<Termination> {
    return new Promise((resolve) => {
      this.host.watches.add(ref as Ref, resolve, {
        onTerminated: (termination) => {
          resolve(termination);
          this.host.endTurnSoon();
        },
      });
    });
  }

  /** The actor with that name, as `spawn` and {@link register} give them; undefined when there is none. */
  lookup<M extends Protocol<M>>(name: string): ActorRef<M> | undefined {
    return this.host.registry.lookup(name) as unknown as ActorRef<M> | undefined;
  }

  /** Gives an actor a name, until it has gone. Rejects with `ERR_HEDDLE_NAME_IN_USE`. */
  register(name: string, ref: AnyActorRef): Promise<void> {
    return this.host.registry.register(name, ref as Ref);
  }

  /** Takes a name from an actor; harmless when it has it not. */
  unregister(name: string, ref: AnyActorRef): Promise<void> {
    return this.host.registry.unregister(name, ref as Ref);
  }

  /** Calls back with who has the name, at once and whenever that changes. Returns what ends it. */
  subscribe(name: string, listener: (ref: AnyActorRef | undefined) => void): () => void {
    return this.host.registry.subscribe(name, listener as (ref: Ref | undefined) => void);
  }

  /** The group of that name: it exists as long as it has members. */
  group<M extends Protocol<M>>(name: string): Group<M> {
    return new Group<M>(this.host, name);
  }

  /**
   * Tells an inspector what the XState machines of all contexts do, as XState's option `inspect` would within one: the
   * Stately inspectors' `inspect`, or a function of your own. Machines that run are introduced, and so is what they have
   * invoked. The `actorRef` of an event has `id`, `sessionId` (unique in the system), `getSnapshot`, `logic.config`
   * and `send`; what is in the events went through JSON. Past 4096 events that wait for the inspector, the oldest of a context are
   * left out. Returns what ends it.
   *
   * @example
   * const { inspect } = createWebSocketInspector();
   * const end = system.inspect(inspect);
   */
  inspect(inspector: MachineInspector): () => void {
    this.#requireOpen();
    return inspectMachines(this.host, inspector);
  }

  /** The last dead letters of this thread's context, oldest first, at most 100. */
  get deadLetters(): readonly DeadLetter[] {
    return this.host.deadLetters.recent;
  }

  /** How many dead letters this thread's context has seen, by reason. */
  get deadLetterCounts(): Readonly<Record<DeadLetterReason, number>> {
    return this.host.deadLetters.counts;
  }

  /** How many actors live in each context. The numbers of worker contexts may be some turns old. */
  get actorCounts(): Record<string, number> {
    const { places } = this.host;
    return Object.fromEntries(
      places.all.map(({ place, name }) => [name, place === mainPlace ? this.host.actorCount : places.actorsAt(place)]),
    );
  }

  /**
   * Adds a task to the shutdown: `before-actors` (stop taking requests in), `after-actors` (nothing changes any more),
   * `after-contexts` (close what all used). The tasks of a phase run together; a phase waits for the one before. What a
   * task throws is reported as a warning, and holds nothing up. Returns what takes the task back.
   *
   * @example
   * system.onShutdown('before-actors', () => new Promise((resolve) => server.close(resolve)));
   */
  onShutdown(phase: ShutdownPhase, task: () => unknown): () => void {
    return this.#shutdown.add(phase, task);
  }

  /**
   * Ends the system: the tasks `before-actors`; all actors, children before parents; the tasks `after-actors`; the
   * contexts; the tasks `after-contexts`. What takes longer than `timeoutMs` (default 10 000) altogether is not waited
   * for, and what threads are left are terminated. Never rejects.
   *
   * @throws ERR_HEDDLE_INVALID_ARGUMENT, at once, for a time that is no whole number of milliseconds from 0 on, and for other options
   */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = timeLimitMs('close', options, 10_000);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  /** For `await using`: the same as {@link close}, with its default limit. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    const deadline = this.#shutdown.begin(timeoutMs);
    await deadline.wait(this.#shutdown.run('before-actors'));
    this.#keeper.close();
    this.host.isClosing = true;
    await deadline.wait(this.host.root.stopAll());
    await deadline.wait(this.host.internals.stopAll());
    await deadline.wait(this.host.offloadPool.close());
    await deadline.wait(this.#shutdown.run('after-actors'));
    this.host.close();
    await this.node.close({ timeoutMs: Math.max(1000, deadline.leftMs) });
    await deadline.wait(this.#shutdown.run('after-contexts'));
    deadline.end();
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new HeddleError('ERR_HEDDLE_CLOSED', 'the actor system was closed; make another one with createSystem()');
  }

  #onReport(post: HostPost): void {
    if (post.type === 'failure') {
      this.#onFailure({ ref: post.ref as AnyActorRef, error: readError(post.error), action: post.action });
    } else if (post.type === 'dead-letter') {
      this.emit('deadLetter', {
        reason: post.reason,
        to: post.to as AnyActorRef,
        name: post.name,
        payload: undefined,
      });
    }
  }

  #onFailure(failure: ActorFailure): void {
    if (this.emit('actorFailure', failure)) return;
    const { ref, error, action } = failure;
    process.emitWarning(`actor ${ref} failed (${action}): ${thrownText(error)}`, {
      code: 'HEDDLE_ACTOR_FAILURE',
      detail: thrownFacts(error).stack ?? '',
    });
  }
}

function requireContextList(contexts: unknown): readonly ContextSpecification[] {
  if (Array.isArray(contexts) && contexts.every((one) => typeof one === 'object' && one !== null)) return contexts;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `contexts must be a number, or a list of what each is like, not ${describe(contexts)}`,
  );
}

function contextSpecifications(contexts: number | readonly ContextSpecification[]): ContextSpecification[] {
  const list: ContextSpecification[] =
    typeof contexts === 'number'
      ? Array.from({ length: requireInteger('contexts', contexts, 0, maximumContexts) }, () => ({}))
      : [...requireContextList(contexts)];
  requireInteger('contexts.length', list.length, 0, maximumContexts);
  const named = list.map((one, index) => ({ ...one, name: one.name ?? `worker-${index + 1}` }));
  const names = new Set(['main', ...named.map(({ name }) => name)]);
  if (names.size !== named.length + 1) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      'two contexts of the system have the same name, or one is called main',
    );
  }
  return named;
}
