import test from 'ava';
import { createNode, type HeddleError } from '../../../src/index.js';

test('work that throws is reported, and harms neither other work nor messages', async (t) => {
  const node = createNode();
  t.teardown(() => node.close());
  const { context } = node;
  const reports: HeddleError[] = [];
  context.on('report', (error) => reports.push(error));
  let runs = 0;
  let others = 0;
  context.addWork(() => {
    if (++runs === 1) throw new RangeError('at first');
    return false;
  });
  context.addWork(() => {
    others++;
    return false;
  });
  await context.listen('shm://work', { onRequest: (message) => message.value });
  const connection = await context.connect('shm://work');
  t.is((await connection.request('still here')).value, 'still here');
  t.true(runs > 1);
  t.is(others, runs);
  t.deepEqual(
    reports.map(({ code, message }) => `${code} ${message}`),
    ["ERR_HEDDLE_INVALID_STATE a callback of the user's threw: RangeError: at first"],
  );
});
