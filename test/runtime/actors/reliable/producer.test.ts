import test from 'ava';
import {
  type ActorRef,
  createProducer,
  type HeddleError,
  RemoteError,
  type Undelivered,
} from '../../../../src/index.js';
import { Ledger, Recorder } from '../fixtures/ledger.js';
import { testSystem, until } from '../support.js';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

for (const on of ['here', 'worker-1']) {
  test(`each message is handled once and in order, past a small mailbox, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    const ledger = await system.spawn(Ledger, {}, { on });
    await using producer = createProducer(ledger, { retryAfterMs: 20_000, window: 32 });
    for (const value of numbers(500)) {
      await producer.send('take', value);
      t.true(producer.unconfirmedCount <= 32);
    }
    await producer.confirmed();
    t.deepEqual(await ledger.ask('seen'), numbers(500));
    t.is(producer.confirmedCount, 500);
    t.is(producer.unconfirmedCount, 0);
    t.is(system.deadLetters.length, 0);
    // Others may send to it as ever, and so may another producer.
    await using other = createProducer(ledger);
    ledger.tell('take', 1000);
    await other.send('take', 1001);
    await other.confirmed();
    t.deepEqual((await ledger.ask('seen')).slice(500), [1000, 1001]);
  });

  test(`a handler that fails is tried again after the restart, and given up in the end, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: 1 });
    const recorder = system.spawnHere(Recorder);
    const ledger = await system.spawn(Ledger, { recorder }, { on });
    const undelivered: Undelivered[] = [];
    await using producer = createProducer(ledger, {
      retryAfterMs: 100,
      maximumFailures: 3,
      onUndelivered: (letter) => undelivered.push(letter),
    });
    const value = on === 'here' ? 7 : 8;
    await producer.send('take', 1);
    await producer.send('failOnce', { value, tries: [1, 2] });
    await producer.send('take', 2);
    await producer.send('failAlways', 3);
    await producer.send('take', 4);
    await producer.confirmed();
    const seen = await recorder.ask('seen');
    t.deepEqual(
      seen.filter((one) => one > 0),
      [1, value, 2, 4],
    );
    // More often when an answer took too long, on a busy machine.
    t.true(seen.filter((one) => one === -value).length >= 3);
    t.is(undelivered.length, 1);
    t.like(undelivered[0], { name: 'failAlways', payload: 3 });
    t.true(undelivered[0]?.error instanceof RemoteError);
    await until(() => failures.length >= 5);
    t.is(producer.undeliveredCount, 1);
    t.is(producer.confirmedCount, 4);
  });
}

test('a context that is lost again and again: nothing is lost, and the order stays', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const recorder = system.spawnHere(Recorder);
  const ledger = await system.spawn(Ledger, { recorder }, { on: 'worker-1' });
  await using producer = createProducer(ledger, { retryAfterMs: 100, maximumRetryAfterMs: 100 });
  const count = 600;
  const killing = (async () => {
    for (let round = 1; round <= 2; round++) {
      await until(async () => (await recorder.ask('seen')).length > round * 150);
      const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
      await system.contextHandle('worker-1')?.terminate();
      await replaced;
    }
  })();
  for (const value of numbers(count)) await producer.send('take', value);
  await producer.confirmed();
  await killing;
  const seen = await recorder.ask('seen');
  // Told by a thread that is lost, some notes are lost with it; what is handled again is what was not confirmed.
  const firstTimes = [...new Set(seen)];
  t.true(firstTimes.every((value, index) => index === 0 || value > (firstTimes[index - 1] as number)));
  t.is(producer.confirmedCount, count);
  t.is(firstTimes.at(-1), count - 1);
});

test('what a producer is given and what it cannot deliver', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const undelivered: Undelivered[] = [];
  const onUndelivered = (letter: Undelivered) => undelivered.push(letter);
  const codes = () => undelivered.splice(0).map(({ error }) => (error as HeddleError).code);
  const ledger = await system.spawn(Ledger, {});
  const producer = createProducer(ledger, { onUndelivered, retryAfterMs: 10 });
  // biome-ignore lint/suspicious/noExplicitAny: what the compiler would not let pass
  await (producer as any).send('take', () => 1);
  await producer.send('take', 1);
  await producer.confirmed();
  t.deepEqual(codes(), ['ERR_HEDDLE_CODEC']);
  await system.stop(ledger);
  await producer.send('take', 2);
  await producer.confirmed();
  t.deepEqual(codes(), ['ERR_HEDDLE_ACTOR_STOPPED']);
  await producer.close();
  await t.throwsAsync(producer.send('take', 3), { code: 'ERR_HEDDLE_CLOSED' });

  let current: ActorRef<{ take(value: number): void }> | undefined;
  const hasty = createProducer(() => current, { onUndelivered, retryAfterMs: 10, giveUpAfterMs: 50, window: 1 });
  await hasty.send('take', 4);
  await hasty.send('take', 5);
  t.deepEqual(codes(), ['ERR_HEDDLE_TIMEOUT'], 'which makes room for the next');
  await hasty.confirmed();
  t.deepEqual(codes(), ['ERR_HEDDLE_TIMEOUT']);
  const patient = createProducer(() => current, { onUndelivered, retryAfterMs: 10 });
  await patient.send('take', 6);
  current = await system.spawn(Ledger, {});
  await patient.confirmed();
  t.is(patient.confirmedCount, 1);
  await Promise.all([hasty.close(), patient.close()]);
  t.deepEqual(codes(), []);

  const nobody = createProducer(() => undefined, { onUndelivered, retryAfterMs: 10 });
  await nobody.send('take' as never, 7 as never);
  await nobody.close({ timeoutMs: 0 });
  t.deepEqual(codes(), ['ERR_HEDDLE_CLOSED']);
  for (const options of [{ window: 0 }, { retryAfterMs: -1 }, { giveUpAfterMs: 0 }, { windows: 3 }]) {
    t.throws(() => createProducer(ledger, options), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
});
