import type { MessagePort, ResourceLimits, Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { HeddleError } from '../../errors.js';
import type { ThreadEnd } from './context-end.js';
import { fromWireError, type Outcome } from './error-wire.js';
import { maximumContexts } from '../../transports/shm/context-table.js';

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

type Balancer = NonNullable<ConstructorParameters<typeof Piscina>[0]>['loadBalancer'];
type Candidate = Parameters<NonNullable<Balancer>>[1][number];

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

function startPool(settings: ThreadSettings, balance: NonNullable<Balancer>): Piscina {
  const pool = new Piscina({
    minThreads: 0,
    maxThreads: maximumContexts,
    // A thread is not used again: what a context leaves behind in it must not reach another one.
    idleTimeout: 0,
    // A context's event loop has to turn: no waiting with Atomics.
    atomics: 'disabled',
    recordTiming: false,
    loadBalancer: (task, workers) => balance(task, workers),
    ...(settings.resourceLimits && { resourceLimits: settings.resourceLimits }),
    ...(settings.env && { env: settings.env }),
    ...(settings.execArgv && { execArgv: [...settings.execArgv] }),
  });
  // Emitted for a thread that fails before its task has reached it: that is seen on the thread itself, below.
  pool.on('error', () => {});
  return pool;
}

/** The piscina pools of a node, one for each distinct set of thread settings. */
export class ThreadPools {
  readonly #pools = new Map<string, Piscina>();
  /** For each task that waits for its thread, by the key that it carries: the thread that was made for it. */
  readonly #threadOfTask = new Map<number, Worker>();
  #lastTaskKey = 0;

  /**
   * Makes a thread and runs the default export of `taskUrl` on it, once; that returns an {@link Outcome}. Throws what the thread's settings or the
   * task's data make `Worker` or `postMessage` throw.
   */
  run(taskUrl: string, task: object, transferList: readonly MessagePort[], settings: ThreadSettings): Thread {
    const pool = this.#pool(settings);
    const taskKey = ++this.#lastTaskKey;
    const abortion = new AbortController();
    const before = new Set(pool.threads);
    let returned: Promise<unknown>;
    try {
      returned = pool.run(
        { ...task, [Piscina.queueOptionsSymbol]: { taskKey } },
        { filename: taskUrl, transferList: [...transferList] as never, signal: abortion.signal },
      );
    } catch (error) {
      abortion.abort();
      throw error;
    }
    const worker = pool.threads.find((thread) => !before.has(thread));
    if (worker === undefined) {
      abortion.abort();
      returned.catch(() => {});
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', 'piscina made no thread for the context; is it closing?');
    }
    this.#threadOfTask.set(taskKey, worker);
    return {
      threadId: worker.threadId,
      ended: this.#watch(worker, returned, abortion, taskKey),
      terminate: () => abortion.abort(),
    };
  }

  /** Ends all threads at once; resolves when they have gone. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  #watch(worker: Worker, returned: Promise<unknown>, abortion: AbortController, taskKey: number): Promise<ThreadEnd> {
    let outcome: Outcome<void> | undefined;
    let thrown: { error: unknown } | undefined;
    returned.then(
      (value) => {
        outcome = value as Outcome<void>;
      },
      (error) => {
        // Before the thread has gone, and not by abortion: the task could not be posted, or not be loaded.
        if (!abortion.signal.aborted) thrown ??= { error };
      },
    );
    worker.once('error', (error: unknown) => {
      thrown = { error: error ?? new Error(`the thread threw ${String(error)}`) };
    });
    return new Promise((resolve) => {
      worker.once('exit', (exitCode) => {
        this.#threadOfTask.delete(taskKey);
        // A task whose thread went before it arrived would wait in piscina's queue for another one.
        abortion.abort();
        if (thrown === undefined && outcome?.ok === false) thrown = { error: fromWireError(outcome.error) };
        resolve({ completed: outcome?.ok === true, error: thrown?.error, exitCode });
      });
    });
  }

  #pool(settings: ThreadSettings): Piscina {
    const key = JSON.stringify([settings.resourceLimits ?? null, settings.env ?? null, settings.execArgv ?? null]);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const made = startPool(settings, (task, workers) => this.#choose(made, task, workers));
      pool = made;
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Gives each task the thread that was made for it, and none before that. */
  #choose(pool: Piscina, task: Parameters<NonNullable<Balancer>>[0], workers: Candidate[]): Candidate | null {
    const options = (task as unknown as Record<symbol, unknown>)[Piscina.queueOptionsSymbol] as { taskKey: number };
    const worker = this.#threadOfTask.get(options.taskKey);
    if (worker === undefined || !pool.threads.includes(worker)) return null;
    const chosen = workers.find((candidate) => candidate.id === worker.threadId) ?? null;
    // piscina takes its reference when it posts the task, right after this returns.
    if (chosen !== null) queueMicrotask(() => releaseProcess(chosen));
    return chosen;
  }
}
