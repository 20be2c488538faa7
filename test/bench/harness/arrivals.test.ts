import test from 'ava';
import { Arrivals, floodRate } from '../../../bench/harness/arrivals.js';
import { sharedMicros } from '../../../bench/harness/latency.js';

test('waiting ends with the last message', async (t) => {
  const arrivals = new Arrivals();
  arrivals.add();
  const before = sharedMicros();
  const reached = arrivals.waitFor(2);
  arrivals.add();
  t.true((await reached) >= before);
  t.is(arrivals.count, 2);
});

test('messages that came before the wait count', async (t) => {
  const arrivals = new Arrivals();
  arrivals.add();
  await t.notThrowsAsync(arrivals.waitFor(1));
});

test('a wrong message fails the waits of now and later', async (t) => {
  const arrivals = new Arrivals();
  const reached = arrivals.waitFor(1);
  arrivals.fail(new Error('wrong message'));
  await t.throwsAsync(reached, { message: 'wrong message' });
  arrivals.add();
  await t.throwsAsync(arrivals.waitFor(1), { message: 'wrong message' });
});

test('the rate counts this run alone', (t) => {
  t.is(floodRate({ startMicros: 1_000_000, count: 500, total: 10_000 }, 1_500_000), 1000);
});
