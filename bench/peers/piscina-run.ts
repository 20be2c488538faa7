/** A task that piscina runs in its one worker, called from the main thread: the p50 in microseconds. */
import { fileURLToPath } from 'node:url';
import { requirePeer } from '../harness/requirement.js';
import type { Roles } from '../harness/role.js';
import { AwaitedRoundTrips } from '../harness/round-trips.js';
import { type Answer, checkAnswer, type Question } from '../workloads.js';

interface PiscinaModule {
  Piscina: new (options: {
    filename: string;
    minThreads: number;
    maxThreads: number;
  }) => { run(task: Question): Promise<Answer>; destroy(): Promise<void> };
}

function createSide() {
  const { Piscina } = requirePeer('piscina') as PiscinaModule;
  const filename = fileURLToPath(new URL('./piscina-task.js', import.meta.url));
  // The worker waits in Atomics.wait between tasks, which is piscina's default and its fastest way.
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
  const trips = new AwaitedRoundTrips<Answer>((id) => pool.run({ id, amount: 2 * id }), checkAnswer);
  return {
    setup: async () => checkAnswer(await pool.run({ id: 0, amount: 0 }), 0),
    run: (budgetMs: number) => trips.run(budgetMs),
    teardown: () => pool.destroy(),
  };
}

export const roles: Roles = { side: createSide };
