import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { cellsOf } from './format.js';
import { judge, type Result } from './result.js';

/** What the figures were measured on, without anything that names the machine. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${model}), ${memoryGiB} GiB, ${platform()} ${arch()}, Node.js ${process.version}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** A table of results. */
function formatRows(results: readonly Result[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  const lines = results.map((result) =>
    row([
      result.id,
      result.metric,
      ...cellsOf(result),
      // A failure's text may name this machine's paths.
      result.failed ? 'a side failed' : (result.note ?? judge(result)),
    ]),
  );
  return [
    row(['id', 'measures', 'heddle', 'peer', 'peer\u2019s value', 'ratio', 'IQR', 'target', 'aim', 'runs', '']),
    row(['---', '---', '---:', '---', '---:', '---:', '---:', '---:', '---:', '---:', '---']),
    ...lines,
  ].join('\n');
}

/** docs/benchmarks.md: the tables of the last full run, one for each group. */
export function formatDocument(results: readonly Result[], machine: string): string {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const group = result.id.includes('/') ? result.id.slice(0, result.id.indexOf('/')) : '';
    groups.set(group, [...(groups.get(group) ?? []), result]);
  }
  const tables = [...groups].map(([group, rows]) => (group === '' ? '' : `## ${group}\n\n`) + formatRows(rows));
  return `# Benchmarks: the last full run

Written by \`npm run bench\`; [performance.md](performance.md) says how to read it.

Machine: ${machine}.

![Ratios of the benchmarks that have a target, on a log scale](benchmarks.svg)

A ratio above 1 means that heddle is better, whichever way the metric counts. It is the median over pairs of runs that
stood next to each other; IQR is the interquartile range of those ratios. The absolute values are medians too and say
little outside of this table. Where a goal has a sign it is on the difference between heddle's value and the peer's.

${tables.join('\n\n')}
`;
}
