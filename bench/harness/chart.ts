import { formatGoal, formatOutcome } from './format.js';
import { judge, type Result, type Verdict } from './result.js';

const width = 1060;
const labelWidth = 420;
const valueWidth = 70;
const rowHeight = 26;
const barHeight = 12;
const top = 92;
const bottom = 40;
const plotLeft = labelWidth;
const plotRight = width - valueWidth;
const ink = '#1f2933';
const faintInk = '#667380';

const colors: Record<Verdict, string> = {
  'aim reached': '#2f8f5b',
  'target reached': '#3572b0',
  'below target': '#d9822b',
  'no goal': '#8795a1',
  'not measured': '#8795a1',
};

/** Escapes text for XML. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}\u2026`;
}

function drawText(x: number, y: number, text: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeXml(text)}</text>`;
}

function drawLine(x1: number, y1: number, x2: number, y2: number, attributes: string): string {
  const at = (value: number): string => value.toFixed(1);
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" ${attributes}/>`;
}

/** The logarithmic axis. */
class Scale {
  readonly #low: number;
  readonly #high: number;

  constructor(values: readonly number[]) {
    const usable = values.filter((value) => Number.isFinite(value) && value > 0);
    this.#low = Math.log10(Math.min(0.4, ...usable) / 1.1);
    this.#high = Math.log10(Math.max(50, ...usable) * 1.1);
  }

