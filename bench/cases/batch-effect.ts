import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';

/** What the more-in-batch hint is worth. */
export const batchEffectShm: Benchmark = {
  id: 'batch-effect-shm',
  metric: 'one-way 64 B messages between two contexts with more-in-batch over without',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('batch-effect-shm', { bytes: 64, moreInBatch: true }),
  peers: [
    {
      side: oursSide('batch-effect-shm', { bytes: 64, moreInBatch: false }, 'itself without the hint'),
      goal: ratioGoal(2, 3),
    },
  ],
};
