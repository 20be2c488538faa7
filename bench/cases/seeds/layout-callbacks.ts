/** examples/layout-callbacks beside Redis: two processes that share a file. */
import { type Benchmark, ratioGoal } from '../../harness/benchmark.js';
import { processSide } from '../../harness/process-side.js';
import type { Sharing } from '../../harness/sharing.js';
import { redisRequirement } from '../../peers/redis-server.js';

const runMs = { full: 1500, quick: 700 };
const rounds = { full: 7, quick: 3 };

function benchmark(id: string, metric: string, sharing: Sharing, goal?: ReturnType<typeof ratioGoal>): Benchmark {
  const options = { sharing };
  const ours = new URL('../../ours/layout-callbacks.js', import.meta.url);
  const redis = new URL('../../peers/redis-sharing.js', import.meta.url);
  return {
    id,
    metric,
    unit: 'operations/s',
    higherIsBetter: true,
    ours: processSide({ name: 'heddle layout-callbacks', module: ours, options }),
    peers: [
      {
        side: processSide({ name: 'Redis', module: redis, options, needs: [redisRequirement] }),
        ...(goal !== undefined && { goal }),
      },
    ],
    runMs,
    rounds,
  };
}

export const layoutCallbacks = benchmark(
  'seeds/layout-callbacks',
  '2 processes that read and write 128 bytes, each in its own part of a shared file',
  'apart',
  ratioGoal(5, 10),
);

/** Who has the number counts on for about a millisecond before it hears that it is called back: that is what makes the rate. */
export const layoutCallbacksContended = benchmark(
  'seeds/layout-callbacks-contended',
  '2 processes that count on one number',
  'together',
);
