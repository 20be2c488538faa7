/** Heddle's sides of the benchmarks between two processes over loopback TCP. */
import { createNode } from '../../src/index.js';
import { type Flood, floodRate } from '../harness/arrivals.js';
import { type Role, type Roles, startProcess } from '../harness/role.js';
import { answerer, asker, receiver, sender } from './contexts.js';
import type { OursOptions } from './index.js';

const uri = 'tcp://127.0.0.1:0';

function side({ workload, bytes = 64 }: OursOptions & { workload: 'oneway' | 'rtt' }) {
  const isOneway = workload === 'oneway';
  let from: Role;
  let to: Role;
  return {
    setup: async () => {
      [from, to] = await Promise.all([
        startProcess(import.meta.url, isOneway ? 'sender' : 'asker', { bytes }),
        startProcess(import.meta.url, isOneway ? 'receiver' : 'answerer', { bytes }),
      ]);
      await from.call('connect', await to.call<string>('uri'));
    },
    run: async (budgetMs: number) => {
      if (!isOneway) return from.call<number>('askBytes', budgetMs);
      const flood = await from.call<Flood>('send', budgetMs);
      return floodRate(flood, await to.call<number>('waitFor', flood.total));
    },
    teardown: async () => {
      await Promise.all([from.stop(), to.stop()]);
    },
  };
}

// Each role is the main thread of a process of its own: the context is the one of that thread.
export const roles: Roles = {
  side,
  sender: ({ bytes }) => sender(createNode().context, { bytes, moreInBatch: true }),
  receiver: ({ bytes }) => receiver(createNode().context, { bytes, uri }),
  asker: ({ bytes }) => asker(createNode().context, { bytes, pauseMs: 0 }),
  answerer: () => answerer(createNode().context, { uri }),
};
