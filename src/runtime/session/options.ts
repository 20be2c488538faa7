import { longestTimerMs } from '../../clock.js';
import { HeddleError, requireInteger, requireObject } from '../../errors.js';

/**
 * What a connection keeps to. Each option can be given to `connect` or `listen` and read from `connection.options`;
 * those marked *live* can be set on a running connection with `connection.setOptions`.
 */
export interface ConnectionOptions {
  /** Messages that may wait here for credits or for the wire; one more is refused. Live. */
  readonly sendQueueDepthMessages: number;
  /** Bytes that may wait here for credits or for the wire. Live. */
  readonly sendQueueDepthBytes: number;
  /** Unreleased messages that this side accepts from the peer, of posts and of responses each. Told to the peer at setup. */
  readonly receiveDepthMessages: number;
  /** Unreleased bytes that this side accepts from the peer, of posts and of responses each. Told to the peer at setup. */
  readonly receiveDepthBytes: number;
  /** Data up to this many bytes travels in the record; beyond it, by slab (shm) or in fragments (tcp). Live. */
  readonly inlineLimitBytes: number;
  /** How long a request waits for its response unless it says otherwise. `Infinity`: for ever. Live. */
  readonly requestTimeoutMs: number;
  /** How long the way to `online` may take, redirects included. */
  readonly connectTimeoutMs: number;
  /** How long a graceful close may take before the connection is given up. Live. */
  readonly closeTimeoutMs: number;
  /** Silence after which the peer is probed. Live. */
  readonly keepaliveIdleMs: number;
  /** Time between probes. Live. */
  readonly keepaliveIntervalMs: number;
  /** Probes without any sign of life after which the peer counts as lost. 0 turns keepalive off. Live. */
  readonly keepaliveProbes: number;
  /** How long to try to reach the peer again when the wire is lost. 0: not at all. Both sides must want it. */
  readonly reconnectTimeoutMs: number;
  /** Time between two tries to reach the peer again. Live. */
  readonly reconnectDelayMs: number;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** The options that hold where none are given. */
export const defaultConnectionOptions: ConnectionOptions = {
  sendQueueDepthMessages: 1024,
  sendQueueDepthBytes: 64 * mebibyte,
  receiveDepthMessages: 2048,
  receiveDepthBytes: 64 * mebibyte,
  inlineLimitBytes: 8 * kibibyte,
  requestTimeoutMs: 30_000,
  connectTimeoutMs: 5_000,
  closeTimeoutMs: 5_000,
  keepaliveIdleMs: 60_000,
  keepaliveIntervalMs: 20_000,
  keepaliveProbes: 3,
  reconnectTimeoutMs: 0,
  reconnectDelayMs: 50,
};

const ranges: Record<keyof ConnectionOptions, readonly [minimum: number, maximum: number]> = {
  sendQueueDepthMessages: [1, 1_000_000],
  sendQueueDepthBytes: [1, 2 ** 30],
  receiveDepthMessages: [1, 1_000_000],
  receiveDepthBytes: [1, 2 ** 30],
  inlineLimitBytes: [0, mebibyte],
  requestTimeoutMs: [1, longestTimerMs],
  connectTimeoutMs: [1, longestTimerMs],
  closeTimeoutMs: [1, longestTimerMs],
  keepaliveIdleMs: [1, longestTimerMs],
  keepaliveIntervalMs: [1, longestTimerMs],
  keepaliveProbes: [0, 1000],
  reconnectTimeoutMs: [0, longestTimerMs],
  reconnectDelayMs: [1, longestTimerMs],
};

const live: ReadonlySet<string> = new Set([
  'sendQueueDepthMessages',
  'sendQueueDepthBytes',
  'inlineLimitBytes',
  'requestTimeoutMs',
  'closeTimeoutMs',
  'keepaliveIdleMs',
  'keepaliveIntervalMs',
  'keepaliveProbes',
  'reconnectDelayMs',
]);

/** `base` with `changes` laid over it. Throws `ERR_HEDDLE_INVALID_ARGUMENT` naming the option and its range. */
export function mergeConnectionOptions(
  base: ConnectionOptions,
  changes: Partial<ConnectionOptions>,
): ConnectionOptions {
  requireObject('a connection', changes);
  const merged: Record<string, number> = { ...base };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    const range = ranges[name as keyof ConnectionOptions];
    if (range === undefined) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `there is no option ${name}; the options are ${Object.keys(ranges).join(', ')}`,
      );
    }
    merged[name] =
      name === 'requestTimeoutMs' && value === Infinity ? Infinity : requireInteger(name, value, range[0], range[1]);
  }
  return merged as unknown as ConnectionOptions;
}

/** As {@link mergeConnectionOptions}, for a connection that runs: `ERR_HEDDLE_INVALID_STATE` for what is fixed by then. */
export function changeLiveOptions(base: ConnectionOptions, changes: Partial<ConnectionOptions>): ConnectionOptions {
  requireObject('setOptions', changes);
  for (const name of Object.keys(changes)) {
    if (name in ranges && !live.has(name)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        `${name} is agreed at setup; give it to connect() or listen(). Live options: ${[...live].join(', ')}`,
      );
    }
  }
  return mergeConnectionOptions(base, changes);
}
