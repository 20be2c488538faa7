import { EventEmitter } from 'node:events';
import { MessageChannel, type TransferListItem } from 'node:worker_threads';
import { longestTimerMs } from '../../clock.js';
import { HeddleError, requireInteger, requireKnownOptions, thrownText } from '../../errors.js';
import { timeLimitMs } from '../../time-limits.js';
import { ContextTable, createContextTable, maximumContexts } from '../../transports/shm/context-table.js';
import { createRing, requireRingCapacity } from '../../transports/shm/ring-layout.js';
import { createRingPair, isRingPairClosed } from '../../transports/shm/ring-pair.js';
import { createSlabCounter } from '../memory/slab-pool.js';
import { drawSecret } from '../session/session-tokens.js';
import { type ContextEnd, contextLostError } from './context-end.js';
import { type ContextHandle, defaultStopTimeoutMs, WorkerContext } from './context-handle.js';
import type { AnyContextMain, ContextDataOf, ContextValueOf } from './context-main.js';
import { contextNameFor, resolveModuleUrl } from './context-module.js';
import { type ContextOptions, defaultContextOptions } from './context-options.js';
import type { AnyContextOptions, ContextFactory, ContextInit, DirectedContext } from './context-runtime.js';
import type { ContextTask } from './context-worker.js';
import { ControlClient, exposeDirectory } from './control.js';
import { bindThreadToCpu } from './cpu-placement.js';
import { type Context, type ContextStatistics, contextFactory } from './create-context.js';
import { Directory } from './directory.js';
import { type ExitParticipant, exitWatch } from './exit-watch.js';
import { ThreadPools, type ThreadSettings } from './thread-pool.js';

const contextWorkerUrl = new URL('./context-worker.js', import.meta.url).href;
const defaultStartTimeoutMs = 30_000;
/** Words of a context's line in the activity memory: a cache line, so that contexts do not disturb each other. */
const activityLineWords = 16;
const maximumCpu = 4095;

const nodeOptionNames: readonly (keyof NodeOptions)[] = ['ringCapacityBytes', 'contextName', 'contextOptions'];
const startOptionNames: readonly (keyof StartContextOptions)[] = [
  'name',
  'data',
  'transferList',
  'options',
  'signal',
  'startTimeoutMs',
  'cpu',
  'resourceLimits',
  'env',
  'execArgv',
];

/** How a node is made. */
export interface NodeOptions {
  /** Bytes of the ring in each direction between two contexts, a power of two. */
  readonly ringCapacityBytes?: number;
  /** Name of the context of this thread. Default: `main`. */
  readonly contextName?: string;
  /** Options of the context of this thread. */
  readonly contextOptions?: Partial<ContextOptions>;
}

/** How a context on a worker thread is started. */
export interface StartContextOptions<D = unknown> extends ThreadSettings {
  /** For messages to people; need not be unique. Default: the module's file name and the context's id, `server-3`. */
  readonly name?: string;
  /** Second argument of the main function: anything that can be cloned, SharedArrayBuffers among it. */
  readonly data?: D;
  /** What is moved to the thread instead of cloned: MessagePorts, ArrayBuffers. */
  readonly transferList?: readonly TransferListItem[];
  /** Options of the context. */
  readonly options?: Partial<ContextOptions>;
  /** Terminates the context when it aborts, at whatever time. */
  readonly signal?: AbortSignal;
  /** How long the thread, the module and its main function may take together. Default: 30 seconds. */
  readonly startTimeoutMs?: number;
  /** The CPU to bind the thread to (Linux only, needs `taskset`): see {@link ContextHandle.cpu}. */
  readonly cpu?: number;
}

/** Events of a {@link HeddleNode}. */
export interface NodeEvents<S = ContextStatistics> {
  /** A context that had started has ended, in whatever way. */
  contextEnd: [context: ContextHandle<unknown, S>, end: ContextEnd];
  /** Something went wrong that nobody waits for. Without a listener it becomes a process warning. */
  report: [error: unknown];
}

/**
 * A process with contexts: starts them on worker threads, leads them to each other, and tells everyone concerned when
 * one ends.
 *
 * The process exits by itself when nothing is left to do in any context (see docs/contexts.md); the contexts are
 * stopped gracefully before that. This needs a call that piscina has not made public: should another version of it
 * lack it, a process with running contexts ends by {@link close} only.
 *
 * Throws and rejects with `ERR_HEDDLE_CLOSED` after {@link close}.
 */
