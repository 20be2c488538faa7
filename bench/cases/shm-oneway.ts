import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { postMessageFlood } from '../peers/index.js';

/** One-way 64-byte messages between two contexts. */
export const shmOneway64: Benchmark = {
  id: 'shm-oneway-64',
  metric: 'one-way 64 B messages between two contexts',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('shm-oneway', { bytes: 64 }),
  peers: [{ side: postMessageFlood('postMessage of a 64 B Uint8Array', 64), goal: ratioGoal(20, 40) }],
};

/** One-way 4 KiB messages between two contexts. */
export const shmOneway4k: Benchmark = {
  id: 'shm-oneway-4k',
  metric: 'one-way 4 KiB messages between two contexts',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('shm-oneway', { bytes: 4096 }),
  peers: [{ side: postMessageFlood('postMessage of a 4 KiB Uint8Array', 4096), goal: ratioGoal(10, 20) }],
};
