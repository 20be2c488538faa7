import type { Benchmark } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { idleWorkers } from '../peers/index.js';

/** What a system costs that has nothing to do. */
export const idleCpu: Benchmark = {
  id: 'idle-cpu',
  metric: 'CPU time of an idle system of 4 contexts',
  unit: '% of a core',
  higherIsBetter: false,
  ours: oursSide('idle-cpu'),
  peers: [{ side: idleWorkers('4 idle workers'), goal: { kind: 'difference', target: 1, aim: 0.2 } }],
  runMs: { full: 10_000, quick: 2000 },
  rounds: { full: 3, quick: 2 },
};