export class HeddleNode<C extends DirectedContext = Context, S = ContextStatistics>
  extends EventEmitter<NodeEvents<S>>
  implements AsyncDisposable
{
  readonly #factory: ContextFactory<C, S>;
  readonly #options: NodeOptions;
  readonly #pools = new ThreadPools();
  readonly #directory: Directory;
  readonly #table = createContextTable();
  readonly #lines = new ContextTable(this.#table);
  readonly #activity: SharedArrayBuffer;
  readonly #slabCounter = createSlabCounter();
  readonly #secret: Uint8Array;
  readonly #contexts = new Map<number, WorkerContext<unknown, S>>();
  readonly #ownId: number;
  #ownContext: C | undefined;
  #ownContextStopped = false;
  #closing: Promise<void> | undefined;

  /** @internal Use {@link createNode}. */
  constructor(options: NodeOptions, factory: ContextFactory<C, S>) {
    super();
    requireKnownOptions('createNode', options, nodeOptionNames);
    const { ringCapacityBytes, contextOptions = {} } = options;
    if (ringCapacityBytes !== undefined) requireRingCapacity(ringCapacityBytes, 'ringCapacityBytes');
    factory.checkOptions?.(contextOptions as AnyContextOptions);
    this.#options = options;
    this.#factory = factory;
    this.#secret = drawSecret();
    // Throws what a wrong size deserves, here instead of at the first connect.
    if (options.ringCapacityBytes !== undefined) createRing(options.ringCapacityBytes);
    this.#directory = new Directory({
      create: (contextA, contextB) => createRingPair(contextA, contextB, ringCapacityBytes),
      isClosed: isRingPairClosed,
    });
    this.#activity = new SharedArrayBuffer(maximumContexts * activityLineWords * 4);
    this.#ownId = this.#lines.acquire();
    exitWatch.add(this.#exitParticipant);
  }

  /** The context of the thread that made the node; it is made on first use. */
  get context(): C {
    if (this.#ownContext !== undefined) return this.#ownContext;
    this.#requireOpen();
    const id = this.#ownId;
    const directory = this.#directory;
    const init = this.#initFor(id, this.#options.contextName ?? 'main', this.#options.contextOptions);
    const broker = {
      bind: async (name: string) => directory.bind(id, name),
      unbind: async (name: string) => directory.unbind(id, name),
      connect: (name: string) => directory.connect(id, name),
    };
    const context = this.#factory.createContext({ ...init, shm: { contextId: id, table: this.#table, broker } });
    directory.add({
      id,
      name: init.name,
      attach: async (pair) => context.attach(pair),
      detach: (peerContextId, error) => context.detach(peerContextId, error),
    });
    this.#ownContext = context;
    return context;
  }

  /** The contexts on worker threads that have started and not ended. */
  get contexts(): ContextHandle<unknown, S>[] {
    return [...this.#contexts.values()].filter((context) => context.state !== 'starting');
  }

  /**
   * Starts a context on a thread of its own: imports `module` there and calls the function that it exports by default,
   * `(context, data) => value`. Resolves when that has returned, or the promise that it returned has resolved. Give the
   * type of that function, see {@link ContextMain}, to have `data` and the handle's `value` checked.
   *
   * `module` is a URL, or what `new Worker` takes: an absolute path, or a path starting with `./` or `../` and relative
   * to the current directory.
   *
   * Rejects with `ERR_HEDDLE_CONTEXT_START` when the module cannot be imported, main throws, or the thread ends before
   * main has returned; `cause` tells which. With `ERR_HEDDLE_TIMEOUT` past `startTimeoutMs`, `ERR_HEDDLE_CANCELLED`
   * when `signal` aborts, `ERR_HEDDLE_INVALID_ARGUMENT`, `ERR_HEDDLE_OUT_OF_MEMORY` when the node has as many contexts
   * as it can have (1024). In all these cases the thread is ended.
   *
   * @example
   * const server = await node.startContext(new URL('./server.js', import.meta.url), { data: { portal: 'shm://sums' } });
   */
  async startContext<M extends AnyContextMain = AnyContextMain>(
    module: URL | string,
    options: StartContextOptions<ContextDataOf<M>> = {},
  ): Promise<ContextHandle<ContextValueOf<M>, S>> {
    this.#requireOpen();
    const moduleUrl = resolveModuleUrl(module);
    requireKnownOptions('startContext', options, startOptionNames, (name) =>
      name in defaultContextOptions ? `write options: { ${name}: ... }` : undefined,
    );
    this.#factory.checkOptions?.((options.options ?? {}) as AnyContextOptions);
    const { signal, cpu, startTimeoutMs = defaultStartTimeoutMs } = options;
    requireInteger('startTimeoutMs', startTimeoutMs, 0, longestTimerMs);
    if (cpu !== undefined) requireInteger('cpu', cpu, 0, maximumCpu);
    if (signal?.aborted) throw startCancelled(moduleUrl, signal);

    const { context, control } = this.#launch(moduleUrl, options);
    const onAbort = () => context.terminateBecause(startCancelled(moduleUrl, signal));
    signal?.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(() => {
      const message = `context ${context.name} (id=${context.id}) did not start in time: startTimeoutMs=${startTimeoutMs} module=${moduleUrl}`;
      context.terminateBecause(new HeddleError('ERR_HEDDLE_TIMEOUT', message));
    }, startTimeoutMs);
    let started = false;
    void context.endedForNode.then((end) => {
      signal?.removeEventListener('abort', onAbort);
      this.#forget(context, end, started);
    });
    try {
      await context.start(async () => {
        if (cpu !== undefined) await this.#bindToCpu(context, control, cpu);
        return control.start(moduleUrl, options.data, options.transferList ?? []);
      });
      started = true;
      return context as unknown as ContextHandle<ContextValueOf<M>, S>;
    } catch (error) {
      const failure = startFailure(context, moduleUrl, error);
      context.terminateBecause(failure);
      throw failure;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Stops all contexts gracefully, this thread's own one too; those that take longer than `timeoutMs` (default 5000)
   * are terminated. Idempotent; never rejects.
   *
   * @throws ERR_HEDDLE_INVALID_ARGUMENT, at once, for a time that is no whole number of milliseconds from 0 on, and for other options
   */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = timeLimitMs('close', options, defaultStopTimeoutMs);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  /** Stops all contexts gracefully: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    await Promise.all([this.#stopContexts(timeoutMs), this.#stopOwnContext(timeoutMs)]);
    exitWatch.remove(this.#exitParticipant);
    // All threads have gone, unless one refused to: that is not waited for.
    void this.#pools.destroy();
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new HeddleError('ERR_HEDDLE_CLOSED', 'the node was closed; make another one with createNode()');
  }

  #initFor(id: number, name: string, options: Partial<ContextOptions> | undefined): Omit<ContextInit, 'shm'> {
    return {
      id,
      name,
      options: (options ?? {}) as AnyContextOptions,
      statisticsMemory: new SharedArrayBuffer(this.#factory.statisticsBytes),
      slabCounter: this.#slabCounter,
      activity: this.#activityOf(id),
      secret: this.#secret,
    };
  }

  #activityOf(id: number): Int32Array {
    return new Int32Array(this.#activity, id * activityLineWords * 4, activityLineWords);
  }

  /** Makes the thread of a context and enters the context everywhere. */
  #launch<D>(moduleUrl: string, options: StartContextOptions<D>) {
    const id = this.#lines.acquire();
    const name = options.name ?? contextNameFor(moduleUrl, id);
    const init = this.#initFor(id, name, options.options);
    const controlChannel = new MessageChannel();
    const directoryChannel = new MessageChannel();
    const task: ContextTask = {
      factoryUrl: this.#factory.moduleUrl,
      init,
      hasSourceMaps: process.sourceMapsEnabled,
      table: this.#table,
      controlPort: controlChannel.port2,
      directoryPort: directoryChannel.port2,
    };
    const threadPorts = [controlChannel.port2, directoryChannel.port2];
    try {
      const thread = this.#pools.run(contextWorkerUrl, task, threadPorts, name, options);
      const control = new ControlClient(controlChannel.port1);
      const context = new WorkerContext<unknown, S>({
        id,
        name,
        thread,
        control,
        readStatistics: () => this.#factory.readStatistics(init.statisticsMemory),
        report: (error) => this.#report(error),
      });
      this.#contexts.set(id, context);
      this.#directory.add(context);
      exposeDirectory(directoryChannel.port1, this.#directory, id);
      return { context, control };
    } catch (error) {
      controlChannel.port1.close();
      directoryChannel.port1.close();
      this.#lines.retire(id);
      this.#lines.setState(id, 'free');
      throw startFailure({ id, name }, moduleUrl, error);
    }
  }

  async #bindToCpu(context: WorkerContext<unknown, S>, control: ControlClient, cpu: number): Promise<void> {
    const error = await bindThreadToCpu(await control.osThreadId(), cpu);
    context.setCpu(error === undefined ? cpu : undefined, error);
    if (error !== undefined) this.#report(error);
  }

  /** A context's thread has gone. */
  #forget(context: WorkerContext<unknown, S>, end: ContextEnd, started: boolean): void {
    const lost = context.lostError ?? contextLostError(context.id, context.name, end);
    this.#contexts.delete(context.id);
    this.#directory.contextEnded(context.id, lost);
    this.#lines.retire(context.id);
    this.#lines.setState(context.id, 'free');
    if (!started) return; // The rejection of startContext tells it.
    const isExpected = end.reason === 'stopped' || end.reason === 'terminated';
    if (!this.emit('contextEnd', context, end) && !isExpected && !context.isEndAwaited) this.#report(lost);
  }

  #report(error: unknown): void {
    if (!this.emit('report', error)) process.emitWarning(error instanceof Error ? error : thrownText(error));
  }

  async #stopContexts(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#contexts.values()].map((context) => context.stopForNode(timeoutMs)));
  }

  async #stopOwnContext(timeoutMs: number): Promise<void> {
    const context = this.#ownContext;
    if (context === undefined || this.#ownContextStopped) return;
    this.#ownContextStopped = true;
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    try {
      await Promise.race([context.stop({ timeoutMs }), timeUp]);
    } catch (error) {
      this.#report(error);
    } finally {
      clearTimeout(timer);
      this.#directory.contextEnded(this.#ownId, contextLostError(this.#ownId, context.name, { reason: 'stopped' }));
    }
  }

  readonly #exitParticipant: ExitParticipant = {
    hasContexts: () => this.#contexts.size > 0,
    hasOwnContext: () => this.#ownContext !== undefined && !this.#ownContextStopped,
    readPassivity: () => this.#readPassivity(),
    stopContexts: () => this.#stopContexts(defaultStopTimeoutMs),
    stopOwnContext: () => this.#stopOwnContext(defaultStopTimeoutMs),
  };

  async #readPassivity(): Promise<string | undefined> {
    if (this.#ownContext?.hasOutstandingWork()) return undefined;
    const readings = [`${this.#ownId}=${Atomics.load(this.#activityOf(this.#ownId), 0)}`];
    // One after another: the first that is not passive answers for all, and the others are left in peace.
    for (const context of [...this.#contexts.values()]) {
      const passivity = await context.readPassivity();
      if (passivity === undefined || !passivity.passive) return undefined;
      readings.push(`${context.id}=${passivity.activity}`);
    }
    return readings.join(',');
  }
}

