import type { Benchmark, Goal, Mode, Peer, Side } from './benchmark.js';
import type { Result } from './result.js';
import { compareRuns, median } from './statistics.js';

/** How long and how often. */
export interface RunPlan {
  readonly mode: Mode;
  readonly runMs: number;
  readonly rounds: number;
  /** How long each side runs before that, which does not count. */
  readonly warmUpMs: number;
  /** No further round begins after this many milliseconds. */
  readonly limitMs: number;
}

const fullPlan = { mode: 'full', runMs: 800, rounds: 11, limitMs: 120_000 } as const;
const quickPlan = { mode: 'quick', runMs: 500, rounds: 5, limitMs: 12_000 } as const;
/** Of a run, where the benchmark says nothing else: so long is the one that warms a side up. */
const warmUpFraction = 0.5;
const longestWarmUpMs = 1000;

/** The plan for one benchmark. */
export function planFor(benchmark: Benchmark, quick: boolean): RunPlan {
  const plan = quick ? quickPlan : fullPlan;
  const { mode } = plan;
  const runMs = benchmark.runMs?.[mode] ?? plan.runMs;
  return {
    mode,
    runMs,
    warmUpMs: benchmark.warmUpMs?.[mode] ?? Math.min(runMs * warmUpFraction, longestWarmUpMs),
    rounds: benchmark.rounds?.[mode] ?? plan.rounds,
    limitMs: plan.limitMs,
  };
}

/** The peers that take part: a quick run leaves some out. */
export function peersIn({ peers }: Benchmark, mode: Mode): readonly Peer[] {
  return peers.filter(({ isOnlyInFull }) => mode === 'full' || isOnlyInFull !== true);
}

/** A side while its benchmark runs. */
class Contestant {
  readonly side: Side;
  readonly values: number[] = [];
  /** Why the side does not take part, or no longer does. */
  problem: string | undefined;
  failed = false;

  constructor(side: Side) {
    this.side = side;
    this.problem = side.unavailable();
  }

  get takesPart(): boolean {
    return this.problem === undefined;
  }

  async attempt(step: () => Promise<void>): Promise<void> {
    if (!this.takesPart) return;
    try {
      await step();
    } catch (error) {
      this.failed = true;
      this.problem = `failed: ${error instanceof Error ? error.message : String(error)}`;
      // Runs that came before a wrong one prove nothing.
      this.values.length = 0;
    }
  }
}

/**
 * Runs a benchmark: heddle and its peers in turn, round after round. Sides that are missing or fail are rows too.
 * When heddle's own side is missing the peers are measured all the same.
 */
export async function runBenchmark(benchmark: Benchmark, plan: RunPlan): Promise<Result[]> {
  const { mode } = plan;
  const takingPart = peersIn(benchmark, mode);
  const ours = new Contestant(benchmark.ours);
  const peers = takingPart.map((peer) => new Contestant(peer.side));
  const all = [ours, ...peers];
  const started = all.filter((each) => each.takesPart);
  try {
    for (const each of all) await each.attempt(() => each.side.setup(plan.mode));
    for (const each of all.filter(({ side }) => side.isNewEachRun !== true)) {
      await each.attempt(async () => {
        await each.side.run(plan.warmUpMs);
      });
    }
    const startMs = performance.now();
    for (let round = 0; round < plan.rounds && performance.now() - startMs < plan.limitMs; round++) {
      for (const each of all) {
        await each.attempt(async () => {
          each.values.push(await each.side.run(plan.runMs));
        });
      }
    }
  } finally {
    for (const each of started) {
      await each.side.teardown().catch((error: unknown) => {
        each.failed = true;
        each.problem ??= `failed to end: ${String(error)}`;
      });
    }
  }
  const metric = mode === 'quick' ? (benchmark.quickMetric ?? benchmark.metric) : benchmark.metric;
  return peers.map((peer, i) => resultOf({ ...benchmark, metric }, takingPart[i]?.goal, ours, peer));
}

function resultOf(benchmark: Benchmark, goal: Goal | undefined, ours: Contestant, peer: Contestant): Result {
  const { id, metric, unit, higherIsBetter } = benchmark;
  const notes = [ours, peer]
    .filter((each) => each.problem !== undefined)
    .map((each) => (each.failed ? `${each.side.name} ${each.problem}` : each.problem));
  const row = {
    id,
    metric,
    unit,
    peerName: peer.side.name,
    goal,
    note: notes.length > 0 ? [...new Set(notes)].join('; ') : undefined,
    failed: ours.failed || peer.failed,
  };
  if (ours.values.length > 0 && peer.values.length > 0) {
    return { ...row, ...compareRuns(ours.values, peer.values, higherIsBetter) };
  }
  const medianOf = (values: readonly number[]): number | null => (values.length > 0 ? median(values) : null);
  return {
    ...row,
    ours: medianOf(ours.values),
    peer: medianOf(peer.values),
    ratio: null,
    spread: null,
    runs: Math.max(ours.values.length, peer.values.length),
  };
}
