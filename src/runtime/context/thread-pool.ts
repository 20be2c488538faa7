import workerThreads, { type MessagePort, type ResourceLimits, type Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { HeddleError } from '../../errors.js';
import { maximumContexts } from '../../transports/shm/context-table.js';
import type { ThreadEnd } from './context-end.js';
import { fromWireError, type Outcome } from './error-wire.js';

/** What threads are made with. Threads with the same settings come from the same pool. */
export interface ThreadSettings {
  /** Heap and stack limits of the thread, as for a `Worker` of node:worker_threads. */
  readonly resourceLimits?: ResourceLimits;
  /** The thread's `process.env`. Default: a copy of this thread's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Node.js options of the thread. Default: those of the process. */
  readonly execArgv?: readonly string[];
}

/** A thread that runs one task, from its making to its end. */
export interface Thread {
  /** Number of the thread in this process, as in node:worker_threads. */
  readonly threadId: number;
  /** Resolves when the thread has gone; never rejects. */
  readonly ended: Promise<ThreadEnd>;
  /** Ends the thread at once, wherever it is. Harmless when it has gone. */
  terminate(): void;
}

type PiscinaOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;
type Balancer = NonNullable<PiscinaOptions['loadBalancer']>;
type Candidate = Parameters<Balancer>[1][number];
type TaskQueue = NonNullable<PiscinaOptions['taskQueue']>;
type QueuedTask = Parameters<TaskQueue['push']>[0];

/** The number that a task carries through piscina. */
function taskKeyOf(task: object): number {
  const options = (task as Record<symbol, unknown>)[Piscina.queueOptionsSymbol] as { taskKey: number };
  return options.taskKey;
}

/** The tasks that wait until their thread is ready. A task whose thread fails before that can be dropped. */
class WaitingTasks implements TaskQueue {
  readonly #tasks = new Map<number, QueuedTask>();

  get size(): number {
    return this.#tasks.size;
  }

  push(task: QueuedTask): void {
    this.#tasks.set(taskKeyOf(task), task);
  }

  shift(): QueuedTask | null {
    const [first] = this.#tasks.values();
    if (first !== undefined) this.remove(first);
    return first ?? null;
  }

  remove(task: QueuedTask): void {
    this.drop(taskKeyOf(task));
  }

  drop(taskKey: number): void {
    this.#tasks.delete(taskKey);
  }
}

/**
 * Takes from the process the reference that piscina holds on it for each running task: a context runs until it is
 * stopped, and an idle one must not keep the process alive. piscina has no public call for that; its worker objects
 * carry the one that has it, under a symbol. Should that change, nothing breaks, but then a process with running
 * contexts ends by `close()` only.
 */
function releaseProcess(candidate: Candidate): void {
  for (const symbol of Object.getOwnPropertySymbols(candidate)) {
    const workerInfo = (candidate as unknown as Record<symbol, unknown>)[symbol] as { unref?: unknown } | null;
    if (typeof workerInfo?.unref === 'function') workerInfo.unref();
  }
}

/**
 * Makes what `make` makes with a name on its thread, for debuggers and the operating system's tools. piscina passes no
 * name on; it makes the thread within the call, by the constructor that node:worker_threads holds at that moment. Should
 * that change, nothing breaks, but then threads have no names.
 */
function withThreadName<T>(name: string, make: () => T): T {
  const { Worker } = workerThreads;
  workerThreads.Worker = class extends Worker {
    constructor(filename: string | URL, options?: workerThreads.WorkerOptions) {
      super(filename, { ...options, name });
    }
  };
  try {
    return make();
  } finally {
    workerThreads.Worker = Worker;
  }
}

/** The threads that have the same settings. */
class ThreadPool {
  readonly #waiting = new WaitingTasks();
  /** By task: the thread that was made for it. */
  readonly #threadOfTask = new Map<number, Worker>();
  readonly #piscina: Piscina;
  #lastTaskKey = 0;

  constructor(settings: ThreadSettings) {
    this.#piscina = new Piscina({
      minThreads: 0,
      maxThreads: maximumContexts,
      // A thread is not used again: what a context leaves behind in it must not reach another one.
      idleTimeout: 0,
      // A context's event loop has to turn: no waiting with Atomics.
      atomics: 'disabled',
      recordTiming: false,
      taskQueue: this.#waiting,
      loadBalancer: (task, workers) => this.#choose(task, workers),
      ...(settings.resourceLimits && { resourceLimits: settings.resourceLimits }),
      ...(settings.env && { env: settings.env }),
      ...(settings.execArgv && { execArgv: [...settings.execArgv] }),
    });
    // Emitted for a thread that fails before its task has reached it: that is seen on the thread itself, below.
    this.#piscina.on('error', () => {});
  }

  run(taskUrl: string, task: object, transferList: readonly MessagePort[], name: string): Thread {
    const taskKey = ++this.#lastTaskKey;
    const before = new Set(this.#piscina.threads);
    let returned: Promise<unknown>;
    try {
      returned = withThreadName(name, () =>
        this.#piscina.run(
          { ...task, [Piscina.queueOptionsSymbol]: { taskKey } },
          { filename: taskUrl, transferList: [...transferList] as never },
        ),
      );
    } catch (error) {
      this.#waiting.drop(taskKey);
      throw error;
    }
    // piscina makes a thread at once for a task that no thread is free for, and none ever is.
    const worker = this.#piscina.threads.find((thread) => !before.has(thread));
    if (worker === undefined) {
      this.#waiting.drop(taskKey);
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', 'piscina made no thread for the context; is it closing?');
    }
    this.#threadOfTask.set(taskKey, worker);
    const forget = () => {
      // Left in the queue the task would make piscina start threads for it that are none of its own.
      this.#waiting.drop(taskKey);
      this.#threadOfTask.delete(taskKey);
    };
    return {
      threadId: worker.threadId,
      ended: watchThread(worker, returned, forget),
      terminate() {
        forget();
        void worker.terminate();
      },
    };
  }

  async destroy(): Promise<void> {
    await this.#piscina.destroy();
  }

  /** Gives each task the thread that was made for it, and none before that. */
  #choose(task: object, workers: Candidate[]): Candidate | null {
    const threadId = this.#threadOfTask.get(taskKeyOf(task))?.threadId;
    const chosen = workers.find((candidate) => candidate.id === threadId) ?? null;
    // piscina takes its reference when it posts the task, right after this returns.
    if (chosen !== null) queueMicrotask(() => releaseProcess(chosen));
    return chosen;
  }
}

