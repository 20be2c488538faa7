import test from 'ava';
import { savinaBenchmarks } from '../../../bench/savina/index.js';
import type { Facts } from '../../../bench/savina/savina.js';
import { Stage, verifyFacts } from '../../../bench/savina/stage.js';
import { broken } from './fixtures/broken.js';

const stages: Stage[] = [];
// Contexts do not keep the process alive, and ava ends a test when nothing else does.
const hold = setInterval(() => {}, 60_000);

test.before(async () => {
  for (const contexts of [1, 2]) stages.push(await Stage.open(contexts));
});

test.after.always(async () => {
  await Promise.all(stages.map((stage) => stage.close()));
  clearInterval(hold);
});

test('each benchmark has a name of its own', (t) => {
  t.is(new Set(savinaBenchmarks.map(({ name }) => name)).size, savinaBenchmarks.length);
  t.is(savinaBenchmarks.length, 30);
});

for (const benchmark of savinaBenchmarks) {
  const { name, parameters } = benchmark;

  test.serial(`${name} comes to the right result, on one context and on two, time and again`, async (t) => {
    const expected = benchmark.expected(parameters.tiny);
    for (const stage of stages) {
      t.true((await stage.play(benchmark, parameters.tiny, expected)) > 0);
      t.true((await stage.play(benchmark, parameters.tiny, expected)) > 0);
    }
  });

  test.serial(`${name} fails when another result comes out, whichever of its facts differs`, async (t) => {
    const expected = benchmark.expected(parameters.tiny);
    for (const [fact, value] of Object.entries(expected)) {
      const other: Facts = { ...expected, [fact]: typeof value === 'number' ? value + 1 : `not ${value}` };
      t.throws(() => verifyFacts(name, expected, other), { message: /wrong result/ });
    }
    const [stage] = stages as [Stage];
    await t.throwsAsync(stage.play(benchmark, parameters.tiny, { ...expected, more: 1 }), { message: /wrong result/ });
  });
}

for (const [fault, message] of [
  ['fails', /child@worker-1.* failed: .*oh dear/],
  ['loses a message', /ignore to child@worker-1.* was not handled: mailbox-full/],
  ['lies', /wrong result: expected {"sum":1}, found {"sum":2}/],
] as const) {
  test.serial(`a benchmark that ${fault} is reported as failed`, async (t) => {
    const [stage] = stages as [Stage];
    await t.throwsAsync(stage.play(broken, fault, broken.expected(fault)), { message });
  });
}
