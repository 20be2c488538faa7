import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { constantSide, processSide } from '../harness/process-side.js';
import type { Count, ScaleQuantity } from '../ours/scale.js';

/** No worse than linear: each of many costs what each of few does, give or take what a machine's noise is. */
const linear = ratioGoal(0.8, 1);

interface Scale {
  readonly quantity: ScaleQuantity;
  readonly metric: string;
  readonly unit: string;
  readonly things: string;
  readonly most: Count;
  /** Smaller numbers that the largest is compared with. */
  readonly fewer: readonly number[];
  /** What one may cost at the most, in the unit. */
  readonly limit?: { readonly name: string; readonly value: number; readonly aim: number };
}

function benchmarkOf({ quantity, metric, unit, things, most, fewer, limit }: Scale): Benchmark {
  const side = (name: string, count: Count) =>
    processSide({
      name,
      module: new URL('../ours/scale.js', import.meta.url),
      options: { quantity, count },
      isNewEachRun: true,
    });
  const numbered = (count: number) => `${count.toLocaleString('en')} ${count === 1 ? things.slice(0, -1) : things}`;
  return {
    id: `scale/${quantity}`,
    metric: `${metric}, with ${numbered(most.full)}`,
    quickMetric: `${metric}, with ${numbered(most.quick)}`,
    unit,
    higherIsBetter: false,
    ours: side('heddle', most),
    peers: [
      ...(limit === undefined
        ? []
        : [{ side: constantSide(limit.name, limit.value), goal: ratioGoal(1, limit.value / limit.aim) }]),
      ...fewer.map((count, i) => ({
        side: side(`itself with ${numbered(count)}`, { full: count, quick: count }),
        goal: linear,
        isOnlyInFull: i > 0,
      })),
    ],
    runMs: { full: 500, quick: 50 },
    rounds: { full: 5, quick: 1 },
  };
}

/** What each of many actors, contexts and connections costs: CPU time and resident memory. */
export const scale: readonly Benchmark[] = [
  benchmarkOf({
    quantity: 'actor-time',
    metric: 'CPU time of an actor that is created, handles a message and stops',
    unit: 'µs',
    things: 'actors',
    most: { full: 1_000_000, quick: 100_000 },
    fewer: [1000, 10_000, 100_000],
  }),
  benchmarkOf({
    quantity: 'actor-memory',
    metric: 'resident memory of an idle actor',
    unit: 'B',
    things: 'actors',
    most: { full: 1_000_000, quick: 100_000 },
    fewer: [50_000, 200_000],
    limit: { name: 'the limit of 1 KiB', value: 1024, aim: 768 },
  }),
  benchmarkOf({
    quantity: 'context-time',
    metric: 'CPU time of a context from its start to its end',
    unit: 'ms',
    things: 'contexts',
    most: { full: 16, quick: 4 },
    fewer: [1, 4],
  }),
  benchmarkOf({
    quantity: 'context-memory',
    metric: 'resident memory of a context',
    unit: 'MiB',
    things: 'contexts',
    most: { full: 16, quick: 4 },
    fewer: [1, 4],
    limit: { name: 'the limit of 16 MiB', value: 16, aim: 8 },
  }),
  benchmarkOf({
    quantity: 'context-messages',
    metric: 'CPU time of a message in a ring of contexts',
    unit: 'µs',
    things: 'contexts',
    most: { full: 16, quick: 4 },
    fewer: [2, 4],
  }),
  benchmarkOf({
    quantity: 'connection-time',
    metric: 'CPU time of a connection that is opened, asked over once and closed',
    unit: 'µs',
    things: 'connections',
    most: { full: 10_000, quick: 500 },
    fewer: [100, 1000],
  }),
  benchmarkOf({
    quantity: 'connection-memory',
    metric: 'resident memory of both ends of an idle connection',
    unit: 'KiB',
    things: 'connections',
    most: { full: 10_000, quick: 4000 },
    fewer: [1000],
    limit: { name: 'the limit of 64 KiB', value: 64, aim: 32 },
  }),
];
