import test from 'ava';
import { runSoak } from './soak.js';
import { makePlan } from './soak-plan.js';

// Before UCX is loaded, here and in the second process: data goes through memory that both share, connections are made by tcp.
process.env.UCX_TLS = 'sm,tcp,self';
delete process.env.UCX_NET_DEVICES;

const seed = Number(process.env.HEDDLE_SEED ?? Math.floor(Math.random() * 2 ** 31));

test('contexts of two processes that talk at random by UCX shared memory lose, double and leave behind nothing', async (t) => {
  const hold = setInterval(() => {}, 60_000);
  t.teardown(() => clearInterval(hold));
  const plan = makePlan(seed, 'rdma', 3, true);
  t.log(`UCX_TLS=sm,tcp,self npm run soak -- --seed ${seed} --seconds 30 --transport rdma --second-process`);
  const report = await runSoak(plan);
  t.deepEqual(report.problems, []);
  t.true(report.counts.messages > 100);
});
