import test from 'ava';
import { formatGoal, formatNumber, formatOutcome, formatQuantity, formatTable } from '../../../bench/harness/format.js';
import { idleRow, measuredRow, missingRow } from './fixtures/rows.js';

test('numbers keep three digits and never an exponent', (t) => {
  t.is(formatNumber(0.1234), '0.123');
  t.is(formatNumber(1.2345), '1.23');
  t.is(formatNumber(123.45), '123');
  t.is(formatNumber(123456), '123456');
  t.is(formatNumber(0), '0');
  t.is(formatNumber(0.00001), '<0.001');
  t.is(formatNumber(Number.POSITIVE_INFINITY), 'Infinity');
});

test('rates get a prefix, times do not', (t) => {
  t.is(formatQuantity(23_400_000, 'messages/s'), '23.4 M messages/s');
  t.is(formatQuantity(740, 'messages/s'), '740 messages/s');
  t.is(formatQuantity(1234, '\u00b5s'), '1234 \u00b5s');
  t.is(formatQuantity(null, 'messages/s'), '-');
});

test('outcomes and goals are ratios or signed differences', (t) => {
  t.is(formatOutcome(measuredRow), '23.4x');
  t.is(formatOutcome(missingRow), '-');
  t.is(formatOutcome(idleRow), '+0.200');
  t.is(formatOutcome({ ...idleRow, ours: 0, peer: 0.5 }), '-0.500');
  t.is(formatGoal(measuredRow.goal, 'target'), '20x');
  t.is(formatGoal(idleRow.goal, 'aim'), '+0.2');
  t.is(formatGoal(undefined, 'aim'), '-');
});

test('the table has every row, aligned, with what is missing', (t) => {
  const lines = formatTable([measuredRow, missingRow, idleRow]).split('\n');
  t.is(lines.length, 5);
  const [heading, , measured, missing, idle] = lines as [string, string, string, string, string];
  t.regex(missing, /fan-in .*Erlang 25 .*missing erl \(Debian: erlang-base\): npm run bench:setup$/);
  t.regex(measured, /target reached$/);
  t.regex(idle, /aim reached$/);
  const ratioEnd = heading.indexOf('ratio') + 'ratio'.length;
  t.is(measured.indexOf('23.4x') + '23.4x'.length, ratioEnd);
  t.is(idle.indexOf('+0.200') + '+0.200'.length, ratioEnd);
});

test('a stack in a note does not break the table', (t) => {
  const table = formatTable([{ ...missingRow, note: 'failed: it broke\n    at somewhere', failed: true }]);
  t.is(table.split('\n').length, 3);
});
