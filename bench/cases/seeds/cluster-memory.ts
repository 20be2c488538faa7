/** examples/cluster-memory beside Redis and a file: the time that one page of 4 KiB takes. */
import { type Benchmark, ratioGoal, type Side } from '../../harness/benchmark.js';
import type { PagingOptions } from '../../harness/paging.js';
import { processSide } from '../../harness/process-side.js';
import { nativeRdma } from '../../harness/requirement.js';
import { redisRequirement } from '../../peers/redis-server.js';

type Transport = 'shm' | 'tcp' | 'rdma';

const where: Record<Transport, string> = {
  shm: 'another thread',
  tcp: 'another process, by TCP',
  rdma: 'another process, in messages of UCX over loopback TCP',
};
const runMs = { full: 1500, quick: 700 };
const rounds = { full: 7, quick: 3 };

function ours(name: string, transport: Transport, options: PagingOptions): Side {
  const module = new URL('../../ours/cluster-memory.js', import.meta.url);
  const needs = transport === 'rdma' ? [nativeRdma] : [];
  return processSide({ name, module, options: { ...options, transport }, needs });
}

function redis(options: PagingOptions): Side {
  const module = new URL('../../peers/redis-pages.js', import.meta.url);
  return processSide({ name: 'Redis', module, options, needs: [redisRequirement] });
}

function file(name: string, reads: 'cached' | 'direct', options: PagingOptions): Side {
  return processSide({
    name,
    module: new URL('../../peers/file-pages.js', import.meta.url),
    options: { ...options, reads },
  });
}

function pageIn(id: string, transport: Transport, result: 'in-p50' | 'in-p99'): Benchmark {
  const options = { result };
  return {
    id,
    metric: `${result === 'in-p50' ? 'p50' : 'p99'} of a page-in of 4 KiB from ${where[transport]}`,
    unit: 'µs',
    higherIsBetter: false,
    ours: ours('heddle cluster-memory', transport, options),
    peers: [
      { side: redis(options), goal: ratioGoal(1, 2) },
      { side: file('a file, from the disk', 'direct', options), goal: ratioGoal(2, 100) },
      { side: file('a file, from the page cache', 'cached', options) },
    ],
    runMs,
    rounds,
  };
}

export const clusterMemoryIn = pageIn('seeds/cluster-memory-in', 'tcp', 'in-p50');
export const clusterMemoryInP99 = pageIn('seeds/cluster-memory-in-p99', 'tcp', 'in-p99');
export const clusterMemoryInShm = pageIn('seeds/cluster-memory-in-shm', 'shm', 'in-p50');
export const clusterMemoryInRdma = pageIn('seeds/cluster-memory-in-rdma', 'rdma', 'in-p50');
export const clusterMemoryInShmP99 = pageIn('seeds/cluster-memory-in-shm-p99', 'shm', 'in-p99');

const out = { result: 'out-p50' } as const;

export const clusterMemoryOut: Benchmark = {
  id: 'seeds/cluster-memory-out',
  metric: 'p50 of a page-out of 4 KiB to another process, by TCP',
  unit: 'µs',
  higherIsBetter: false,
  ours: ours('heddle cluster-memory', 'tcp', out),
  peers: [
    { side: redis(out), goal: ratioGoal(1, 2) },
    { side: file('a file, with fdatasync', 'cached', out), goal: ratioGoal(10, 100) },
  ],
  runMs,
  rounds,
};
