/**
 * Heddle's sides of all benchmarks. The cases take theirs from here and nowhere else.
 *
 * A side's module exports `roles` whose `side(options)` returns the handlers
 *
 *     setup(): start contexts or processes and connect them
 *     run(budgetMs): measure for that long; return the result in the benchmark's unit; throw unless all is right
 *     teardown(): end what setup started
 *
 * and runs in a fresh Node.js process; `startThread` and `startProcess` of harness/role.js give it more of them. What a
 * run returns, for each id, is what the peer's side under peers/ returns: take sizes, windows and checks from
 * workloads.js, harness/payload.js and harness/arrivals.js, so that both do the same work.
 */
import type { Side } from '../harness/benchmark.js';
import { processSide } from '../harness/process-side.js';

/** What a side's module receives as its options. */
export interface OursOptions {
  /** Message size, where the benchmark has one. */
  readonly bytes?: number;
  /** Pause between round trips in milliseconds, where the benchmark has one. */
  readonly pauseMs?: number;
  /** Which of a workload's figures `run` returns, where it has several. */
  readonly result?: 'throughput' | 'p99';
  /** Whether sends carry the more-in-batch hint, where that is what is measured. */
  readonly moreInBatch?: boolean;
}

/** The workloads that heddle's sides implement; several benchmarks may share one. */
export type OursWorkload =
  | 'shm-oneway'
  | 'shm-rtt'
  | 'shm-shared-buffer'
  | 'oversubscribed'
  | 'idle-cpu'
  | 'batch-effect-shm'
  | 'actor-tell-local'
  | 'actor-tell-cross'
  | 'actor-ask-cross'
  | 'fan-in'
  | 'create'
  | 'tcp-oneway'
  | 'tcp-rtt'
  | 'rdma-oneway'
  | 'rdma-rtt'
  | 'rdma-bandwidth';

const processes = new URL('./processes.js', import.meta.url);

/** Where each workload that is built is found: a module, and what the module calls it. */
const modules: Partial<
  Record<OursWorkload, { readonly module: URL; readonly workload: string; readonly transport?: string }>
> = {
  'shm-oneway': { module: new URL('./shm.js', import.meta.url), workload: 'oneway' },
  'batch-effect-shm': { module: new URL('./shm.js', import.meta.url), workload: 'oneway' },
  'shm-rtt': { module: new URL('./shm.js', import.meta.url), workload: 'rtt' },
  'shm-shared-buffer': { module: new URL('./shm.js', import.meta.url), workload: 'buffer' },
  oversubscribed: { module: new URL('./shm.js', import.meta.url), workload: 'oversubscribed' },
  'idle-cpu': { module: new URL('./shm.js', import.meta.url), workload: 'idle' },
  'actor-tell-local': { module: new URL('./actors.js', import.meta.url), workload: 'tellLocal' },
  'actor-tell-cross': { module: new URL('./actors.js', import.meta.url), workload: 'tellCross' },
  'actor-ask-cross': { module: new URL('./actors.js', import.meta.url), workload: 'askCross' },
  'fan-in': { module: new URL('./actors.js', import.meta.url), workload: 'fanIn' },
  create: { module: new URL('./actors.js', import.meta.url), workload: 'create' },
  'tcp-oneway': { module: processes, workload: 'oneway', transport: 'tcp' },
  'tcp-rtt': { module: processes, workload: 'rtt', transport: 'tcp' },
  'rdma-oneway': { module: processes, workload: 'oneway', transport: 'rdma' },
  'rdma-rtt': { module: processes, workload: 'rtt', transport: 'rdma' },
  'rdma-bandwidth': { module: processes, workload: 'bandwidth', transport: 'rdma' },
};

const notBuiltReason = 'heddle side not built yet';

/** Heddle's side of a benchmark. As long as its module is not there, the side says so instead of running. */
export function oursSide(workload: OursWorkload, options: OursOptions = {}, name = 'heddle'): Side {
  const built = modules[workload];
  if (built !== undefined) {
    const { module, ...told } = built;
    return processSide({ name, module, options: { ...options, ...told } });
  }
  const fail = (): Promise<never> => Promise.reject(new Error(notBuiltReason));
  return { name, unavailable: () => notBuiltReason, setup: fail, run: fail, teardown: async () => {} };
}
