import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { zeromqPushPull, zeromqRequestReply } from '../peers/index.js';
import { ucxPerftest } from '../peers/ucx-perftest.js';

/** One-way 64-byte messages from process to process, over UCX. */
export const rdmaOneway64: Benchmark = {
  id: 'rdma-oneway-64',
  metric: 'one-way 64 B messages over UCX on loopback TCP, two processes',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('rdma-oneway', { bytes: 64 }),
  peers: [
    { side: zeromqPushPull(64), goal: ratioGoal(4, 8) },
    { side: ucxPerftest('rate', 64), goal: ratioGoal(2, 5) },
  ],
};

/** A question and its answer from process to process, over UCX. */
export const rdmaRtt: Benchmark = {
  id: 'rdma-rtt',
  metric: 'p50 of a 64 B request/response over UCX on loopback TCP, two processes',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('rdma-rtt', { bytes: 64 }),
  peers: [
    { side: zeromqRequestReply(64), goal: ratioGoal(5, 8) },
    { side: ucxPerftest('rtt', 64), goal: ratioGoal(0.33, 0.5) },
  ],
};

/** Large buffers from slab to slab, over UCX. */
export const rdmaBandwidth1MiB: Benchmark = {
  id: 'rdma-bw-1mib',
  metric: '1 MiB buffers from slab to slab over UCX on loopback TCP, two processes',
  unit: 'bytes/s',
  higherIsBetter: true,
  ours: oursSide('rdma-bandwidth', { bytes: 1024 * 1024 }),
  peers: [{ side: ucxPerftest('bandwidth', 1024 * 1024), goal: ratioGoal(0.8, 0.95) }],
  // Some thousand messages a second: V8 has compiled what they pass through after some three seconds.
  warmUpMs: { full: 4000, quick: 3000 },
};

/** What the more-in-batch hint is worth over UCX. */
export const batchEffectRdma: Benchmark = {
  id: 'batch-effect-rdma',
  metric: 'one-way 64 B messages over UCX on loopback TCP with more-in-batch over without',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('rdma-oneway', { bytes: 64, moreInBatch: true }),
  peers: [
    {
      side: oursSide('rdma-oneway', { bytes: 64, moreInBatch: false }, 'itself without the hint'),
      goal: ratioGoal(5, 10),
    },
  ],
};
