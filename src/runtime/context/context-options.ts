import { longestTimerMs } from '../../clock.js';
import { describe, HeddleError, requireInteger, requireKnownOptions, requireObject } from '../../errors.js';
import { type ConnectionOptions, defaultConnectionOptions, mergeConnectionOptions } from '../session/options.js';

/** What a context keeps to: plain data, so that it can be given to a context on another thread. */
export interface ContextOptions {
  /**
   * How long the context goes on polling after the last record before it sleeps, in µs: an upper bound, the time used
   * adapts below it. 0 sleeps at once. Live.
   */
  readonly pollingMicros: number;
  /** How long one turn may run before the thread's timers and sockets have their chance, in µs. Live. */
  readonly turnBudgetMicros: number;
  /** The context polls only when its owner calls `poll()`. */
  readonly manualPolling: boolean;
  /** The most memory that the slabs of this context may take, in bytes. */
  readonly slabLimitBytes: number;
  /** Lets the kernel back the slabs with huge pages: fewer misses of the TLB with large buffers. Linux, native part. */
  readonly hugePages: boolean;
  /** The NUMA node whose memory the slabs take while it has some; -1 for whatever the kernel chooses. Linux, native part. */
  readonly numaNode: number;
  /** How long a tcp link without connections stays open for the next one, in milliseconds. */
  readonly linkLingerMs: number;
  /** Bytes of records that travel as one tcp frame. */
  readonly frameBytes: number;
  /** Bytes that may wait in a socket before sends are queued. */
  readonly socketBufferBytes: number;
  /**
   * Type of service (IPv4) or traffic class (IPv6) of the packets that tcp links of this context send, 0 to 255: a DSCP
   * value times 4. Linux, native part.
   */
  readonly typeOfService: number;
  /**
   * How values are encoded: `compact` (the default), `json`, or the name of a codec that the context's module has made
   * known by `registerCodec`. Both sides of a session must use the same.
   */
  readonly codec: string;
  /** Whether leak reports tell where each leaked buffer was allocated: costs a stack trace for each. */
  readonly traceBuffers: boolean;
  /** Options for node:tls: with them, tcp portals and links of this context use TLS. */
  readonly tls: object | undefined;
  /**
   * Whether rdma links with an RDMA device reach the memory of exported regions by that device, without the owner's thread.
   * Both sides must want it, and the first rdma context of a process decides for all of them. A device checks keys of its own,
   * which are shorter than a region's: for hosts that trust each other. Without a device the option changes nothing:
   * regions go by records, and `RemoteRegion.way` says so.
   */
  readonly rdmaOneSided: boolean;
  /** What the context's connections begin with. */
  readonly connection: Partial<ConnectionOptions>;
}

/** The options that hold where none are given. */
export const defaultContextOptions: ContextOptions = {
  pollingMicros: 200,
  turnBudgetMicros: 200,
  manualPolling: false,
  slabLimitBytes: 2 ** 30,
  hugePages: false,
  numaNode: -1,
  linkLingerMs: 500,
  frameBytes: 64 * 1024,
  socketBufferBytes: 1024 * 1024,
  typeOfService: 0,
  codec: 'compact',
  traceBuffers: false,
  tls: undefined,
  rdmaOneSided: false,
  connection: {},
};

const integerRanges: Partial<Record<keyof ContextOptions, readonly [number, number]>> = {
  pollingMicros: [0, 1_000_000],
  turnBudgetMicros: [1, 1_000_000],
  slabLimitBytes: [0, 2 ** 40],
  numaNode: [-1, 1023],
  linkLingerMs: [0, longestTimerMs],
  frameBytes: [4096, 512 * 1024],
  socketBufferBytes: [4096, 2 ** 30],
  typeOfService: [0, 255],
};

const live: ReadonlySet<string> = new Set(['pollingMicros', 'turnBudgetMicros', 'connection']);

/** `base` with `changes` laid over it. Throws `ERR_HEDDLE_INVALID_ARGUMENT` naming the option and what it takes. */
export function mergeContextOptions(base: ContextOptions, changes: Partial<ContextOptions>): ContextOptions {
  const merged: Record<string, unknown> = { ...base };
  requireKnownOptions('a context', changes, Object.keys(defaultContextOptions), (name) =>
    name in defaultConnectionOptions ? `write connection: { ${name}: ... }` : undefined,
  );
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    const range = integerRanges[name as keyof ContextOptions];
    const expected = typeof defaultContextOptions[name as keyof ContextOptions];
    if (range !== undefined) requireInteger(name, value, range[0], range[1]);
    else if (name !== 'tls' && typeof value !== expected) {
      throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name} must be a ${expected}, not ${describe(value)}`);
    }
    merged[name] = value;
  }
  mergeConnectionOptions(defaultConnectionOptions, merged.connection as Partial<ConnectionOptions>);
  return merged as unknown as ContextOptions;
}

/** As {@link mergeContextOptions}, for a context that runs: `ERR_HEDDLE_INVALID_STATE` for what is fixed by then. */
export function changeLiveContextOptions(base: ContextOptions, changes: Partial<ContextOptions>): ContextOptions {
  requireObject('setOptions', changes);
  for (const name of Object.keys(changes)) {
    if (name in defaultContextOptions && !live.has(name)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        `${name} is fixed when the context starts. Live options: ${[...live].join(', ')}`,
      );
    }
  }
  return mergeContextOptions(base, changes);
}
