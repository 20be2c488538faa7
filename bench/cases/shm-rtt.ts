import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { postMessageEcho } from '../peers/index.js';

/** A question and its answer, one after the other without a pause. */
export const shmRttHot: Benchmark = {
  id: 'shm-rtt-hot',
  metric: 'p50 of a 64 B request/response, both awake',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('shm-rtt', { bytes: 64, pauseMs: 0 }),
  peers: [{ side: postMessageEcho('postMessage echo', 64), goal: ratioGoal(5, 10) }],
};

/** A question and its answer after a millisecond in which both sides have fallen asleep. */
export const shmRttIdle: Benchmark = {
  id: 'shm-rtt-idle',
  metric: 'p50 of a 64 B request/response with 1 ms pauses, both asleep between',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('shm-rtt', { bytes: 64, pauseMs: 1 }),
  peers: [{ side: postMessageEcho('postMessage echo', 64, 1), goal: ratioGoal(1, 1.5) }],
  // A run is some 650 round trips; V8 has compiled what they pass through after some 3000.
  warmUpMs: { full: 4000, quick: 3000 },
};
