import test from 'ava';
import { type Benchmark, ratioGoal, type Side } from '../../../bench/harness/benchmark.js';
import { planFor, type RunPlan, runBenchmark } from '../../../bench/harness/run.js';

const plan: RunPlan = { mode: 'full', runMs: 2, rounds: 3, warmUpMs: 1, limitMs: 60_000 };

/** A side that returns given values, the first of them for the warm-up, and notes each call. */
function scriptedSide(name: string, log: string[], values: readonly (number | Error)[]): Side {
  let next = 0;
  return {
    name,
    unavailable: () => undefined,
    setup: async () => {
      log.push(`${name} setup`);
    },
    run: async () => {
      log.push(name);
      const value = values[next++];
      if (value === undefined) throw new Error('run too often');
      if (value instanceof Error) throw value;
      return value;
    },
    teardown: async () => {
      log.push(`${name} teardown`);
    },
  };
}

function absentSide(name: string): Side {
  const fail = (): Promise<never> => Promise.reject(new Error('must not be started'));
  return { name, unavailable: () => `missing ${name}`, setup: fail, run: fail, teardown: fail };
}

function benchmarkOf(ours: Side, ...peers: Side[]): Benchmark {
  return {
    id: 'sample',
    metric: 'sample',
    unit: 'messages/s',
    higherIsBetter: true,
    ours,
    peers: peers.map((side) => ({ side, goal: ratioGoal(2, 4) })),
  };
}

test('sides are warmed up, then run in turn, then ended', async (t) => {
  const log: string[] = [];
  const benchmark = benchmarkOf(scriptedSide('A', log, [99, 4, 6, 8]), scriptedSide('B', log, [99, 2, 3, 2]));
  const [row] = await runBenchmark(benchmark, plan);
  t.deepEqual(log.join(', '), 'A setup, B setup, A, B, A, B, A, B, A, B, A teardown, B teardown');
  t.like(row, { ours: 6, peer: 2, ratio: 2, runs: 3, failed: false, note: undefined, peerName: 'B' });
});

test('a side that is a new process each time is not warmed up, and every side knows the mode', async (t) => {
  const log: string[] = [];
  const program = { ...scriptedSide('B', log, [1, 1, 1]), isNewEachRun: true };
  program.setup = async (mode) => {
    log.push(mode);
  };
  const benchmark = { ...benchmarkOf(scriptedSide('A', log, [0, 1, 1, 1]), program), quickMetric: 'less of it' };
  const [row] = await runBenchmark(benchmark, { ...plan, mode: 'quick' });
  t.is(log.join(', '), 'A setup, quick, A, A, B, A, B, A, B, A teardown, B teardown');
  t.like(row, { runs: 3, ratio: 1, metric: 'less of it' });
});

test('a peer for full runs alone is not there in quick ones', async (t) => {
  const sides = (): Side[] => ['A', 'B', 'C'].map((name) => scriptedSide(name, [], [0, 1, 1, 1]));
  const benchmark = () => {
    const [ours, ...others] = sides() as [Side, ...Side[]];
    const peers = others.map((side, i) => ({ side, isOnlyInFull: i === 0, goal: ratioGoal(i + 1, i + 2) }));
    return { ...benchmarkOf(ours), peers };
  };
  t.deepEqual(
    (await runBenchmark(benchmark(), plan)).map(({ peerName }) => peerName),
    ['B', 'C'],
  );
  const [row, ...none] = await runBenchmark(benchmark(), { ...plan, mode: 'quick' });
  t.like(row, { peerName: 'C', goal: ratioGoal(2, 3) });
  t.deepEqual(none, []);
});

test('a missing peer is a row, and the others are measured', async (t) => {
  const log: string[] = [];
  const rows = await runBenchmark(
    benchmarkOf(scriptedSide('A', log, [0, 4, 4, 4]), absentSide('B'), scriptedSide('C', log, [0, 1, 1, 1])),
    plan,
  );
  t.like(rows[0], { peerName: 'B', ours: 4, peer: null, ratio: null, note: 'missing B', failed: false });
  t.like(rows[1], { peerName: 'C', ours: 4, peer: 1, ratio: 4, note: undefined });
});

test('peers are measured when heddle itself is missing', async (t) => {
  const [row] = await runBenchmark(benchmarkOf(absentSide('A'), scriptedSide('B', [], [0, 5, 6, 7])), plan);
  t.like(row, { ours: null, peer: 6, ratio: null, runs: 3, note: 'missing A', failed: false });
});

test('a side whose result is wrong once has no result', async (t) => {
  const log: string[] = [];
  const [row] = await runBenchmark(
    benchmarkOf(
      scriptedSide('A', log, [0, 1, 1, 1]),
      scriptedSide('B', log, [0, 1, new Error('messages were lost'), 1]),
    ),
    plan,
  );
  t.like(row, { ours: 1, peer: null, ratio: null, failed: true });
  t.regex(row?.note ?? '', /B failed: messages were lost/);
  t.is(log.at(-1), 'B teardown');
});

test('no round begins after the limit', async (t) => {
  const [row] = await runBenchmark(benchmarkOf(scriptedSide('A', [], [1, 1]), scriptedSide('B', [], [1, 1])), {
    ...plan,
    limitMs: 0,
  });
  t.like(row, { runs: 0, ratio: null });
});

test('a benchmark may have its own plan', (t) => {
  const own = { ...benchmarkOf(absentSide('A')), runMs: { full: 10_000, quick: 7 }, rounds: { full: 2, quick: 1 } };
  t.like(planFor(own, true), { runMs: 7, rounds: 1 });
  t.like(planFor(own, false), { runMs: 10_000, rounds: 2 });
  const long = { ...own, warmUpMs: { full: 4000, quick: 300 } };
  t.deepEqual(
    [own, long].flatMap((each) => [planFor(each, true).warmUpMs, planFor(each, false).warmUpMs]),
    [3.5, 1000, 300, 4000],
  );
  t.true(planFor(benchmarkOf(absentSide('A')), true).runMs < planFor(benchmarkOf(absentSide('A')), false).runMs);
});
