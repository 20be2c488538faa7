import test, { type ExecutionContext } from 'ava';
import { HeddleError } from '../../src/index.js';
import { createTestKit, type TestKitOptions } from '../../src/testkit.js';
import { Alarm, type BellMessages, Chatterbox, Lingering } from './fixtures/actors.js';

async function makeKit(t: ExecutionContext, options: TestKitOptions = {}) {
  const kit = await createTestKit({ manualTime: true, ...options });
  t.teardown(() => kit.close());
  const probe = kit.probe<BellMessages>('bell');
  return { kit, probe, alarm: kit.system.spawnHere(Alarm, { bell: probe.ref }) };
}

test('a scheduled send comes when its time has come, and not before', async (t) => {
  const { kit, probe, alarm } = await makeKit(t);
  alarm.tell('once', 60_000);
  await probe.expectNothing(59_999);
  await kit.advance(1);
  const message = await probe.expectMessage('ring', 1);
  t.is(message.atMs, 60_000);
  t.is(kit.nowMs, 60_000);
});

test('repeated sends come as often as time allows, each in its turn', async (t) => {
  const { kit, probe, alarm } = await makeKit(t);
  alarm.tell('every', 250);
  await kit.advance(1100);
  const messages = await probe.receiveMany(4);
  t.deepEqual(
    messages.map(({ payload, atMs }) => [payload, atMs]),
    [
      [1, 250],
      [2, 500],
      [3, 750],
      [4, 1000],
    ],
  );
  t.is(probe.waiting, 0);
});

test('a receive timeout begins anew with each message', async (t) => {
  const { kit, probe, alarm } = await makeKit(t);
  alarm.tell('whenIdle', 1000);
  await kit.advance(900);
  alarm.tell('rung');
  await probe.expectNothing(999);
  await kit.advance(1);
  t.is((await probe.expectMessage('ring', -1)).atMs, 1900);
});

test('the deadline of an ask passes without waiting', async (t) => {
  const { kit, alarm } = await makeKit(t);
  const outcome = t.throwsAsync(alarm.ask('never'), { instanceOf: HeddleError });
  const shorter = t.throwsAsync(alarm.ask('rung', undefined, { timeoutMs: 20 }), { instanceOf: HeddleError });
  await kit.advance(20);
  t.is((await shorter)?.code, 'ERR_HEDDLE_TIMEOUT');
  await kit.advance(4980);
  const error = await outcome;
  t.is(error?.code, 'ERR_HEDDLE_TIMEOUT');
  t.regex(error?.message ?? '', /in its handler never still/);
});

test('backoff: an actor that failed is back after its pause, which doubles', async (t) => {
  const { kit, alarm } = await makeKit(t, { supervision: { backoffMs: 1000 } });
  let answers = 0;
  const count = () => void alarm.ask('rung', undefined, { timeoutMs: 100_000 }).then(() => answers++);
  alarm.tell('fail');
  count();
  await kit.advance(999);
  t.is(answers, 0);
  await kit.advance(1);
  t.is(answers, 1);
  alarm.tell('fail');
  count();
  await kit.advance(1999);
  t.is(answers, 1);
  await kit.advance(1);
  t.is(answers, 2);
  t.deepEqual(
    kit.failures.map(({ action }) => action),
    ['restart', 'restart'],
  );
});

test('a pool shrinks when its time has come', async (t) => {
  const { kit } = await makeKit(t);
  const pool = await kit.system.createPool(Chatterbox, undefined, {
    on: 'here',
    maximum: 3,
    growAbove: 1,
    resizeEveryMs: 100,
    shrinkAfter: 10,
  });
  t.teardown(() => pool.close());
  for (let i = 0; i < 20; i++) pool.tell('talk');
  kit.clock.advance(100); // Before the actors have their turn: that many messages wait.
  await kit.settle();
  t.true(pool.size > 1);
  await kit.advance(10_000);
  t.is(pool.size, 1);
});

test('closing does not wait for time to pass', async (t) => {
  const { kit, alarm } = await makeKit(t);
  const outcome = t.throwsAsync(alarm.ask('never'));
  await kit.settle();
  await kit.close();
  await outcome;
  t.true(kit.nowMs >= 5000, 'the stop waited for the handler as long as it may');
});

test('actors that never come to rest do not hang the test, and are named', async (t) => {
  const { kit } = await makeKit(t, { withinMs: 100 });
  const one = kit.system.spawnHere(Chatterbox);
  const other = kit.system.spawnHere(Chatterbox);
  one.tell('meet', other);
  other.tell('meet', one);
  await kit.settle();
  one.tell('talk');
  const error = await t.throwsAsync(kit.settle(), { instanceOf: HeddleError });
  t.is(error?.code, 'ERR_HEDDLE_TIMEOUT');
  t.regex(error?.message ?? '', /chatterbox@main\/.* keep each other busy/);
});

test('the clock is moved by one at a time, and only where there is one', async (t) => {
  const { kit } = await makeKit(t);
  const first = kit.advance(10);
  const error = await t.throwsAsync(kit.advance(10), { instanceOf: HeddleError });
  t.is(error?.code, 'ERR_HEDDLE_INVALID_STATE');
  await first;
  t.is(kit.nowMs, 10);

  const real = await createTestKit();
  t.teardown(() => real.close());
  t.throws(() => real.clock, { message: /manualTime: true/ });
  await t.throwsAsync(real.advance(1), { message: /manualTime: true/ });
});

test('manual time is for actors of this thread', async (t) => {
  for (const contexts of [1, [{ name: 'db' }]]) {
    const error = await t.throwsAsync(createTestKit({ manualTime: true, contexts }), { instanceOf: HeddleError });
    t.is(error?.code, 'ERR_HEDDLE_INVALID_ARGUMENT');
  }
});

test('an onStop that never ends holds up a stop, and a restart, for as long as a stop may take', async (t) => {
  const { kit } = await makeKit(t);
  const failures: string[] = [];
  kit.system.on('actorFailure', ({ error, action }) => failures.push(`${action}: ${(error as Error).message}`));
  const lingering = kit.system.spawnHere(Lingering, { begins: true });
  lingering.tell('fail');
  const name = lingering.ask('name', undefined, { timeoutMs: 60_000 });
  await kit.advance(1000);
  t.is(await name, 'here', 'it has been restarted');
  const stopped = kit.system.stop(lingering);
  await kit.advance(1000);
  await stopped;
  t.deepEqual(failures, [
    'restart: a failure',
    'onStop: onStop did not end in time: stopTimeoutMs=1000',
    'onStop: onStop did not end in time: stopTimeoutMs=1000',
  ]);
});

test('an actor that does not begin is given up, and is not left behind', async (t) => {
  const { kit } = await makeKit(t);
  const before = kit.system.host.actorCount;
  const spawned = kit.system.spawn(Lingering, { begins: false }, { on: 'here' });
  const outcome = t.throwsAsync(spawned, { code: 'ERR_HEDDLE_TIMEOUT', message: /lingering\S* did not start in time/ });
  await kit.advance(30_000);
  await outcome;
  t.is(kit.system.host.actorCount, before);
});
