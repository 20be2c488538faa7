import { longestTimerMs } from '../../clock.js';
import { HeddleError, requireInteger, requireKnownOptions } from '../../errors.js';
import { type ContextEnd, contextLostError } from '../context/context-end.js';
import type { ContextHandle } from '../context/context-handle.js';
import type { HeddleNode, StartContextOptions } from '../context/node.js';
import type { ActorThreadData } from './actor-thread.js';
import type { ActorHost } from './host.js';
import type { SystemThread } from './host-options.js';
import type { OffloadPoolSettings } from './offload/offload-pool.js';
import { mainPlace, type Place, type PlaceStatus } from './places.js';

/** What a worker context of a system is like. */
export type ContextSpecification = Pick<
  StartContextOptions,
  'name' | 'options' | 'resourceLimits' | 'env' | 'execArgv' | 'cpu'
>;

/** How often a lost context is replaced. */
export interface RestartContextsOptions {
  /** Replacements of one context within {@link withinMs} after which it is given up. Default: 10. */
  readonly maximumRestarts?: number | undefined;
  /** Default: 60 000. */
  readonly withinMs?: number | undefined;
}

/** {@link RestartContextsOptions}, all given. */
export interface RestartLimits {
  readonly maximumRestarts: number;
  readonly withinMs: number;
}

/** What the option `restartContexts` says. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function restartLimits(given: RestartContextsOptions | false = {}): RestartLimits {
  const restart = given === false ? { maximumRestarts: 0 } : given;
  requireKnownOptions('restartContexts', restart, ['maximumRestarts', 'withinMs']);
  return {
    maximumRestarts: requireInteger('maximumRestarts', restart.maximumRestarts ?? 10, 0, 1_000_000),
    withinMs: requireInteger('withinMs', restart.withinMs ?? 60_000, 1, longestTimerMs),
  };
}

export interface PlaceKeeperParts {
  readonly node: HeddleNode;
  readonly host: ActorHost;
  readonly specifications: readonly ContextSpecification[];
  readonly contextOptions: NonNullable<StartContextOptions['options']>;
  readonly loads: SharedArrayBuffer;
  readonly askTimeoutMs: number;
  readonly offload: OffloadPoolSettings;
  readonly followsAsyncHandlers: boolean;
  readonly restart: RestartLimits;
  readonly thread?: SystemThread | undefined;
  onLost(name: string, error: HeddleError, isReplaced: boolean): void;
  onReplaced(name: string): void;
}

/** How long each context may take to make its children in a replaced one again. */
const restoreTimeoutMs = 30_000;
const threadUrl = new URL('./actor-thread.js', import.meta.url);

interface Kept {
  readonly place: number;
  readonly specification: ContextSpecification;
  incarnation: number;
  handle: ContextHandle | undefined;
  restartsMs: number[];
}

const portalOf = (systemId: string, place: number, incarnation: number): string =>
  `shm://${systemId}/actors/${place}.${incarnation}`;

/** Starts the worker contexts of a system, and replaces those that are lost. Lives in the main context. */
export class PlaceKeeper {
  readonly #parts: PlaceKeeperParts;
  readonly #kept: Kept[];
  #isClosed = false;

  constructor(parts: PlaceKeeperParts) {
    this.#parts = parts;
    this.#kept = parts.specifications.map((specification, index) => ({
      place: index + 1,
      specification,
      incarnation: 0,
      handle: undefined,
      restartsMs: [],
    }));
  }

  /** The places of a system as it begins. */
  static firstPlaces(systemId: string, specifications: readonly ContextSpecification[]): Place[] {
    const names = ['main', ...specifications.map(({ name }) => name as string)];
    return names.map((name, place) => ({ place, name, portal: portalOf(systemId, place, 0), status: 'up' }));
  }

  async start(): Promise<void> {
    await Promise.all(this.#kept.map((kept) => this.#startThread(kept)));
  }

  handle(name: string): ContextHandle | undefined {
    return this.#kept.find(({ specification }) => specification.name === name)?.handle;
  }

  /** What ends from now on is not replaced. */
  close(): void {
    this.#isClosed = true;
  }

  async #startThread(kept: Kept): Promise<void> {
    const { node, host, contextOptions, loads, askTimeoutMs, offload, followsAsyncHandlers, thread } = this.#parts;
    const { specification, place, incarnation } = kept;
    const data: ActorThreadData = {
      systemId: host.systemId,
      place,
      incarnation,
      // Its own portal is another one than that of the thread before.
      places: host.places.all.map((one) => (one.place === place ? this.#place(kept, 'up') : one)),
      loads,
      askTimeoutMs,
      offload,
      followsAsyncHandlers,
      extra: thread?.extraOf(place),
    };
    const handle = await node.startContext(thread?.module ?? threadUrl, {
      ...specification,
      options: { ...specification.options, ...contextOptions },
      data,
    });
    kept.handle = handle;
    void handle.ended.then((end) => this.#onEnded(kept, handle, end));
  }

  #place(kept: Kept, status: PlaceStatus): Place {
    const { place, specification, incarnation } = kept;
    const portal = portalOf(this.#parts.host.systemId, place, incarnation);
    return { place, name: specification.name as string, portal, status };
  }

  async #onEnded(kept: Kept, handle: ContextHandle, end: ContextEnd): Promise<void> {
    if (kept.handle === handle) kept.handle = undefined;
    if (this.#isClosed) return;
    this.#parts.host.places.setLoad(kept.place, 0, 0);
    const { specification } = kept;
    const name = specification.name as string;
    if (end.reason === 'stopped') {
      // On request: the process has nothing left to do, or somebody stopped it by its handle.
      this.#announce(this.#place(kept, 'gone'));
      return;
    }
    const nowMs = performance.now();
    kept.restartsMs = kept.restartsMs.filter((atMs) => atMs > nowMs - this.#parts.restart.withinMs);
    const isReplaced = kept.restartsMs.length < this.#parts.restart.maximumRestarts;
    this.#announce(this.#place(kept, isReplaced ? 'down' : 'gone'));
    this.#parts.onLost(name, contextLostError(handle.id, name, end), isReplaced);
    if (!isReplaced) return;
    kept.restartsMs.push(nowMs);
    kept.incarnation++;
    try {
      await this.#replace(kept);
    } catch (cause) {
      if (this.#isClosed) return;
      this.#announce(this.#place(kept, 'gone'));
      const error = new HeddleError('ERR_HEDDLE_CONTEXT_LOST', `context ${name} could not be replaced`, { cause });
      this.#parts.onLost(name, error, false);
    }
  }

  async #replace(kept: Kept): Promise<void> {
    const { host } = this.#parts;
    await this.#startThread(kept);
    if (this.#isClosed) return;
    const handle = kept.handle;
    const place = this.#place(kept, 'down');
    // Everyone who has lost children there makes them again before anyone else may ask for them.
    await Promise.allSettled(
      host.places.all
        .filter((other) => other.status === 'up' && other.place !== kept.place)
        .map((other) =>
          other.place === mainPlace
            ? host.restoreAt(place)
            : host.request(other.place, { type: 'restore', place }, restoreTimeoutMs),
        ),
    );
    if (this.#isClosed || kept.handle !== handle) return;
    this.#announce({ ...place, status: 'up' });
    this.#parts.onReplaced(place.name);
  }

  /** Says in all contexts what has become of one. */
  #announce(place: Place): void {
    const { host } = this.#parts;
    host.onPlace(place);
    for (const other of host.places.all) {
      if (other.place !== mainPlace && other.status === 'up') {
        host.post(other.place, { type: 'place', place });
      }
    }
  }
}
