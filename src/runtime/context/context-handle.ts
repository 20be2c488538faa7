import { HeddleError } from '../../errors.js';
import { timeLimitMs } from '../../time-limits.js';
import type { RingPair } from '../../transports/shm/ring-pair.js';
import { type ContextEnd, contextLostError, describeEnd, type ThreadEnd } from './context-end.js';
import type { ContextOptions } from './context-options.js';
import type { AnyContextOptions } from './context-runtime.js';
import type { ControlClient, Passivity } from './control.js';
import type { DirectoryMember } from './directory.js';
import { toWireError } from './error-wire.js';
import type { Thread } from './thread-pool.js';

/** `lost`: it ended in another way than by being stopped. */
export type ContextHandleState = 'starting' | 'running' | 'stopping' | 'stopped' | 'lost';

/** How long a stop may take unless told otherwise. */
export const defaultStopTimeoutMs = 5000;
/** How long a terminated thread may take to go. Only a thread inside of a native call that does not return takes longer. */
const terminationGraceMs = 10_000;

/**
 * A context on a worker thread, as the thread that started it sees it. `V` is what its main function returned, `S` what
 * it counts.
 */
export interface ContextHandle<V = unknown, S = unknown> extends AsyncDisposable {
  /** Number of the context in its node; given again after the context has ended. */
  readonly id: number;
  /** For messages to people; need not be unique. */
  readonly name: string;
  /** Number of its thread, as in node:worker_threads. */
  readonly threadId: number;
  /** Where the context is in its life. */
  readonly state: ContextHandleState;
  /** What the main function returned. */
  readonly value: V;
  /** The CPU that its thread is bound to; undefined when none was asked for, or it could not be done. */
  readonly cpu: number | undefined;
  /** Why the thread could not be bound to the CPU that was asked for: `ERR_HEDDLE_CPU_NOT_HONOURED`. */
  readonly cpuError: HeddleError | undefined;
  /** How the context ended; resolves when its thread has gone (or refuses to: after 10 s), never rejects. */
  readonly ended: Promise<ContextEnd>;
  /**
   * Stops the context gracefully, and its thread with it. Past `timeoutMs` (default 5000) it is terminated. May be
   * called again, and after the end; a shorter time then counts.
   */
  stop(options?: { timeoutMs?: number }): Promise<ContextEnd>;
  /** Ends the thread at once, wherever it is: nothing is sent or answered any more. */
  terminate(): Promise<ContextEnd>;
  /** What the context counts, read from shared memory: it is not disturbed by this, and not needed for it. */
  statistics(): S;
  /** The options in force. Rejects with `ERR_HEDDLE_CONTEXT_LOST` when the context has ended. */
  getOptions(): Promise<ContextOptions>;
  /**
   * Changes live options at run time. Rejects with `ERR_HEDDLE_INVALID_ARGUMENT`, `ERR_HEDDLE_INVALID_STATE` for those that
   * are fixed, and `ERR_HEDDLE_CONTEXT_LOST` when the context has ended.
   */
  setOptions(changes: Partial<ContextOptions>): Promise<void>;
}

/** What a {@link WorkerContext} is made of. */
export interface WorkerContextParts<S> {
  readonly id: number;
  readonly name: string;
  readonly thread: Thread;
  readonly control: ControlClient;
  readonly readStatistics: () => S;
  /** Takes what would else pass unseen. */
  readonly report: (error: unknown) => void;
}

/** A worker's context in the node's thread: handle, member of the directory, and owner of the control channel. */
export class WorkerContext<V = unknown, S = unknown> implements ContextHandle<V, S>, DirectoryMember {
  readonly id: number;
  readonly name: string;
  readonly threadId: number;
  readonly #ended: Promise<ContextEnd>;
  readonly #thread: Thread;
  readonly #control: ControlClient;
  readonly #readStatistics: () => S;
  readonly #report: (error: unknown) => void;
  #state: ContextHandleState = 'starting';
  #value: V | undefined;
  #cpu: number | undefined;
  #cpuError: HeddleError | undefined;
  #termination: { readonly cause: unknown } | undefined;
  #lost: HeddleError | undefined;
  #isEndAwaited = false;
  #interruptStart: ((error: unknown) => void) | undefined;
  #giveUpThread: (end: ThreadEnd) => void = () => {};
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(parts: WorkerContextParts<S>) {
    this.id = parts.id;
    this.name = parts.name;
    this.threadId = parts.thread.threadId;
    this.#thread = parts.thread;
    this.#control = parts.control;
    this.#readStatistics = parts.readStatistics;
    this.#report = parts.report;
    const givenUp = new Promise<ThreadEnd>((resolve) => {
      this.#giveUpThread = resolve;
    });
    this.#ended = Promise.race([parts.thread.ended, givenUp]).then((threadEnd) => {
      clearTimeout(this.#graceTimer);
      const end = describeEnd(threadEnd, this.#termination);
      this.#state = end.reason === 'stopped' ? 'stopped' : 'lost';
      this.#lost = contextLostError(this.id, this.name, end);
      this.#control.lose(this.#lost);
      return end;
    });
  }

