import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Side } from '../harness/benchmark.js';
import { parseRate, programSide } from '../harness/program-side.js';
import { benchFolder, cacheFolder, program } from '../harness/requirement.js';

const run = promisify(execFile);
const outputFolder = join(cacheFolder, 'erlang');

/** Compiles the Erlang programs, which takes a second. */
export async function compileErlang(): Promise<void> {
  await mkdir(outputFolder, { recursive: true });
  await run('erlc', ['-o', outputFolder, join(benchFolder, 'peers/erlang/heddle_bench.erl')], { timeout: 60_000 });
}

/** What heddle_bench.erl can do. */
export type ErlangWorkload = 'ping_pong' | 'create' | 'flood' | 'fan_in';

/** A workload of heddle_bench.erl: messages (or processes) a second. */
export function erlangSide(name: string, workload: ErlangWorkload, schedulers: number): Side {
  return programSide({
    name,
    needs: [program('erl', 'erlang-base'), program('erlc', 'erlang-base')],
    prepare: async () => {
      await compileErlang();
      return 'erl';
    },
    argumentsFor: (budgetMs) => [
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
      'heddle_bench',
      'main',
      workload,
      String(Math.round(budgetMs)),
    ],
    parse: parseRate,
  });
}
