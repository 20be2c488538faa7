import type { Benchmark, Mode, Side } from '../harness/benchmark.js';
import { erlangSavinaSide } from '../peers/erlang.js';
import { savinaBenchmarks } from '../savina/index.js';
import { savinaSide } from '../savina/side.js';

type SavinaBenchmark = (typeof savinaBenchmarks)[number];

/** The benchmarks that have a natural port to Erlang, and how heddle_savina.erl calls them. */
const erlangWorkloads: Readonly<Record<string, string>> = {
  'ping-pong': 'ping_pong',
  'fork-join-throughput': 'fork_join_throughput',
  'fork-join-creation': 'fork_join_creation',
  'thread-ring': 'thread_ring',
  chameneos: 'chameneos',
  big: 'big',
  'bank-transaction': 'bank_transaction',
};

/** Those that Erlang plays with its processes bound to different schedulers as well: left to itself it puts them on one. */
const erlangWorkloadsApart: Readonly<Record<string, string>> = { 'ping-pong': 'ping_pong_apart' };

/** A program's arguments are the numbers of the benchmark's parameters, in their order. */
function erlangSides(
  { name, parameters }: SavinaBenchmark,
  schedulers: number,
  sideName: string,
  workloads = erlangWorkloads,
): Side[] {
  const workload = workloads[name];
  if (workload === undefined) return [];
  const numbersOf = (mode: Mode): number[] => Object.values(parameters[mode] as Record<string, number>);
  return [erlangSavinaSide(sideName, workload, schedulers, numbersOf)];
}

const plan = {
  unit: 'ms',
  higherIsBetter: false,
  runMs: { full: 500, quick: 20 },
  rounds: { full: 5, quick: 2 },
} as const;

/** Heddle on two contexts against one, and against Erlang with as many schedulers as heddle has contexts. */
function benchmarksOf(benchmark: SavinaBenchmark): Benchmark[] {
  const { name, metric } = benchmark;
  const title = metric.split(':', 1)[0] as string;
  const onTwo: Benchmark = {
    ...plan,
    id: `savina/${name}`,
    metric: `${metric}; on two contexts`,
    quickMetric: `${title}, reduced; on two contexts`,
    ours: savinaSide('heddle', name, 2),
    peers: [
      savinaSide('heddle on one context', name, 1),
      ...erlangSides(benchmark, 2, 'Erlang 25'),
      ...erlangSides(benchmark, 2, 'Erlang 25, bound to two schedulers', erlangWorkloadsApart),
    ].map((side) => ({ side })),
  };
  const alone = erlangSides(benchmark, 1, 'Erlang 25, one scheduler');
  if (alone.length === 0) return [onTwo];
  const onOne: Benchmark = {
    ...plan,
    id: `savina/${name}-1`,
    metric: `${metric}; on one context`,
    quickMetric: `${title}, reduced; on one context`,
    ours: savinaSide('heddle', name, 1),
    peers: alone.map((side) => ({ side })),
  };
  return [onTwo, onOne];
}

/** The Savina suite, of which the times are tabled. */
export const savina: readonly Benchmark[] = savinaBenchmarks.flatMap(benchmarksOf);
