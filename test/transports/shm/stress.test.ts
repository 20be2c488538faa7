import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import {
  bellIndex,
  ContextTable,
  createContextTable,
  sleepingIndex,
} from '../../../src/transports/shm/context-table.js';
import { createRingPair } from '../../../src/transports/shm/ring-pair.js';
import type { StressResult, StressTask } from './stress-worker.js';

/** Whether each of the two threads loads the native part: one that has not is woken, and wakes, by the port. */
const bells = { 'native bells': [true, true], ports: [false, false], 'a native bell and a port': [true, false] };

for (const [name, natives] of Object.entries(bells))
  test(`two threads with ${name}: nothing lost, reordered or damaged, nobody sleeps for ever`, (t) =>
    stress(t, natives));

/** Two threads exchange random bursts through the smallest rings, sleeping whenever they have nothing to do. */
async function stress(t: ExecutionContext, natives: readonly boolean[]): Promise<void> {
  const seed = Number(process.env.HEDDLE_SEED ?? Date.now() % 0x7fffffff);
  t.log(`HEDDLE_SEED=${seed}`);
  const records = 20_000;
  const table = createContextTable();
  const { forA, forB } = createRingPair(0, 1, 4096);
  const workers = [forA, forB].map((pair, contextId) => {
    const workerData: StressTask = { contextId, table, seed: seed + contextId * 7919, records };
    const env = { ...process.env, HEDDLE_NATIVE_DOORBELL: natives[contextId] ? '1' : '0' };
    const worker = new Worker(new URL('./stress-worker.js', import.meta.url), { workerData, env });
    worker.postMessage(pair, [pair.doorbell]);
    return worker;
  });
  let watchdog: NodeJS.Timeout | undefined;
  try {
    const results = await Promise.race([
      Promise.all(
        workers.map(
          (worker) =>
            new Promise<StressResult>((resolve, reject) => {
              worker.once('message', resolve);
              worker.once('error', reject);
              worker.once('exit', (code) => reject(new Error(`a worker exited without a result: code=${code}`)));
            }),
        ),
      ),
      new Promise<never>((_resolve, reject) => {
        watchdog = setTimeout(() => reject(new Error(`somebody sleeps for ever: HEDDLE_SEED=${seed}`)), 90_000);
      }),
    ]);
    t.log(JSON.stringify(results));
    const { words } = new ContextTable(table);
    t.deepEqual(
      [0, 1].map((contextId) => words[bellIndex(sleepingIndex(contextId))] > 0),
      natives,
    );
    for (const result of results) {
      t.is(result.failure, undefined);
      t.is(result.received, records);
      t.true(result.sleeps > 100, `slept ${result.sleeps} times: the test must make them sleep`);
      t.true(result.waitsForRoom > 10, `waited ${result.waitsForRoom} times: the test must fill the ring`);
    }
  } finally {
    clearTimeout(watchdog);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
