/** examples/web-cache beside other servers of the same files, and beside itself with a queue before each answer. */
import { type Benchmark, ratioGoal, type Side } from '../../harness/benchmark.js';
import { processSide } from '../../harness/process-side.js';
import { npmPackage, program } from '../../harness/requirement.js';
import type { WebLoad } from '../../harness/web-side.js';
import { wrkRequirement } from '../../harness/wrk.js';

const kib = 1024;
const small: WebLoad = { fileBytes: kib, connections: 32, result: 'requests/s' };
const large: WebLoad = { fileBytes: kib * kib, connections: 16, result: 'bytes/s' };
const runMs = { full: 2000, quick: 1000 };
const rounds = { full: 7, quick: 2 };

function ours(load: WebLoad, name = 'heddle web-cache', hitsBy: 'arrival' | 'own-queue' | 'thread' = 'arrival'): Side {
  const module = new URL('../../ours/web-cache.js', import.meta.url);
  return processSide({ name, module, options: { ...load, hitsBy }, needs: [wrkRequirement] });
}

function nginx(load: WebLoad): Side {
  const module = new URL('../../peers/nginx.js', import.meta.url);
  return processSide({
    name: 'nginx, 1 worker',
    module,
    options: load,
    needs: [wrkRequirement, program('nginx', 'nginx-light')],
  });
}

function staticHttp(load: WebLoad, handler: 'send' | 'memory'): Side {
  const module = new URL('../../peers/static-http.js', import.meta.url);
  const needs = handler === 'send' ? [wrkRequirement, npmPackage('send')] : [wrkRequirement];
  const name = handler === 'send' ? 'node:http with send' : 'node:http from memory';
  return processSide({ name, module, options: { ...load, handler }, needs });
}

export const webCache: Benchmark = {
  id: 'seeds/web-cache',
  metric: 'answers with a cached file of 1 KiB, over 32 connections of wrk',
  unit: 'requests/s',
  higherIsBetter: true,
  ours: ours(small),
  peers: [
    { side: nginx(small) },
    { side: staticHttp(small, 'send'), goal: ratioGoal(2, 4) },
    { side: staticHttp(small, 'memory'), goal: ratioGoal(1, 1.5) },
  ],
  runMs,
  rounds,
};

export const webCacheLarge: Benchmark = {
  id: 'seeds/web-cache-1m',
  metric: 'bytes of a cached file of 1 MiB, over 16 connections of wrk',
  unit: 'B/s',
  higherIsBetter: true,
  ours: ours(large),
  // Tabled only: most of the time is the kernel's, and the others hand it more than 64 KiB at a time.
  peers: [{ side: nginx(large) }, { side: staticHttp(large, 'send') }, { side: staticHttp(large, 'memory') }],
  runMs,
  rounds,
};

function queued(id: string, load: WebLoad): Benchmark {
  const { connections } = load;
  return {
    id,
    metric: `answers in the data handler, beside the same after a queue to an actor and back (1 KiB, connections: ${connections})`,
    unit: 'requests/s',
    higherIsBetter: true,
    ours: ours(load),
    peers: [
      { side: ours(load, 'an actor of the same thread first', 'own-queue') },
      { side: ours(load, 'an actor of another thread first', 'thread'), goal: ratioGoal(1.05, 1.12) },
    ],
    runMs,
    rounds,
  };
}

/** What the paper on AFPA found: answering in the arrival handler beat queueing to a thread by 12 %. */
export const webCacheQueued = queued('seeds/web-cache-queued', small);
export const webCacheQueuedAlone = queued('seeds/web-cache-queued-1', { ...small, connections: 1 });
