import test from 'ava';
import { AwaitedRoundTrips, checkEcho, EchoedRoundTrips } from '../../../bench/harness/round-trips.js';

test('round trips are asked one after another and checked, the first one in whole', async (t) => {
  const asked: number[] = [];
  const checked: [number, number, boolean][] = [];
  const trips = new AwaitedRoundTrips<number>(
    async (sequence) => asked.push(sequence),
    (answer, sequence, isFirst) => checked.push([answer, sequence, isFirst]),
  );
  t.true((await trips.run(0)) >= 0);
  t.true((await trips.run(0)) >= 0);
  t.deepEqual(asked, [1, 2]);
  t.deepEqual(checked, [
    [1, 1, true],
    [2, 2, true],
  ]);
});

test('a wrong answer, and one that never comes, fail a run', async (t) => {
  const wrong = new AwaitedRoundTrips<number>(
    async () => 1,
    () => {
      throw new Error('wrong answer');
    },
  );
  await t.throwsAsync(wrong.run(0), { message: 'wrong answer' });
  const echoes = new EchoedRoundTrips(64, 0, (payload) => {
    const answer = Buffer.from(payload);
    answer[63]! ^= 1;
    queueMicrotask(() => echoes.onAnswer(answer));
  });
  await t.throwsAsync(echoes.run(0), { message: /wrong message/ });
  const silent = new EchoedRoundTrips(64, 0, () =>
    queueMicrotask(() => silent.fail(new Error('the socket was closed'))),
  );
  await t.throwsAsync(silent.run(0), { message: 'the socket was closed' });
});

test('echoes go back and forth for as long as the budget', async (t) => {
  let sent = 0;
  const trips = new EchoedRoundTrips(64, 1, (payload) => {
    const answer = Buffer.from(payload);
    if (++sent === 4) trips.fail(new Error('enough'));
    else setImmediate(() => trips.onAnswer(answer));
  });
  await t.throwsAsync(trips.run(60_000), { message: 'enough' });
  t.is(sent, 4);
  const short = new EchoedRoundTrips(64, 0, (payload) => short.onAnswer(Buffer.from(payload)));
  t.true((await short.run(0)) >= 0);
  t.throws(() => checkEcho(new Uint8Array(63), 64, 1, false), { message: /wrong length/ });
});
