/** The command behind `npm run bench`. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchmarks } from './cases/index.js';
import { type BenchArguments, helpText, parseArguments, UsageError } from './harness/arguments.js';
import type { Benchmark } from './harness/benchmark.js';
import { drawChart } from './harness/chart.js';
import { describeMachine, formatDocument } from './harness/document.js';
import { formatGoal, formatTable } from './harness/format.js';
import { docsFolder } from './harness/requirement.js';
import { type Result, resultToJson } from './harness/result.js';
import { planFor, runBenchmark } from './harness/run.js';

function listBenchmarks(): string {
  const idWidth = Math.max(...benchmarks.map(({ id }) => id.length));
  return benchmarks
    .map(({ id, metric, peers }) => {
      const against = peers.map(({ side, goal }) => `${side.name} (target ${formatGoal(goal, 'target')})`).join(', ');
      return `${id.padEnd(idWidth)}  ${metric}\n${' '.repeat(idWidth)}  against ${against}`;
    })
    .join('\n');
}

async function runAll(chosen: readonly Benchmark[], { quick, jsonFile }: BenchArguments): Promise<Result[]> {
  const results: Result[] = [];
  if (jsonFile !== undefined) writeFileSync(jsonFile, '');
  for (const benchmark of chosen) {
    console.error(`${benchmark.id}: ${benchmark.metric}`);
    const rows = await runBenchmark(benchmark, planFor(benchmark, quick));
    for (const row of rows) {
      if (row.failed) console.error(`  ${row.note}`);
      if (jsonFile !== undefined) appendFileSync(jsonFile, `${resultToJson(row)}\n`);
    }
    results.push(...rows);
  }
  return results;
}

function writeDocs(results: readonly Result[]): void {
  if (results.every(({ ratio }) => ratio === null)) {
    console.error('No ratio was measured: docs/benchmarks.svg and docs/benchmarks.md stay as they are.');
    return;
  }
  const machine = describeMachine();
  mkdirSync(docsFolder, { recursive: true });
  writeFileSync(join(docsFolder, 'benchmarks.svg'), drawChart(results, machine));
  writeFileSync(join(docsFolder, 'benchmarks.md'), formatDocument(results, machine));
  console.error('Wrote docs/benchmarks.svg and docs/benchmarks.md');
}

async function main(words: readonly string[]): Promise<number> {
  const parsed = parseArguments(
    words,
    benchmarks.map(({ id }) => id),
  );
  if (parsed.help) {
    console.log(helpText);
    return 0;
  }
  if (parsed.list) {
    console.log(listBenchmarks());
    return 0;
  }
  const { ids, quick } = parsed;
  const results = await runAll(
    benchmarks.filter(({ id }) => ids.length === 0 || ids.includes(id)),
    parsed,
  );
  console.log(`\n${formatTable(results)}\n`);
  console.log('ratio: median over adjacent runs, above 1 (or below +0) heddle is better; IQR: its interquartile range');
  if (ids.length === 0 && !quick) writeDocs(results);
  return results.some(({ failed }) => failed) ? 1 : 0;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof UsageError ? error.message : error);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
