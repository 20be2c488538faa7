import type { ConnectionOptions } from '../../src/runtime/session/options.js';
import { Random } from './random.js';
import type { NetworkConditions } from './simulated-network.js';

/** How much goes wrong. */
export type Profile =
  /** Nothing: what is sent arrives. */
  | 'calm'
  /** Wires are cut and connections take themselves up again: what is sent arrives, once. */
  | 'cuts'
  /** Wires are cut, contexts crash, connections are destroyed. */
  | 'chaos'
  /** Frames are lost, doubled and reordered, which no transport may do: nothing wrong may come of it. */
  | 'lossy';

export const operations = [
  'connect',
  'join',
  'send',
  'burst',
  'batch',
  'deliver',
  'request',
  'cancel',
  'ready',
  'close',
  'closeSession',
  'destroy',
  'setOptions',
  'suspend',
  'cut',
  'crash',
  'restart',
] as const;

export type Operation = (typeof operations)[number];

/** One thing that a user or the world does. Its arguments are random numbers, read modulo what there is. */
export interface Action {
  readonly atMicros: number;
  readonly operation: Operation;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** All that a run is made of. */
export interface Scenario {
  readonly seed: number;
  readonly profile: Profile;
  readonly servers: number;
  readonly clients: number;
  readonly conditions: NetworkConditions;
  readonly options: Partial<ConnectionOptions>;
  readonly actions: readonly Action[];
}

const weights: Readonly<Record<Operation, number>> = {
  connect: 4,
  join: 1,
  send: 20,
  burst: 5,
  batch: 5,
  deliver: 4,
  request: 25,
  cancel: 4,
  ready: 3,
  close: 2,
  closeSession: 1,
  destroy: 1,
  setOptions: 1,
  suspend: 3,
  cut: 3,
  crash: 1,
  restart: 1,
};

const absent: Readonly<Record<Profile, readonly Operation[]>> = {
  calm: ['cut', 'crash', 'destroy', 'restart'],
  cuts: ['crash', 'destroy', 'restart'],
  chaos: [],
  lossy: ['crash'],
};

/** Times in which everything has to come to rest. */
const actionsMicros = 300_000;

/** The scenario of a seed. */
export function makeScenario(seed: number): Scenario {
  const random = new Random(seed);
  const profile = random.pick<Profile>(['calm', 'cuts', 'chaos', 'lossy']);
  const lossy = profile === 'lossy';
  const reconnects = profile === 'cuts' || random.chance(0.3);
  const servers = random.integer(1, 3);
  const clients = random.integer(1, 3);
  const conditions: NetworkConditions = {
    frameBytes: random.pick([2048, 2048, 4096, 16384]),
    windowFrames: random.pick([1, 1, 2, 8]),
    maximumDelayMicros: random.pick([1, 100, 3000]),
    // Over shared memory nothing can be lost, and wires are not cut while both contexts live.
    sharesMemory: (profile === 'calm' || profile === 'chaos') && random.chance(0.4),
    oneSidedChance: 0,
    lossChance: lossy ? random.pick([0, 0.02, 0.1]) : 0,
    duplicateChance: lossy ? random.pick([0, 0.02, 0.1]) : 0,
    reorderChance: lossy ? random.pick([0, 0.02, 0.1]) : 0,
    corruptChance: 0,
    silenceChance: 0.02,
  };
  const options: Partial<ConnectionOptions> = {
    sendQueueDepthMessages: random.pick([1, 4, 50, 1000]),
    sendQueueDepthBytes: random.pick([500, 5000, 1_000_000]),
    receiveDepthMessages: random.pick([1, 2, 7, 100]),
    receiveDepthBytes: random.pick([300, 3000, 20_000, 1_000_000]),
    inlineLimitBytes: random.pick([0, 100, 1000, 8192]),
    requestTimeoutMs: random.pick([20, 200, 2000]),
    connectTimeoutMs: random.pick([50, 1000]),
    closeTimeoutMs: random.pick([50, 1000]),
    keepaliveIdleMs: random.pick([20, 500]),
    keepaliveIntervalMs: random.pick([10, 100]),
    keepaliveProbes: random.pick([1, 3]),
    reconnectTimeoutMs: reconnects ? (profile === 'cuts' ? 5000 : random.pick([20, 500, 5000])) : 0,
    reconnectDelayMs: random.pick([1, 50]),
  };
  const table = operations.filter((operation) => !absent[profile].includes(operation));
  const bag = table.flatMap((operation) => new Array<Operation>(weights[operation]).fill(operation));
  const actions: Action[] = [];
  for (let count = random.integer(4, 60); count > 0; count--) {
    actions.push({
      atMicros: random.integer(0, actionsMicros),
      operation: random.pick(bag),
      a: random.integer(0, 2 ** 20),
      b: random.integer(0, 2 ** 20),
      c: random.integer(0, 2 ** 20),
    });
  }
  actions.push({ atMicros: 0, operation: 'connect', a: 0, b: random.integer(0, 100), c: 0 });
  actions.sort((one, other) => one.atMicros - other.atMicros);
  return { seed, profile, servers, clients, conditions, options, actions };
}

/** Leaves out actions for as long as `fails`, and returns what remains. */
export async function shrink(scenario: Scenario, fails: (smaller: Scenario) => Promise<boolean>): Promise<Scenario> {
  let actions = scenario.actions;
  for (let size = actions.length >> 1; size >= 1; ) {
    let smaller = false;
    for (let start = 0; start < actions.length; ) {
      const rest = [...actions.slice(0, start), ...actions.slice(start + size)];
      if (await fails({ ...scenario, actions: rest })) {
        actions = rest;
        smaller = true;
      } else start += size;
    }
    if (!smaller || size > 1) size = size > 1 ? size >> 1 : 0;
  }
  return { ...scenario, actions };
}
