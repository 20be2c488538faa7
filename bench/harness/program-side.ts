import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Mode, Side } from './benchmark.js';
import { describeMissing, type Requirement } from './requirement.js';

const run = promisify(execFile);

/** A side that is a program in another language. */
export interface ProgramSideOptions {
  readonly name: string;
  readonly needs: readonly Requirement[];
  /** Compiles the program if it has to be, and returns its command. */
  prepare(): Promise<string>;
  /** The arguments of one run. */
  argumentsFor(budgetMs: number, mode: Mode): string[];
  /** The result in the benchmark's unit, from what the program printed. Throws when that is not as it should be. */
  parse(output: string): number;
}

/** Runs a program once for each run: it measures and verifies by itself and prints the result. */
export function programSide(options: ProgramSideOptions): Side {
  let command: string | undefined;
  let mode: Mode = 'full';
  return {
    name: options.name,
    isNewEachRun: true,
    unavailable: () => describeMissing(options.needs),
    setup: async (itsMode) => {
      mode = itsMode;
      command = await options.prepare();
    },
    run: async (budgetMs) => {
      if (command === undefined) throw new Error(`${options.name}: run before setup`);
      const { stdout } = await run(command, options.argumentsFor(budgetMs, mode), { timeout: 60_000 + budgetMs });
      return options.parse(stdout);
    },
    teardown: async () => {
      command = undefined;
    },
  };
}

/** Reads `messages=N seconds=S` as messages a second. */
export function parseRate(output: string): number {
  const match = /messages=(\d+) seconds=([\d.e+-]+)/.exec(output);
  const rate = match === null ? Number.NaN : Number(match[1]) / Number(match[2]);
  if (!Number.isFinite(rate) || rate <= 0) throw new Error(`the program printed no result: ${output.slice(0, 500)}`);
  return rate;
}

/** Reads `iterations=N seconds=S` as milliseconds for one iteration. */
export function parseIterations(output: string): number {
  const match = /iterations=(\d+) seconds=([\d.e+-]+)/.exec(output);
  const milliseconds = match === null ? Number.NaN : (Number(match[2]) / Number(match[1])) * 1000;
  if (!Number.isFinite(milliseconds)) throw new Error(`the program printed no result: ${output.slice(0, 500)}`);
  return milliseconds;
}
