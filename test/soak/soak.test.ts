import test from 'ava';
import { runSoak } from './soak.js';
import { makePlan } from './soak-plan.js';

const seed = Number(process.env.HEDDLE_SEED ?? Math.floor(Math.random() * 2 ** 31));

for (const transport of ['shm', 'tcp', 'rdma'] as const) {
  test.serial(`contexts that talk at random over ${transport} lose, double and leave behind nothing`, async (t) => {
    // Contexts do not keep the process alive by handles, and ava ends a test when nothing else does.
    const hold = setInterval(() => {}, 60_000);
    t.teardown(() => clearInterval(hold));
    const plan = makePlan(seed, transport, 3);
    t.log(`HEDDLE_SEED=${seed}, or: npm run soak -- --seed ${seed} --seconds 30 --transport ${transport}`);
    const report = await runSoak(plan);
    t.deepEqual(report.problems, []);
    t.true(report.counts.messages > 100);
    t.log(`${plan.contexts} contexts, ${report.counts.connections} connections, ${report.counts.messages} messages`);
  });
}
