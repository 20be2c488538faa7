import { fileURLToPath } from 'node:url';
import type { ResourceLimits } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { longestTimerMs } from '../../../clock.js';
import { HeddleError, requireInteger, requireKnownOptions } from '../../../errors.js';
import { type Outcome, unwrapOutcome } from '../../context/error-wire.js';
import type { OffloadTask } from './offload-task.js';

/** The threads that run offloaded functions: each context that offloads has as many of its own. */
export interface OffloadPoolOptions {
  /** Default: as many as the machine has cores for each worker context, and at least one. They start when they are needed. */
  readonly maximumThreads?: number | undefined;
  /** Calls that may wait for a thread; of more, each is `ERR_HEDDLE_OFFLOAD_FULL`. Default: 1024. */
  readonly queueCapacity?: number | undefined;
  /** How long a thread without work stays, in milliseconds. Default: 10 000. */
  readonly idleTimeoutMs?: number | undefined;
  /** Heap and stack limits of the threads, as for a `Worker` of node:worker_threads. */
  readonly resourceLimits?: ResourceLimits | undefined;
}

/** Pool options with their defaults; they travel to the worker contexts. */
export interface OffloadPoolSettings {
  readonly maximumThreads: number;
  readonly queueCapacity: number;
  readonly idleTimeoutMs: number;
  readonly resourceLimits: ResourceLimits | undefined;
}

const optionNames = ['maximumThreads', 'queueCapacity', 'idleTimeoutMs', 'resourceLimits'];

/** The options with their defaults. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function offloadOptionsWith(options: OffloadPoolOptions, defaultThreads: number): OffloadPoolSettings {
  requireKnownOptions('offload', options, optionNames);
  return {
    maximumThreads: requireInteger('maximumThreads', options.maximumThreads ?? defaultThreads, 1, 1024),
    queueCapacity: requireInteger('queueCapacity', options.queueCapacity ?? 1024, 0, 2 ** 24),
    idleTimeoutMs: requireInteger('idleTimeoutMs', options.idleTimeoutMs ?? 10_000, 0, longestTimerMs),
    resourceLimits: options.resourceLimits,
  };
}

/** One context's threads for offloaded functions: made on first use. */
export class OffloadPool {
  readonly #settings: OffloadPoolSettings;
  #piscina: Piscina | undefined;
  #isClosed = false;
  /** Calls that wait or run. */
  pending = 0;

  constructor(settings: OffloadPoolSettings) {
    this.#settings = settings;
  }

  /**
   * Runs a function on a thread. When the signal aborts, what waits is dropped, and the thread of what runs is ended; the
   * caller has to give the promise up then.
   */
  async run(task: OffloadTask, transfer: readonly unknown[], signal: AbortSignal): Promise<unknown> {
    const { maximumThreads, queueCapacity } = this.#settings;
    if (this.#isClosed) throw new HeddleError('ERR_HEDDLE_CLOSED', 'the actor system was closed');
    if (this.pending >= maximumThreads + queueCapacity) {
      throw new HeddleError(
        'ERR_HEDDLE_OFFLOAD_FULL',
        `pending=${this.pending} calls wait or run: maximumThreads=${maximumThreads} queueCapacity=${queueCapacity}; ` +
          'await some of them first, or give the system more by its option offload',
        { details: { pending: this.pending, maximumThreads, queueCapacity } },
      );
    }
    this.pending++;
    let outcome: Outcome<unknown>;
    try {
      this.#piscina ??= this.#makePool();
      outcome = (await this.#piscina.run(task, { signal, transferList: [...transfer] as never })) as Outcome<unknown>;
    } catch (cause) {
      throw lost(task, cause);
    } finally {
      this.pending--;
    }
    return unwrapOutcome(outcome);
  }

  #makePool(): Piscina {
    const { maximumThreads, idleTimeoutMs, resourceLimits } = this.#settings;
    const piscina = new Piscina({
      filename: fileURLToPath(new URL('./offload-task.js', import.meta.url)),
      minThreads: 0,
      maxThreads: maximumThreads,
      idleTimeout: idleTimeoutMs,
      // A function may leave something to be done by its thread's event loop, which waiting with Atomics would stop.
      atomics: 'disabled',
      recordTiming: false,
      ...(resourceLimits !== undefined && { resourceLimits }),
    });
    // For a thread that fails while it has nothing to do: the next call gets another.
    piscina.on('error', () => {});
    return piscina;
  }

  /** Ends the threads; resolves when they have gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const piscina = this.#piscina;
    this.#piscina = undefined;
    await piscina?.destroy();
  }
}

/** The call came to nothing, and not by its function's own error. */
function lost({ module, name }: OffloadTask, cause: unknown): HeddleError {
  const { name: kind, code } = (cause ?? {}) as { name?: unknown; code?: unknown };
  if (kind === 'DataCloneError' || code === 'DataCloneError') {
    const text = `an argument or the result of ${name} cannot be cloned: ${(cause as Error).message} (module=${module})`;
    return new HeddleError('ERR_HEDDLE_CODEC', text, { cause });
  }
  return new HeddleError('ERR_HEDDLE_OFFLOAD_LOST', `the thread that ran ${name} ended: ${cause} (module=${module})`, {
    cause,
  });
}
