import type { HeddleError } from '../../errors.js';
import type { RingPair } from '../../transports/shm/ring-pair.js';
import type { ShmEnvironment } from '../../transports/shm/shm-transport.js';

/** Options of whatever kind of context, as those see them that only pass them on: plain data for another thread. */
export type AnyContextOptions = Readonly<Record<string, unknown>>;

/** What the part that owns threads needs of a context; the `Context` class satisfies it. */
export interface ContextRuntime {
  readonly id: number;
  readonly name: string;
  /** Ends sessions gracefully and stops the duty cycle. Idempotent; settles within `timeoutMs`. */
  stop(options?: { timeoutMs?: number }): Promise<void>;
  /** The options in force. */
  getOptions(): AnyContextOptions;
  /** Changes options at run time. Throws `ERR_HEDDLE_INVALID_ARGUMENT` for what cannot be changed. */
  setOptions(changes: AnyContextOptions): void;
  /**
   * Whether something is under way that the event loop does not show: requests without an answer, queued sends,
   * records in an incoming ring that have not been delivered. The process does not exit by itself while any context
   * says so.
   */
  hasOutstandingWork(): boolean;
}

/** A context together with what the directory tells it. */
export interface DirectedContext extends ContextRuntime {
  /** A peer's rings: use them. When there is a link to that peer still, it has closed on one side or the other. */
  attach(pair: RingPair): void;
  /** The peer has ended, or could not use the rings: close the link to it with `error`. */
  detach(peerContextId: number, error: HeddleError): void;
}

/** What a context is made with. All but the broker can be handed to another thread. */
export interface ContextInit {
  readonly id: number;
  readonly name: string;
  readonly options: AnyContextOptions;
  /** Where the context keeps its statistics, so that other threads can read them. */
  readonly statisticsMemory: SharedArrayBuffer;
  /** Gives out slab numbers for all contexts of the node: word 0 counts up. */
  readonly slabCounter: SharedArrayBuffer;
  /**
   * This context's activity counter, in word 0: a plain store of another value than before whenever the context has
   * delivered or sent something. Two equal readings say that nothing happened between them.
   */
  readonly activity: Int32Array;
  readonly shm: ShmEnvironment;
  /** Shared by all contexts of the node: what the tokens of their sessions are made with. */
  readonly secret: Uint8Array;
}

/** Makes a context for the thread that calls it. */
export type CreateContext<C extends DirectedContext = DirectedContext> = (init: ContextInit) => C;

/** How a node makes contexts: on its own thread, and by importing `moduleUrl` on the others. */
export interface ContextFactory<C extends DirectedContext = DirectedContext, S = unknown> {
  /** The module that exports this very object as `contextFactory`. */
  readonly moduleUrl: string;
  readonly createContext: CreateContext<C>;
  /** Throws `ERR_HEDDLE_INVALID_ARGUMENT` for options that a context cannot be made with, before a thread is started. */
  readonly checkOptions?: (options: AnyContextOptions) => void;
  /** Bytes of {@link ContextInit.statisticsMemory}. */
  readonly statisticsBytes: number;
  /** Reads what a context keeps in its statistics memory, from any thread. */
  readStatistics(memory: SharedArrayBuffer): S;
}
