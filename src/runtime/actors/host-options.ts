import type { Clock } from '../../clock.js';
import type { Cell } from './cell.js';
import type { DeadLetter } from './dead-letters.js';
import type { OffloadPoolSettings } from './offload/offload-pool.js';
import type { Places } from './places.js';
import type { Ref } from './ref.js';
import type { Directive, SupervisionSettings } from './supervision.js';

/** What a test puts in place of the usual. */
export interface HostParts {
  /** The time of everything that actors wait for. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** What runs an actor whose definition does not say. Default: {@link Cell}. */
  readonly cellClass?: typeof Cell | undefined;
}

/** The main function of a system's worker threads, for what is built on top of actors, and what it is given. */
export interface SystemThread {
  readonly module: URL;
  /** To be cloned; see ActorThreadData.extra. */
  extraOf(place: number): unknown;
}

/** What a system is made with by who builds on it. */
export interface SystemParts extends HostParts {
  readonly thread?: SystemThread | undefined;
}

/** What an actor host is made with. */
export interface ActorHostOptions extends HostParts {
  readonly systemId: string;
  readonly place: number;
  /** Counts the threads that have been at that place. */
  readonly incarnation: number;
  readonly places: Places;
  readonly askTimeoutMs: number;
  readonly offload: OffloadPoolSettings;
  /** How the actors are supervised that no other actor has made. */
  readonly supervision: SupervisionSettings;
  /** Whether handlers that are async functions are followed past their awaits; see {@link AsyncHandlers}. */
  readonly followsAsyncHandlers?: boolean | undefined;
  onDeadLetter(letter: DeadLetter): void;
  /** A child failed and this was done about it. */
  onFailure(ref: Ref, error: unknown, action: Directive | 'onStop'): void;
}
