import test from 'ava';
import { benchmarks } from '../../../bench/cases/index.js';
import { peersIn, planFor } from '../../../bench/harness/run.js';

test('each benchmark has an id of its own and at least one peer', (t) => {
  t.is(new Set(benchmarks.map(({ id }) => id)).size, benchmarks.length);
  for (const { id, peers } of benchmarks) t.true(peers.length > 0, id);
});

test('an aim asks for more than its target', (t) => {
  for (const { id, peers } of benchmarks) {
    for (const { side, goal } of peers) {
      if (goal === undefined) continue;
      const asksMore = goal.kind === 'ratio' ? goal.aim > goal.target : goal.aim < goal.target;
      t.true(asksMore, `${id} ${side.name}`);
    }
  }
});

test('a benchmark names each peer once', (t) => {
  for (const { id, peers } of benchmarks) t.is(new Set(peers.map(({ side }) => side.name)).size, peers.length, id);
});

test('the runs of a quick benchmark leave six of its twenty seconds for starting and ending its sides', (t) => {
  for (const benchmark of benchmarks) {
    const { mode, runMs, rounds, warmUpMs } = planFor(benchmark, true);
    const sides = [benchmark.ours, ...peersIn(benchmark, mode).map(({ side }) => side)];
    const warmUps = sides.filter(({ isNewEachRun }) => isNewEachRun !== true).length;
    t.true(sides.length * rounds * runMs + warmUps * warmUpMs <= 14_000, benchmark.id);
  }
});
