import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { RingPair } from '../../transports/shm/ring-pair.js';
import type { AnyContextMain } from './context-main.js';
import type { ContextFactory, ContextInit, DirectedContext } from './context-runtime.js';
import { type ContextControl, DirectoryClient, exposeControl } from './control.js';
import { currentOsThreadId } from './cpu-placement.js';
import { fromWireError, type Outcome, outcomeOf } from './error-wire.js';
import { afterImports, importModule } from './import-module.js';
import { collectAllGarbage, LoadingGarbage } from './loading-garbage.js';
import { activePorts, isLoopAliveWithout, type LoopHold } from './loop-liveness.js';
import { ResourceBaseline } from './resource-baseline.js';

/** What a worker thread is started with. */
export interface ContextTask {
  /** The module that exports the {@link ContextFactory}. */
  readonly factoryUrl: string;
  /** All of {@link ContextInit} that can be cloned. */
  readonly init: Omit<ContextInit, 'shm'>;
  /** Whether the stacks of errors lead to the sources, as they do in the thread that starts this one. */
  readonly hasSourceMaps: boolean;
  /** The context table. */
  readonly table: SharedArrayBuffer;
  readonly controlPort: MessagePort;
  readonly directoryPort: MessagePort;
}

/** The piscina task of a thread that is a context: makes the context, and returns when it has been stopped. */
export default function runContext(task: ContextTask): Promise<Outcome<void>> {
  return outcomeOf(async () => {
    // Given on the command line it holds for every thread; turned on by a call only for the one that calls.
    if (task.hasSourceMaps) process.setSourceMapsEnabled(true);
    const { contextFactory } = (await import(task.factoryUrl)) as { contextFactory: ContextFactory };
    const directory = new DirectoryClient(task.directoryPort);
    const context = contextFactory.createContext({
      ...task.init,
      shm: { contextId: task.init.id, table: task.table, broker: directory },
    });
    const control = new WorkerControl(context, directory, task.init.activity);
    exposeControl(task.controlPort, control);
    await control.stopped;
    await flushOutput(process.stdout);
    await flushOutput(process.stderr);
  });
}

/** Lets the node's thread steer this thread's context. */
class WorkerControl implements ContextControl {
  /** Resolves when the context has been stopped, whatever came of that. */
  readonly stopped: Promise<void>;
  readonly #context: DirectedContext;
  readonly #directory: DirectoryClient;
  readonly #activity: Int32Array;
  /** Those of the pool and of the node, by which they steer this thread. */
  #steeringPorts: readonly LoopHold[] = [];
  #markStopped: () => void = () => {};
  #baseline: ResourceBaseline | undefined;
  #started = false;

  constructor(context: DirectedContext, directory: DirectoryClient, activity: Int32Array) {
    this.#context = context;
    this.#directory = directory;
    this.#activity = activity;
    this.stopped = new Promise((resolve) => {
      this.#markStopped = resolve;
    });
    const garbage = new LoadingGarbage({
      clock: systemClock,
      activity: () => Atomics.load(activity, 0),
      // Its main function may be loading more.
      isBusy: () => !this.#started || context.hasOutstandingWork(),
      collect: () => {
        collectAllGarbage().catch(() => {
          // Built without an inspector, or not permitted to use it: the thread keeps the memory.
        });
      },
    });
    afterImports(() => garbage.onLoaded());
  }

  start(moduleUrl: string, parcel: { readonly data: unknown }): Promise<Outcome<unknown>> {
    // Before the user's module adds to them.
    this.#baseline = new ResourceBaseline();
    this.#steeringPorts = activePorts();
    return outcomeOf(async () => {
      const main = mainFunctionOf(await importModule(moduleUrl), moduleUrl);
      const value = await main(this.#context, parcel.data);
      this.#started = true;
      return value;
    });
  }

  attach(pair: RingPair): Promise<Outcome<void>> {
    return outcomeOf(() => this.#context.attach(pair));
  }

  detach(peerContextId: number, error: Parameters<ContextControl['detach']>[1]): void {
    this.#context.detach(peerContextId, fromWireError(error));
  }

  stop(timeoutMs: number): Promise<Outcome<void>> {
    return outcomeOf(async () => {
      try {
        await this.#context.stop({ timeoutMs });
      } finally {
        // The answer is posted first: the task's end takes the thread away.
        setImmediate(this.#markStopped);
      }
    });
  }

  getOptions() {
    return outcomeOf(() => this.#context.getOptions());
  }

  setOptions(changes: Parameters<ContextControl['setOptions']>[0]): Promise<Outcome<void>> {
    return outcomeOf(() => this.#context.setOptions(changes));
  }

  async passivity() {
    const passive = !this.#isBusy() && !(await isLoopAliveWithout(this.#steeringPorts)) && !this.#isBusy();
    return { passive, activity: Atomics.load(this.#activity, 0) };
  }

  /** Whether there is work that can be seen without trying: most is. */
  #isBusy(): boolean {
    return (
      !this.#started ||
      this.#baseline === undefined ||
      this.#baseline.isExceeded() ||
      this.#directory.pending > 0 ||
      this.#context.hasOutstandingWork()
    );
  }

  osThreadId(): number | undefined {
    return currentOsThreadId();
  }
}

function mainFunctionOf(module: unknown, moduleUrl: string): AnyContextMain {
  const exported = (module as { default?: unknown }).default;
  // What a CommonJS module exports as `exports.default` arrives one level deeper.
  const main = typeof exported === 'function' ? exported : (exported as { default?: unknown } | undefined)?.default;
  if (typeof main === 'function') return main as AnyContextMain;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    'the module of a context must export by default its main function: export default (context, data) => value',
    { details: { module: moduleUrl } },
  );
}

/** Waits until what the thread has written has reached the node's thread: what is left behind is lost with the thread. */
function flushOutput(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
