import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { postMessageEcho } from '../peers/index.js';

/** A mebibyte there and back. */
export const shm1MiB: Benchmark = {
  id: 'shm-1mib',
  metric: 'p50 of a round trip of a 1 MiB SharedBuffer',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('shm-shared-buffer', { bytes: 1 << 20 }),
  peers: [{ side: postMessageEcho('postMessage copy of 1 MiB', 1 << 20), goal: ratioGoal(20, 50) }],
};

/** What size costs: 4 MiB may take at most 1.5 times as long as 64 bytes, which is a ratio of 0.67. */
export const shmFlat: Benchmark = {
  id: 'shm-flat',
  metric: 'p50 of a round trip of a 4 MiB SharedBuffer against one of 64 B',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('shm-shared-buffer', { bytes: 4 << 20 }),
  peers: [
    { side: oursSide('shm-shared-buffer', { bytes: 64 }, 'itself with 64 B'), goal: ratioGoal(1 / 1.5, 1 / 1.1) },
  ],
};
