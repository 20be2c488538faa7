import test from 'ava';
import { ratioGoal } from '../../../bench/harness/benchmark.js';
import { judge, resultToJson } from '../../../bench/harness/result.js';
import { idleRow, measuredRow, missingRow } from './fixtures/rows.js';

test('a measured row becomes one line with exactly the agreed keys', (t) => {
  const line = resultToJson(measuredRow);
  t.false(line.includes('\n'));
  t.deepEqual(Object.keys(JSON.parse(line)), [
    'id',
    'metric',
    'unit',
    'ours',
    'peer',
    'peerName',
    'ratio',
    'spread',
    'runs',
  ]);
  t.is(JSON.parse(line).ratio, 23.4);
});

test('what was not measured is null and says why', (t) => {
  const parsed = JSON.parse(resultToJson(missingRow));
  t.is(parsed.peer, null);
  t.is(parsed.ratio, null);
  t.is(parsed.ours, 23_400_000);
  t.regex(parsed.note, /erlang-base/);
});

test('values that JSON cannot hold become null, and a stack stays out of the line', (t) => {
  const parsed = JSON.parse(
    resultToJson({ ...measuredRow, ratio: Number.POSITIVE_INFINITY, note: 'failed: it broke\n    at somewhere' }),
  );
  t.is(parsed.ratio, null);
  t.is(parsed.note, 'failed: it broke');
});

test('ratios are judged by target and aim', (t) => {
  t.is(judge({ ...measuredRow, ratio: 19.9 }), 'below target');
  t.is(judge({ ...measuredRow, ratio: 20 }), 'target reached');
  t.is(judge({ ...measuredRow, ratio: 40 }), 'aim reached');
  t.is(judge({ ...measuredRow, ratio: Number.NaN }), 'below target');
  t.is(judge({ ...measuredRow, goal: undefined }), 'no goal');
  t.is(judge(missingRow), 'not measured');
  t.is(judge({ ...measuredRow, ratio: 0.7, goal: ratioGoal(0.5, 1) }), 'target reached');
});

test('differences are judged by how much worse heddle is', (t) => {
  t.is(judge(idleRow), 'aim reached');
  t.is(judge({ ...idleRow, ours: 0.9 }), 'target reached');
  t.is(judge({ ...idleRow, ours: 1.06 }), 'below target');
  t.is(judge({ ...idleRow, ours: 0.01 }), 'aim reached');
});
