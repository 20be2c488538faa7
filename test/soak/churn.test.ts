import test from 'ava';
import { runChurn } from './churn.js';

const seed = Number(process.env.HEDDLE_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Connections that happen to be there when descriptors are counted, each with several at both ends. */
const descriptorSlack = 120;
/** Threads that are ended leave their heaps to the next ones, but not at once. */
const residentSlackBytes = 128 * 2 ** 20;

for (const transport of ['tcp', 'rdma'] as const) {
  test.serial(`connections and threads that come and go over ${transport} leave nothing behind`, async (t) => {
    t.timeout(600_000);
    const hold = setInterval(() => {}, 60_000);
    t.teardown(() => clearInterval(hold));
    t.log(`HEDDLE_SEED=${seed}, or: npm run soak:churn -- --seed ${seed} --transport ${transport}`);
    const { problems, cycles, samples } = await runChurn({
      seed,
      transport,
      threads: 3,
      terminations: 4,
      cyclesBetween: 20,
    });
    t.is(problems, 0);
    t.true(cycles >= 100);
    const [first] = samples;
    const last = samples.at(-1);
    t.log(JSON.stringify(samples));
    t.true((last?.descriptors ?? 0) <= (first?.descriptors ?? 0) + descriptorSlack);
    t.true((last?.residentBytes ?? 0) <= (first?.residentBytes ?? 0) + residentSlackBytes);
  });
}
