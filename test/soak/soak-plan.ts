import { Random } from '../sim/random.js';

/** What a soak is made of, all drawn from its seed. */
export interface SoakPlan {
  readonly seed: number;
  readonly transport: 'shm' | 'tcp' | 'rdma';
  readonly seconds: number;
  /** Contexts on worker threads, 1 to 15. */
  readonly contexts: number;
  /** Whether every other context runs in a second process. */
  readonly hasSecondProcess: boolean;
  /** Options of every context. */
  readonly contextOptions: {
    readonly frameBytes: number;
    readonly connection: {
      readonly receiveDepthMessages: number;
      readonly receiveDepthBytes: number;
      readonly inlineLimitBytes: number;
      readonly sendQueueDepthMessages: number;
      readonly requestTimeoutMs: number;
      readonly closeTimeoutMs: number;
      readonly connectTimeoutMs: number;
    };
  };
}

/** What a worker is given when its context starts. */
export interface SoakWorkerData {
  readonly plan: SoakPlan;
  readonly number: number;
}

/** What the main thread asks of a worker, as a request's value. */
export type SoakCommand = { readonly run: readonly string[] } | { readonly finish: true } | { readonly count: true };

/** What one context has done. */
export interface SoakCounts {
  messages: number;
  bytes: number;
  connections: number;
  closed: number;
  destroyed: number;
  endedByPeer: number;
  requests: number;
  oneWays: number;
  receipts: number;
  large: number;
  /** What did not hold; nothing, one hopes. */
  problems: string[];
}

/** What a context is left with after the soak. */
export interface SoakRest {
  readonly connections: number;
  readonly sessions: number;
  readonly buffersHeld: number;
  readonly buffersLeaked: number;
  readonly outstanding: boolean;
  readonly slabBytes: number;
}

/** Whether a context is left with nothing but the connection by which it is asked. */
export function isAtRest({ connections, sessions, buffersHeld, buffersLeaked, outstanding }: SoakRest): boolean {
  return connections === 1 && sessions + buffersHeld + buffersLeaked === 0 && !outstanding;
}

/** Messages after which a connection ends at the latest. */
export const maximumMessages = 25_000;
/** Requests without an answer, and messages that wait, of one connection: always below this. */
export const maximumDepth = 300;
/** Payloads are shorter than this. */
export const maximumPayloadBytes = 512 * 1024;

/** The plan of a seed. */
export function makePlan(
  seed: number,
  transport: 'shm' | 'tcp' | 'rdma',
  seconds: number,
  hasSecondProcess = false,
): SoakPlan {
  const random = new Random(seed);
  const contexts = random.integer(1, 15);
  return {
    seed,
    transport,
    seconds,
    contexts: hasSecondProcess ? Math.max(2, contexts) : contexts,
    hasSecondProcess,
    contextOptions: {
      frameBytes: random.pick([4096, 65_536, 262_144]),
      connection: {
        receiveDepthMessages: random.pick([3, 64, 1000]),
        receiveDepthBytes: random.pick([maximumPayloadBytes + 1000, 4 * maximumPayloadBytes, 64 * 1024 * 1024]),
        inlineLimitBytes: random.pick([256, 8192]),
        sendQueueDepthMessages: 1000,
        requestTimeoutMs: 60_000,
        closeTimeoutMs: 60_000,
        connectTimeoutMs: 30_000,
      },
    },
  };
}