  get state(): ContextHandleState {
    return this.#state;
  }

  get value(): V {
    return this.#value as V;
  }

  get cpu(): number | undefined {
    return this.#cpu;
  }

  get cpuError(): HeddleError | undefined {
    return this.#cpuError;
  }

  get ended(): Promise<ContextEnd> {
    this.#isEndAwaited = true;
    return this.#ended;
  }

  /** Whether somebody outside has asked for the end: then an unexpected one does not pass unseen. */
  get isEndAwaited(): boolean {
    return this.#isEndAwaited;
  }

  /** For the node itself: the end, without counting as somebody who waits for it. */
  get endedForNode(): Promise<ContextEnd> {
    return this.#ended;
  }

  /** The error for those who wait on the context; undefined until it has ended. */
  get lostError(): HeddleError | undefined {
    return this.#lost;
  }

  /** Says what came of the CPU hint. */
  setCpu(cpu: number | undefined, error: HeddleError | undefined): void {
    this.#cpu = cpu;
    this.#cpuError = error;
  }

  /**
   * Runs `work`, which starts the context and returns what main returned; then the context is running. Rejects as
   * `work` does, with what {@link terminateBecause} is given meanwhile, or with `ERR_HEDDLE_CONTEXT_LOST`.
   */
  async start(work: () => Promise<unknown>): Promise<void> {
    const value = await new Promise<unknown>((resolve, reject) => {
      this.#interruptStart = reject;
      work().then(resolve, reject);
    });
    this.#interruptStart = undefined;
    if (this.#lost !== undefined) throw this.#lost;
    this.#value = value as V;
    this.#state = 'running';
  }

  stop(options: { timeoutMs?: number } = {}): Promise<ContextEnd> {
    const timeoutMs = timeLimitMs('stop', options, defaultStopTimeoutMs);
    this.#isEndAwaited = true;
    return this.stopForNode(timeoutMs);
  }

  stopForNode(timeoutMs: number): Promise<ContextEnd> {
    if (this.#lost !== undefined) return this.#ended;
    // This timer also keeps the process alive until the thread has gone.
    const timer = setTimeout(() => {
      const cause = new HeddleError(
        'ERR_HEDDLE_TIMEOUT',
        `context ${this.name} (id=${this.id}) did not stop in time: timeoutMs=${timeoutMs}`,
      );
      this.terminateBecause(cause);
    }, timeoutMs);
    void this.#ended.then(() => clearTimeout(timer));
    if (this.#state === 'running') {
      this.#state = 'stopping';
      // The context gets a little less, so that it can still end in order when it has used up its time.
      this.#control.stop(Math.floor(timeoutMs * 0.9)).catch((error) => {
        if (error !== this.#lost) this.#report(error);
      });
    } else if (this.#state === 'starting') {
      this.terminateBecause(
        new HeddleError(
          'ERR_HEDDLE_CLOSED',
          `the node was closed while context ${this.name} (id=${this.id}) was starting`,
        ),
      );
    }
    return this.#ended;
  }

  terminate(): Promise<ContextEnd> {
    this.#isEndAwaited = true;
    this.terminateBecause(undefined);
    return this.#ended;
  }

  /** Terminates; `cause` becomes the error of the end. The first cause counts. */
  terminateBecause(cause: unknown): void {
    if (this.#lost !== undefined || this.#termination !== undefined) return;
    this.#termination = { cause };
    this.#interruptStart?.(cause);
    this.#graceTimer = setTimeout(() => this.#giveUpThread({ completed: false }), terminationGraceMs);
    this.#thread.terminate();
  }

  statistics(): S {
    return this.#readStatistics();
  }

  getOptions(): Promise<ContextOptions> {
    return this.#control.getOptions() as Promise<unknown> as Promise<ContextOptions>;
  }

  setOptions(changes: Partial<ContextOptions>): Promise<void> {
    return this.#control.setOptions(changes as AnyContextOptions);
  }

  attach(pair: RingPair): Promise<void> {
    return this.#control.attach(pair);
  }

  detach(peerContextId: number, error: HeddleError): void {
    // It can fail in one way only: this context has ended too.
    this.#control.detach(peerContextId, toWireError(error)).catch(() => {});
  }

  /** Undefined when it is not passive: it starts, stops, or has ended since. */
  async readPassivity(): Promise<Passivity | undefined> {
    if (this.#state !== 'running') return undefined;
    try {
      const passivity = await this.#control.passivity();
      return this.#state === 'running' ? passivity : undefined;
    } catch {
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
