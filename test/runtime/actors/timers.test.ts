import test from 'ava';
import { Clockwork } from './fixtures/member.js';
import { testSystem, until } from './support.js';

test('scheduled sends come, once or again and again, until the state ends', async (t) => {
  const { system, failures } = await testSystem(t);
  const clockwork = system.spawnHere(Clockwork);
  clockwork.tell('noTimeout');
  clockwork.tell('start');
  await until(async () => (await clockwork.ask('ticks')) >= 5);
  t.is(failures.length, 0, 'the one that was cancelled did not come');
  clockwork.tell('fail');
  t.is(await clockwork.ask('ticks'), 0, 'the state is new');
  // A tick may have come before the failure was handled: the mailbox is kept.
  const ticks = await clockwork.ask('ticks');
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.is(await clockwork.ask('ticks'), ticks, 'timers end with the state that set them');
});

test('receive timeouts: again and again while nothing comes, and none after they were turned off', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const clockwork = await system.spawn(Clockwork);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await until(async () => (await clockwork.ask('idle')) >= 1 || (await pause()));
  await clockwork.ask('noTimeout');
  const idle = await clockwork.ask('idle');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(await clockwork.ask('idle'), idle);
});

/** Longer than the receive timeout. */
async function pause(): Promise<false> {
  await new Promise((resolve) => setTimeout(resolve, 40));
  return false;
}
