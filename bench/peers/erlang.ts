import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Mode, Side } from '../harness/benchmark.js';
import { parseIterations, parseRate, programSide } from '../harness/program-side.js';
import { benchFolder, cacheFolder, program } from '../harness/requirement.js';

const run = promisify(execFile);
const outputFolder = join(cacheFolder, 'erlang');

let compiling: Promise<void> | undefined;

/** Compiles the Erlang programs, which takes a second, once. */
export function compileErlang(): Promise<void> {
  compiling ??= compile();
  return compiling;
}

async function compile(): Promise<void> {
  await mkdir(outputFolder, { recursive: true });
  const sources = ['heddle_bench.erl', 'heddle_savina.erl'].map((file) => join(benchFolder, 'peers/erlang', file));
  await run('erlc', ['-o', outputFolder, ...sources], { timeout: 60_000 });
}

/** What heddle_bench.erl can do. */
export type ErlangWorkload = 'ping_pong' | 'create' | 'flood' | 'fan_in';

/** A module's workload on so many schedulers, with what it is told after the budget. */
function side(
  name: string,
  module: string,
  workload: string,
  schedulers: number,
  wordsOf: (mode: Mode) => string[],
  parse: (output: string) => number,
): Side {
  return programSide({
    name,
    needs: [program('erl', 'erlang-base'), program('erlc', 'erlang-base')],
    prepare: async () => {
      await compileErlang();
      return 'erl';
    },
    argumentsFor: (budgetMs, mode) => [
      '+S',
      `${schedulers}:${schedulers}`,
      '-noshell',
      '-noinput',
      '-env',
      'ERL_CRASH_DUMP_BYTES',
      '0',
      '-pa',
      outputFolder,
      '-run',
      module,
      'main',
      workload,
      String(Math.round(budgetMs)),
      ...wordsOf(mode),
    ],
    parse,
  });
}

/** A workload of heddle_bench.erl: messages (or processes) a second. */
export function erlangSide(name: string, workload: ErlangWorkload, schedulers: number): Side {
  return side(name, 'heddle_bench', workload, schedulers, () => [], parseRate);
}

/** A workload of heddle_savina.erl: milliseconds for an iteration with parameters that depend on the mode. */
export function erlangSavinaSide(
  name: string,
  workload: string,
  schedulers: number,
  parametersOf: (mode: Mode) => readonly number[],
): Side {
  return side(name, 'heddle_savina', workload, schedulers, (mode) => parametersOf(mode).map(String), parseIterations);
}
