/** Heddle's sides of the benchmarks between contexts of one process. */
import { type Connection, createNode, type HeddleNode } from '../../src/index.js';
import { type Flood, floodRate } from '../harness/arrivals.js';
import type { Roles } from '../harness/role.js';
import { cpuPercentDuring, percentile } from '../harness/statistics.js';
import { idleContexts, oversubscribedContexts } from '../workloads.js';
import { type ContextRole, controlUri } from './contexts.js';
import type { OursOptions } from './index.js';

const longRequest = { timeoutMs: 90_000 };

/** Contexts on worker threads, and the way to command them. */
class Cast {
  readonly #node: HeddleNode = createNode();
  readonly #controls: Connection[] = [];

  async start(role: ContextRole['role'], options: Partial<ContextRole> = {}): Promise<number> {
    const index = this.#controls.length;
    const data: ContextRole = {
      role,
      index,
      bytes: 64,
      pauseMs: 0,
      moreInBatch: true,
      uri: `shm://bench/${role}/${index}`,
      ...options,
    };
    await this.#node.startContext(new URL('./contexts.js', import.meta.url), { data, name: `${role}-${index}` });
    this.#controls.push(await this.#node.context.connect(controlUri(index)));
    return index;
  }

  async tell<Result = void>(index: number, name: string, argument?: unknown): Promise<Result> {
    const response = await (this.#controls[index] as Connection).request({ name, argument }, longRequest);
    return response.value as Result;
  }

  close(): Promise<void> {
    return this.#node.close();
  }
}

function oneway({ bytes = 64, moreInBatch = true }: OursOptions) {
  const cast = new Cast();
  return {
    setup: async () => {
      await cast.start('sender', { bytes, moreInBatch });
      await cast.start('receiver', { bytes });
      await cast.tell(0, 'connect', await cast.tell<string>(1, 'uri'));
    },
    run: async (budgetMs: number) => {
      const flood = await cast.tell<Flood>(0, 'send', budgetMs);
      return floodRate(flood, await cast.tell<number>(1, 'waitFor', flood.total));
    },
    teardown: () => cast.close(),
  };
}

function roundTrip(command: 'askBytes' | 'askBuffer', { bytes = 64, pauseMs = 0 }: OursOptions) {
  const cast = new Cast();
  return {
    setup: async () => {
      await cast.start('asker', { bytes, pauseMs });
      await cast.start('answerer');
      await cast.tell(0, 'connect', await cast.tell<string>(1, 'uri'));
    },
    run: (budgetMs: number) => cast.tell<number>(0, command, budgetMs),
    teardown: () => cast.close(),
  };
}

interface TalkerResult {
  readonly startMicros: number;
  readonly endMicros: number;
  readonly roundTrips: number;
  readonly latencies: Float64Array;
}

function oversubscribed({ result }: OursOptions) {
  const cast = new Cast();
  const talkers = Array.from({ length: oversubscribedContexts }, (_, index) => index);
  return {
    setup: async () => {
      for (const _ of talkers) await cast.start('talker');
      for (const talker of talkers) {
        await cast.tell(
          talker,
          'connect',
          talkers.filter((other) => other !== talker),
        );
      }
    },
    run: async (budgetMs: number) => {
      const results = await Promise.all(talkers.map((talker) => cast.tell<TalkerResult>(talker, 'run', budgetMs)));
      if (result === 'p99') {
        return percentile(
          results.flatMap(({ latencies }) => Array.from(latencies)),
          0.99,
        );
      }
      const startMicros = Math.min(...results.map((each) => each.startMicros));
      const endMicros = Math.max(...results.map((each) => each.endMicros));
      const roundTrips = results.reduce((sum, each) => sum + each.roundTrips, 0);
      return ((2 * roundTrips) / (endMicros - startMicros)) * 1e6;
    },
    teardown: () => cast.close(),
  };
}

function idle() {
  const cast = new Cast();
  return {
    setup: async () => {
      for (let i = 0; i < idleContexts; i++) await cast.start('idler');
    },
    run: async (budgetMs: number) => {
      const percentOfCore = await cpuPercentDuring(budgetMs);
      for (let i = 0; i < idleContexts; i++) {
        const answer = await cast.tell<number>(i, 'answer', i);
        if (answer !== i + 1) throw new Error(`context ${i} answered ${answer}`);
      }
      return percentOfCore;
    },
    teardown: () => cast.close(),
  };
}

/** The side of each workload. */
const sides = {
  oneway,
  rtt: (options: OursOptions) => roundTrip('askBytes', options),
  buffer: (options: OursOptions) => roundTrip('askBuffer', options),
  oversubscribed,
  idle,
};

export type ShmWorkload = keyof typeof sides;

export const roles: Roles = {
  side: ({ workload, ...options }: OursOptions & { workload: ShmWorkload }) => sides[workload](options),
};
