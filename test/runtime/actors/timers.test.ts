import test from 'ava';
import { createTestKit } from '../../../src/testkit.js';
import { Doorkeeper } from './fixtures/doors.js';
import { Clockwork } from './fixtures/member.js';
import { Napper } from './fixtures/winding.js';
import { testSystem, until } from './support.js';

test('scheduled sends come, once or again and again, until the state ends', async (t) => {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const clockwork = kit.system.spawnHere(Clockwork);
  clockwork.tell('noTimeout');
  clockwork.tell('start');
  await kit.advance(5);
  t.is(await clockwork.ask('ticks'), 3, 'every 2 ms, and once after 5');
  t.is(kit.failures.length, 0, 'the one that was cancelled did not come');
  clockwork.tell('fail');
  await kit.advance(1000);
  t.is(await clockwork.ask('ticks'), 0, 'the state is new, and timers end with the state that set them');
  t.is(kit.failures.length, 1);
});

test('receive timeouts: again and again while nothing comes, and none after they were turned off', async (t) => {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const clockwork = kit.system.spawnHere(Clockwork);
  await kit.advance(29);
  t.is(await clockwork.ask('idle'), 0);
  await kit.advance(30);
  t.is(await clockwork.ask('idle'), 1, 'once after the message, and no more until the next one');
  await kit.advance(30);
  t.is(await clockwork.ask('idle'), 2);
  clockwork.tell('noTimeout');
  await kit.advance(1000);
  t.is(await clockwork.ask('idle'), 2);
});

test('a receive timeout that waited behind a message is none', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const doors = kit.system.spawnHere(Doorkeeper);
  const seen = { timeouts: 0 };
  const napper = kit.system.spawnHere(Napper, seen);
  napper.tell('wait', 'nap');
  await kit.advance(90);
  napper.tell('hello');
  await kit.advance(20);
  await doors.ask('open', 'nap');
  await kit.settle();
  t.is(seen.timeouts, 0, 'a message came 20 ms ago');
  await kit.advance(99);
  t.is(seen.timeouts, 0);
  await kit.advance(1);
  t.is(seen.timeouts, 1, 'the timer was armed anew');
});

test('one silence is told once, however long that had to wait', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const doors = kit.system.spawnHere(Doorkeeper);
  const seen = { timeouts: 0 };
  const napper = kit.system.spawnHere(Napper, seen);
  napper.tell('wait', 'first');
  napper.tell('wait', 'second');
  await kit.advance(100);
  await doors.ask('open', 'first');
  await kit.advance(100);
  await doors.ask('open', 'second');
  await kit.settle();
  t.is(seen.timeouts, 1);
});

test('timers run in other contexts as well', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const clockwork = await system.spawn(Clockwork);
  clockwork.tell('start');
  await until(async () => (await clockwork.ask('ticks')) >= 5);
  t.true((await clockwork.ask('ticks')) >= 5);
});

test('an actor reads the clock that its timers go by', async (t) => {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const clockwork = kit.system.spawnHere(Clockwork);
  await kit.advance(1234.5);
  t.is(await clockwork.ask('nowMs'), 1234.5);
});
