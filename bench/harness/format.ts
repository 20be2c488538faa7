import type { Goal } from './benchmark.js';
import { judge, type Result } from './result.js';

/** Three significant digits without an exponent. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude === 0) return '0';
  if (magnitude < 0.001) return '<0.001';
  const digits = Math.max(0, Math.min(3, 2 - Math.floor(Math.log10(magnitude))));
  return value.toFixed(digits);
}

/** A value with its unit; rates get a thousand's prefix. */
export function formatQuantity(value: number | null, unit: string): string {
  if (value === null) return '-';
  if (!unit.endsWith('/s')) return `${formatNumber(value)} ${unit}`;
  if (value >= 1e9) return `${formatNumber(value / 1e9)} G ${unit}`;
  if (value >= 1e6) return `${formatNumber(value / 1e6)} M ${unit}`;
  if (value >= 1e3) return `${formatNumber(value / 1e3)} k ${unit}`;
  return `${formatNumber(value)} ${unit}`;
}

/** `12.3x`, or for a goal on the difference `+0.120` (heddle's value minus the peer's). */
export function formatOutcome({ ours, peer, ratio, goal }: Result): string {
  if (goal?.kind === 'difference' && ours !== null && peer !== null) {
    const difference = ours - peer;
    return `${difference < 0 ? '-' : '+'}${formatNumber(Math.abs(difference))}`;
  }
  return ratio === null ? '-' : `${formatNumber(ratio)}x`;
}

/** `20x` or `+1`. */
export function formatGoal(goal: Goal | undefined, which: 'target' | 'aim'): string {
  if (goal === undefined) return '-';
  const value = Number(goal[which].toFixed(2));
  return goal.kind === 'difference' ? `+${value}` : `${value}x`;
}

const headings = ['id', 'heddle', 'peer', '', 'ratio', 'IQR', 'target', 'aim', 'runs', ''];
/** Numbers are aligned on the right, names on the left. */
const rightAligned = [false, true, false, true, true, true, true, true, true, false];

/** What every table says of a result: both sides, the ratio and its spread, what is wanted, and in how many runs. */
export function cellsOf(result: Result): string[] {
  return [
    formatQuantity(result.ours, result.unit),
    result.peerName,
    formatQuantity(result.peer, result.unit),
    formatOutcome(result),
    result.spread === null ? '-' : formatNumber(result.spread),
    formatGoal(result.goal, 'target'),
    formatGoal(result.goal, 'aim'),
    String(result.runs),
  ];
}

/** A table for the terminal, each row with what is missing. */
export function formatTable(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.id,
    ...cellsOf(result),
    // A failure's stack is told when it happens; the table keeps to one line.
    result.note?.split('\n', 1)[0] ?? judge(result),
  ]);
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        rightAligned[column] ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number),
      )
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(headings), rule, ...rows.map(line)].join('\n');
}
