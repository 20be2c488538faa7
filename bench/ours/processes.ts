/** Heddle's sides of the benchmarks between two processes: over loopback TCP, and over UCX on loopback TCP. */
import { createNode } from '../../src/index.js';
import { type Flood, floodRate } from '../harness/arrivals.js';
import { type Role, type Roles, startProcess } from '../harness/role.js';
import { answerer, asker, receiver, sender } from './contexts.js';
import type { OursOptions } from './index.js';
import { bufferReceiver, bufferSender } from './shared-buffers.js';

/** What these sides are told besides. */
interface ProcessesOptions extends OursOptions {
  readonly workload: 'oneway' | 'rtt' | 'bandwidth';
  readonly transport: 'tcp' | 'rdma';
}

/** The two ends of each workload. */
const ends = {
  oneway: { from: 'sender', to: 'receiver' },
  rtt: { from: 'asker', to: 'answerer' },
  bandwidth: { from: 'bufferSender', to: 'bufferReceiver' },
} as const;

/** What UCX is held to, on both sides of a benchmark: the wire that the benchmark names. */
export const loopbackTcp = { UCX_TLS: 'tcp', UCX_NET_DEVICES: 'lo' } as const;

function side({ workload, transport, ...options }: ProcessesOptions) {
  let from: Role;
  let to: Role;
  return {
    setup: async () => {
      if (transport === 'rdma') Object.assign(process.env, loopbackTcp);
      const told = { ...options, uri: `${transport}://127.0.0.1:0` };
      [from, to] = await Promise.all([
        startProcess(import.meta.url, ends[workload].from, told),
        startProcess(import.meta.url, ends[workload].to, told),
      ]);
      await from.call('connect', await to.call<string>('uri'));
    },
    run: async (budgetMs: number) => {
      if (workload === 'rtt') return from.call<number>('askBytes', budgetMs);
      const flood = await from.call<Flood>('send', budgetMs);
      const rate = floodRate(flood, await to.call<number>('waitFor', flood.total));
      return workload === 'bandwidth' ? rate * (options.bytes ?? 0) : rate;
    },
    teardown: async () => {
      await Promise.all([from.stop(), to.stop()]);
    },
  };
}

// Each role is the main thread of a process of its own: the context is the one of that thread.
export const roles: Roles = {
  side,
  sender: ({ bytes, moreInBatch = true }) => sender(createNode().context, { bytes, moreInBatch }),
  receiver: ({ bytes, uri }) => receiver(createNode().context, { bytes, uri }),
  asker: ({ bytes }) => asker(createNode().context, { bytes, pauseMs: 0 }),
  answerer: ({ uri }) => answerer(createNode().context, { uri }),
  bufferSender: ({ bytes }) => bufferSender(createNode().context, bytes),
  bufferReceiver: ({ bytes, uri }) => bufferReceiver(createNode().context, bytes, uri),
};