function watchThread(worker: Worker, returned: Promise<unknown>, forget: () => void): Promise<ThreadEnd> {
  let outcome: Outcome<void> | undefined;
  let thrown: { error: unknown } | undefined;
  returned.then(
    (value) => {
      outcome = value as Outcome<void>;
    },
    (error) => {
      // While the thread lives: the task could not be posted, or not be loaded.
      thrown ??= { error };
    },
  );
  worker.once('error', (error: unknown) => {
    forget();
    thrown = { error: error ?? new Error(`the thread threw ${String(error)}`) };
  });
  return new Promise((resolve) => {
    worker.once('exit', (exitCode) => {
      forget();
      if (thrown === undefined && outcome?.ok === false) thrown = { error: fromWireError(outcome.error) };
      const end = { completed: outcome?.ok === true, error: thrown?.error, exitCode };
      // What the thread posted before its end has arrived, but perhaps not been delivered: that comes first, so that a
      // call which was answered does not count as lost.
      setImmediate(() => resolve(end));
    });
  });
}

/** The pools of a node, one for each distinct set of thread settings. */
export class ThreadPools {
  readonly #pools = new Map<string, ThreadPool>();

  /**
   * Makes a thread of that name and runs the default export of `taskUrl` on it, once; that returns an {@link Outcome}. Throws what
   * the thread's settings make `Worker` throw.
   */
  run(
    taskUrl: string,
    task: object,
    transferList: readonly MessagePort[],
    name: string,
    settings: ThreadSettings,
  ): Thread {
    const key = JSON.stringify([settings.resourceLimits ?? null, settings.env ?? null, settings.execArgv ?? null]);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new ThreadPool(settings);
      this.#pools.set(key, pool);
    }
    return pool.run(taskUrl, task, transferList, name);
  }

  /** Ends all threads at once; resolves when they have gone. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }
}
