import { execFile } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Side } from '../harness/benchmark.js';
import { parseRate, programSide } from '../harness/program-side.js';
import { benchFolder, cacheFolder, header, program } from '../harness/requirement.js';

const run = promisify(execFile);
const source = join(benchFolder, 'peers/caf/fan_in.cpp');
const outputFolder = join(cacheFolder, 'caf');
const executable = join(outputFolder, 'fan_in');

/** Compiles the CAF program unless that has been done since its source last changed. Takes several seconds. */
export async function compileCaf(): Promise<void> {
  const [sourceStat, executableStat] = await Promise.all([stat(source), stat(executable).catch(() => undefined)]);
  if (executableStat !== undefined && executableStat.mtimeMs > sourceStat.mtimeMs) return;
  await mkdir(outputFolder, { recursive: true });
  const options = ['-O2', '-std=c++17', '-w', '-o', executable, source, '-lcaf_core', '-pthread'];
  await run('g++', options, { timeout: 80_000 });
}

/** What {@link compileCaf} and its program need. */
export const cafRequirements = [header('caf/all.hpp', 'libcaf-dev'), program('g++', 'g++')];

/** Messages a second from 8 CAF actors to one. */
export function cafFanInSide(name: string): Side {
  return programSide({
    name,
    needs: cafRequirements,
    prepare: async () => {
      await compileCaf();
      return executable;
    },
    argumentsFor: (budgetMs) => [String(Math.round(budgetMs))],
    parse: parseRate,
  });
}
