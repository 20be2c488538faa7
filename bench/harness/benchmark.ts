/** How much is measured: `quick` shows that a benchmark works and roughly what comes out. */
export type Mode = 'full' | 'quick';

/** A number for each. */
export type PerMode = Readonly<Record<Mode, number>>;

/**
 * One of the programs that a benchmark compares. A side lives in a process of its own, started for the benchmark and
 * ended with it, so that no side inherits another's heap, threads or compiled code.
 */
export interface Side {
  /** How the table names it. */
  readonly name: string;
  /** What keeps the side from running here and what to do about it; undefined when it can run. */
  unavailable(): string | undefined;
  /** Whether each run is a new process: then there is nothing to warm up. */
  readonly isNewEachRun?: boolean;
  /** Starts the side's processes and threads and connects them. */
  setup(mode: Mode): Promise<void>;
  /**
   * Measures for about `budgetMs` milliseconds and returns the result in the benchmark's unit.
   * Rejects when the work was not done right: a message lost, out of order or with the wrong content.
   */
  run(budgetMs: number): Promise<number>;
  /** Ends everything that `setup` started. */
  teardown(): Promise<void>;
}

/** What heddle is to reach against a peer. */
export interface Goal {
  /**
   * `ratio`: the ratio is to be at least `target`. `difference`: heddle's value may be worse than the peer's by at
   * most `target`, in the benchmark's unit. The second is for values so near to zero that their ratio says nothing.
   */
  readonly kind: 'ratio' | 'difference';
  /** What the project promises. */
  readonly target: number;
  /** What it is striving for. */
  readonly aim: number;
}

/** A side that heddle is compared with, and what is to come out. */
export interface Peer {
  readonly side: Side;
  /** Absent where figures are only tabled. */
  readonly goal?: Goal;
  /** Left out of quick runs, for which another peer says enough. */
  readonly isOnlyInFull?: boolean;
}

/** One row of the table for each of its peers. */
export interface Benchmark {
  /** What the command line calls it. */
  readonly id: string;
  /** What is measured, in a few words. */
  readonly metric: string;
  /** What is measured instead in a quick run, where that is less. */
  readonly quickMetric?: string;
  readonly unit: string;
  /** True for throughput, false for times. */
  readonly higherIsBetter: boolean;
  readonly ours: Side;
  readonly peers: readonly Peer[];
  /** How long one run takes, where the harness's own time does not suit. */
  readonly runMs?: PerMode;
  /** How long each side is warmed up, where half of a run is too short for V8 to have compiled what is measured. */
  readonly warmUpMs?: PerMode;
  /** How many rounds, where the harness's own number does not suit. */
  readonly rounds?: PerMode;
}

/** A goal in the form of most benchmarks. */
export function ratioGoal(target: number, aim: number): Goal {
  return { kind: 'ratio', target, aim };
}
