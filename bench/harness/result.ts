import type { Goal } from './benchmark.js';

/** One row: a benchmark against one of its peers. Values are null where nothing was measured. */
export interface Result {
  readonly id: string;
  readonly metric: string;
  readonly unit: string;
  /** Median of heddle's runs. */
  readonly ours: number | null;
  /** Median of the peer's runs. */
  readonly peer: number | null;
  readonly peerName: string;
  /** Above 1 means heddle is better. */
  readonly ratio: number | null;
  /** Interquartile range of the ratio from pair to pair. */
  readonly spread: number | null;
  /** How many pairs of runs stand behind it, or single runs where one side is missing. */
  readonly runs: number;
  readonly goal: Goal | undefined;
  /** Why values are null. */
  readonly note: string | undefined;
  /** True when a side ran and failed, not only was not there. */
  readonly failed: boolean;
}

/** The row as a line of JSON. `note` is only there when something is missing. */
export function resultToJson(result: Result): string {
  const { id, metric, unit, ours, peer, peerName, ratio, spread, runs, note } = result;
  const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null);
  return JSON.stringify({
    id,
    metric,
    unit,
    ours: finite(ours),
    peer: finite(peer),
    peerName,
    ratio: finite(ratio),
    spread: finite(spread),
    runs,
    // Of a failure the first line; the rest is its stack.
    note: note?.split('\n', 1)[0],
  });
}

/** How a row stands to its goal. */
export type Verdict = 'aim reached' | 'target reached' | 'below target' | 'no goal' | 'not measured';

/** Compares a row with its goal. */
export function judge({ ours, peer, ratio, goal }: Result): Verdict {
  if (ours === null || peer === null) return 'not measured';
  if (goal === undefined) return 'no goal';
  // As numbers of which more is better.
  const [value, target, aim] =
    goal.kind === 'ratio' ? [ratio ?? Number.NaN, goal.target, goal.aim] : [peer - ours, -goal.target, -goal.aim];
  if (value >= aim) return 'aim reached';
  return value >= target ? 'target reached' : 'below target';
}
