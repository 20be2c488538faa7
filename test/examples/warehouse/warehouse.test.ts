import test from 'ava';
import { runProgram } from '../../support/run-program.js';

test('a shop and a warehouse in two processes', async (t) => {
  const end = await runProgram('dist/examples/warehouse/main.js');
  t.is(end.stderr, '');
  t.regex(end.stdout, /^the warehouse, process \d+, listens at tcp:\/\/127\.0\.0\.1:\d+$/m);
  for (const line of [
    '30 orders are confirmed; 10 pears are left',
    'running low: pears',
    'our own stock in the other process has 7 plums',
    'a shop there: ERR_HEDDLE_NOT_REGISTERED',
  ]) {
    t.true(end.stdout.includes(`${line}\n`), `'${line}' is missing in: ${end.stdout}`);
  }
  t.is(end.exitCode, 0);
});