function startCancelled(moduleUrl: string, signal: AbortSignal | undefined): HeddleError {
  return new HeddleError('ERR_HEDDLE_CANCELLED', `its abort signal ended the context: module=${moduleUrl}`, {
    cause: signal?.reason,
  });
}

/** Codes that startContext rejects with as they are; every other failure becomes `ERR_HEDDLE_CONTEXT_START`. */
const plainStartCodes = new Set(['ERR_HEDDLE_TIMEOUT', 'ERR_HEDDLE_CANCELLED', 'ERR_HEDDLE_CLOSED']);

function startFailure(context: { id: number; name: string }, moduleUrl: string, error: unknown): HeddleError {
  if (error instanceof HeddleError && plainStartCodes.has(error.code)) return error;
  // A RemoteError's message names the class that the error had on its thread.
  const hasClass = error instanceof Error && !(error instanceof HeddleError);
  const why = hasClass ? `${error.name}: ${error.message}` : ((error as Error | undefined)?.message ?? String(error));
  return new HeddleError(
    'ERR_HEDDLE_CONTEXT_START',
    `context ${context.name} (id=${context.id}) could not start: ${why} (module=${moduleUrl})`,
    { cause: error, details: { contextId: context.id, contextName: context.name, module: moduleUrl } },
  );
}

/**
 * Makes a node. A process usually has one.
 *
 * @example
 * const node = createNode();
 * const server = await node.startContext(new URL('./server.js', import.meta.url));
 * await node.close();
 */
export function createNode(options: NodeOptions = {}): HeddleNode {
  return new HeddleNode(options, contextFactory);
}