  x(ratio: number): number {
    const position = (Math.log10(ratio) - this.#low) / (this.#high - this.#low);
    return plotLeft + Math.min(Math.max(position, 0), 1) * (plotRight - plotLeft);
  }

  ticks(): number[] {
    const ticks: number[] = [];
    for (let power = Math.floor(this.#low); power <= this.#high; power++) {
      for (const step of [1, 2, 5]) {
        const logarithm = power + Math.log10(step);
        if (logarithm >= this.#low && logarithm <= this.#high) ticks.push(Number((step * 10 ** power).toPrecision(1)));
      }
    }
    return ticks;
  }
}

function drawLegend(): string {
  const parts: string[] = [];
  let x = plotLeft + 8;
  for (const [verdict, label] of [
    ['aim reached', 'aim reached'],
    ['target reached', 'target reached'],
    ['below target', 'below target'],
  ] as const) {
    parts.push(`<rect x="${x}" y="47" width="12" height="12" rx="2" fill="${colors[verdict]}"/>`);
    parts.push(drawText(x + 18, 57, label, `fill="${faintInk}"`));
    x += 118;
  }
  parts.push(drawLine(x + 4, 45, x + 4, 61, `stroke="${ink}" stroke-width="2.5"`));
  parts.push(drawText(x + 14, 57, 'target', `fill="${faintInk}"`));
  x += 68;
  parts.push(drawLine(x + 4, 45, x + 4, 61, `stroke="${ink}" stroke-width="1.5" stroke-dasharray="2 2"`));
  parts.push(drawText(x + 14, 57, 'aim', `fill="${faintInk}"`));
  return parts.join('\n');
}

function drawRow(result: Result, y: number, scale: Scale): string {
  const middle = y + rowHeight / 2;
  const baseline = middle + 4;
  const verdict = judge(result);
  const parts = [
    drawText(12, baseline, result.id, `fill="${ink}" font-weight="600"`),
    drawText(
      plotLeft - 12,
      baseline,
      shorten(result.peerName, 34),
      `fill="${faintInk}" text-anchor="end" font-size="11"`,
    ),
  ];
  const remark = (text: string): string =>
    drawText(scale.x(1) + 8, baseline, shorten(text, 64), `fill="${faintInk}" font-style="italic" font-size="11"`);
  const { ratio, goal } = result;
  if (ratio === null || !Number.isFinite(ratio)) {
    parts.push(remark(`not measured: ${result.failed ? 'a side failed' : (result.note ?? 'no value')}`));
    return parts.join('\n');
  }
  if (goal?.kind === 'difference') {
    const outcome = `${formatOutcome(result)} ${result.unit} (target ${formatGoal(goal, 'target')})`;
    parts.push(remark(`${outcome}: ${verdict}`));
    return parts.join('\n');
  }
  const [left, right] = [Math.min(scale.x(1), scale.x(ratio)), Math.max(scale.x(1), scale.x(ratio))];
  parts.push(
    `<rect x="${left.toFixed(1)}" y="${(middle - barHeight / 2).toFixed(1)}" ` +
      `width="${Math.max(right - left, 1.5).toFixed(1)}" height="${barHeight}" rx="2" fill="${colors[verdict]}"/>`,
  );
  if (result.spread !== null && result.spread > 0) {
    const half = result.spread / 2;
    const from = scale.x(Math.max(ratio - half, ratio / 10));
    parts.push(drawLine(from, middle, scale.x(ratio + half), middle, `stroke="${ink}" stroke-width="1"`));
  }
  if (goal !== undefined) {
    const mark = (value: number, attributes: string): string =>
      drawLine(scale.x(value), middle - 10, scale.x(value), middle + 10, `stroke="${ink}" ${attributes}`);
    parts.push(mark(goal.target, 'stroke-width="2.5"'));
    parts.push(mark(goal.aim, 'stroke-width="1.5" stroke-dasharray="2 2"'));
  }
  parts.push(
    drawText(width - 12, baseline, formatOutcome(result), `fill="${ink}" text-anchor="end" font-weight="600"`),
  );
  return parts.join('\n');
}

/**
 * A chart of the rows that have a goal, as an SVG document: bars from 1 (as fast as the peer) to the ratio, on a log
 * scale. What is only tabled would make it longer than anyone reads.
 */
export function drawChart(allResults: readonly Result[], machine: string): string {
  const results = allResults.filter(({ goal }) => goal !== undefined);
  const barred = results.filter((each) => each.goal?.kind !== 'difference');
  const scale = new Scale(barred.flatMap(({ ratio, goal }) => [ratio ?? 1, goal?.target ?? 1, goal?.aim ?? 1]));
  const plotBottom = top + results.length * rowHeight;
  const height = plotBottom + bottom;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      'font-family="Helvetica, Arial, sans-serif" font-size="12" role="img">',
    '<title>heddle side by side with its peers</title>',
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    drawText(12, 28, 'heddle side by side with its peers', `fill="${ink}" font-size="17" font-weight="600"`),
    drawText(width - 12, 28, 'times better than the peer, log scale', `fill="${faintInk}" text-anchor="end"`),
    drawText(12, 57, 'benchmark', `fill="${faintInk}"`),
    drawText(plotLeft - 12, 57, 'peer', `fill="${faintInk}" text-anchor="end"`),
    drawLegend(),
  ];
  results.forEach((_, i) => {
    if (i % 2 === 0) {
      parts.push(`<rect x="0" y="${top + i * rowHeight}" width="${width}" height="${rowHeight}" fill="#f5f7f9"/>`);
    }
  });
  for (const tick of scale.ticks()) {
    const x = scale.x(tick);
    const isOne = tick === 1;
    const stroke = isOne ? `stroke="${faintInk}" stroke-width="1.5"` : 'stroke="#d9dfe5"';
    parts.push(drawLine(x, top - 4, x, plotBottom, stroke));
    parts.push(
      drawText(x, top - 9, `${tick}x`, `fill="${isOne ? ink : faintInk}" text-anchor="middle" font-size="11"`),
    );
  }
  results.forEach((result, i) => {
    parts.push(drawRow(result, top + i * rowHeight, scale));
  });
  parts.push(
    drawText(
      12,
      height - 14,
      `${machine}. The thin line is the interquartile range.`,
      `fill="${faintInk}" font-size="11"`,
    ),
  );
  parts.push('</svg>');
  return `${parts.join('\n')}\n`;
}
