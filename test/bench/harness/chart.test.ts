import test from 'ava';
import fc from 'fast-check';
import { drawChart, escapeXml } from '../../../bench/harness/chart.js';
import { formatDocument } from '../../../bench/harness/document.js';
import type { Result } from '../../../bench/harness/result.js';
import { idleRow, measuredRow, missingRow } from './fixtures/rows.js';

/** Throws unless `xml` is well formed, as far as a chart uses XML: elements, attributes, text, character references. */
function requireWellFormed(xml: string): void {
  const open: string[] = [];
  const token = /<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<&]*")*)\s*(\/?)>|((?:[^<&]|&#\d+;)+)/y;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const match = token.exec(xml);
    if (match === null) throw new Error(`not well formed at ${xml.slice(at, at + 80)}`);
    const [, closing, name, , selfClosing, text] = match;
    if (text !== undefined) {
      if (open.length === 0 && text.trim() !== '') throw new Error(`text outside of the document: ${text}`);
    } else if (closing === '/') {
      if (open.pop() !== name) throw new Error(`wrong end tag ${name}`);
    } else if (selfClosing !== '/') {
      open.push(name as string);
    }
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(' ')}`);
}

test('the check for well-formedness finds faults', (t) => {
  t.throws(() => requireWellFormed('<svg><text>a</svg>'));
  t.throws(() => requireWellFormed('<svg>a & b</svg>'));
  t.throws(() => requireWellFormed('<svg'));
  t.notThrows(() => requireWellFormed('<svg width="1"><text>a &#38; b</text><line/></svg>'));
});

test('what has no goal is tabled by groups, and not drawn', (t) => {
  const rows = [measuredRow, { ...measuredRow, id: 'savina/big', goal: undefined }];
  t.false(drawChart(rows, 'machine').includes('savina/big'));
  const text = formatDocument(rows, 'machine');
  t.regex(text, /\| shm-oneway-64 \|[^#]*## savina\n\n\| id[^#]*\| savina\/big \|/);
});

test('text is escaped', (t) => {
  t.is(escapeXml('a<b>&"c"'), 'a&#60;b&#62;&#38;&#34;c&#34;');
});

test('the chart is well formed and shows each row with bar, target and label', (t) => {
  const svg = drawChart([measuredRow, missingRow, idleRow], '2 cores');
  requireWellFormed(svg);
  t.true(svg.includes('shm-oneway-64'));
  t.true(svg.includes('23.4x'));
  t.true(svg.includes('postMessage of a &#60;64 B&#62;'));
  t.true(svg.includes('not measured: missing erl (Debian: erlang-base)'));
  t.true(svg.includes('2 cores'));
  t.false(/NaN|undefined|null|Infinity/.test(svg));
});

test('any ratio, of any size, gives a chart without a number that is none', (t) => {
  const ratio = fc.double({ min: 0, max: 1e12, noNaN: true });
  const rows = fc.array(
    fc.record({ ratio, spread: ratio, id: fc.string(), peerName: fc.string() }).map((some): Result => {
      return { ...measuredRow, ...some };
    }),
  );
  fc.assert(
    fc.property(rows, (results) => {
      const svg = drawChart(results, 'machine');
      requireWellFormed(svg);
      return !/="[^"]*(NaN|Infinity)/.test(svg);
    }),
  );
  t.pass();
});

test('a longer ratio gives a longer bar, on a log scale', (t) => {
  const barWidth = (ratio: number): number => {
    const rows = [1.0001, 1000, ratio].map((each) => ({ ...measuredRow, spread: 0, ratio: each }));
    const bars = [...drawChart(rows, '').matchAll(/width="([\d.]+)" height="12" rx="2" fill/g)].map((match) =>
      Number(match[1]),
    );
    // The legend's squares come first.
    return bars.at(-1) as number;
  };
  t.true(Math.abs(barWidth(100) - 2 * barWidth(10)) < 0.5);
  t.true(Math.abs(barWidth(1000) - 3 * barWidth(10)) < 0.5);
});

test('the document has a row for each result and nothing of a failure but that it was one', (t) => {
  const text = formatDocument(
    [measuredRow, missingRow, { ...missingRow, failed: true, note: 'failed: /some/path' }],
    '2 cores',
  );
  const rows = text.split('\n').filter((line) => line.startsWith('| shm-') || line.startsWith('| fan-in'));
  t.is(rows.length, 3);
  for (const row of rows) t.is(row.split('|').length, 13);
  t.true(text.includes('Machine: 2 cores.'));
  t.false(text.includes('/some/path'));
  t.true(text.includes('a side failed'));
});
