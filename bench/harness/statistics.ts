/** The value below which `fraction` (0 to 1) of `values` lie, by linear interpolation. NaN for no values. */
export function percentile(values: ArrayLike<number>, fraction: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const position = Math.min(Math.max(fraction, 0), 1) * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.ceil(position);
  const lower = sorted[below] as number;
  const upper = sorted[above] as number;
  return below === above ? lower : lower + (upper - lower) * (position - below);
}

/** The middle of `values`; the mean of the two middle ones when there is an even number of them. */
export function median(values: ArrayLike<number>): number {
  return percentile(values, 0.5);
}

/** The distance between the first and the third quartile: how far the middle half of the runs lie apart. */
export function interquartileRange(values: ArrayLike<number>): number {
  return percentile(values, 0.75) - percentile(values, 0.25);
}

/** How many times better `ours` is than `peer`: above 1 means heddle is better, whichever way the metric counts. */
export function betterRatio(ours: number, peer: number, higherIsBetter: boolean): number {
  return higherIsBetter ? ours / peer : peer / ours;
}

/** What the rounds of one side against one peer come to. */
export interface Comparison {
  /** Median of heddle's runs, in the benchmark's unit. */
  readonly ours: number;
  /** Median of the peer's runs, in the benchmark's unit. */
  readonly peer: number;
  /** Median of the ratios of runs that stood next to each other. */
  readonly ratio: number;
  /** Interquartile range of those ratios. */
  readonly spread: number;
  /** How many pairs of runs there were. */
  readonly runs: number;
}

/**
 * Compares runs pair by pair. A disturbance of the machine lasts longer than a run, so it mostly hits both runs of a
 * pair and leaves their ratio alone; the median then drops the pairs that it split.
 */
export function compareRuns(ours: readonly number[], peer: readonly number[], higherIsBetter: boolean): Comparison {
  const runs = Math.min(ours.length, peer.length);
  const ratios: number[] = [];
  for (let i = 0; i < runs; i++) ratios.push(betterRatio(ours[i] as number, peer[i] as number, higherIsBetter));
  return {
    ours: median(ours),
    peer: median(peer),
    ratio: median(ratios),
    spread: interquartileRange(ratios),
    runs,
  };
}

/** CPU time of this process while `budgetMs` milliseconds pass, in percent of one core. */
export async function cpuPercentDuring(budgetMs: number): Promise<number> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, budgetMs));
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1000 / (performance.now() - startMs)) * 100;
}
