/** A pipeline: jobs are split among workers on all cores, their results gathered; a full worker slows the source down. */
import { createSystem } from 'heddle';
import { Collector, Worker } from './pipeline-actors.js';

const jobs = 20_000;
const system = await createSystem({ contexts: 2 });
const collector = await system.spawn(Collector, { expected: jobs }, { on: 'here' });
const workers = await Promise.all(Array.from({ length: 4 }, () => system.spawn(Worker, { collector })));

let pauses = 0;
for (let job = 0; job < jobs; job++) {
  const worker = workers[job % workers.length]!;
  // False: this worker has enough to do. The source waits, instead of filling memory with jobs.
  if (worker.tell('count', 100 + (job % 100))) continue;
  pauses++;
  await worker.ready();
}
console.log(`the source paused for a busy worker: ${pauses > 0 ? `${pauses} times` : 'never'}`);

const total = await collector.ask('total', undefined, { timeoutMs: 60_000 });
console.log(`${total.jobs} jobs found ${total.primes} primes`);
for (const worker of workers) {
  const { done, mostWaiting } = await worker.ask('report');
  console.log(`${worker}: ${done} jobs, never more than ${mostWaiting} waiting`);
}
await system.close();
