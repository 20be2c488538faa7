import test from 'ava';
import { Counting, Owner } from './fixtures/regions.js';
import { testSystem, until } from './support.js';

test('actors of all contexts count in memory that one of them owns, without messages to it', async (t) => {
  const { system, failures } = await testSystem(t, { contexts: 3 });
  const owner = await system.spawn(Owner, undefined, { on: 'worker-1' });
  const handle = await owner.ask('share');
  const counting = await Promise.all(
    ['worker-1', 'worker-2', 'worker-2', 'worker-3', 'main'].map((on) => system.spawn(Counting, undefined, { on })),
  );
  // The handle has come by way of the main thread: those contexts have had nothing to do with the owner's yet.
  for (const actor of counting) t.is(await actor.ask('open', handle), 'memory');
  await Promise.all(counting.map((actor) => actor.ask('count', 200, { timeoutMs: 60_000 })));
  t.is(await counting[3]!.ask('total'), 1000n);
  t.is(await owner.ask('openings'), 4, "the owner's own context needs no opening");
  t.deepEqual(failures, []);
});

test('a region ends with the state of the actor that owns it, and is closed with that of one that opened it', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const owner = await system.spawn(Owner, undefined, { on: 'worker-1' });
  const counting = await system.spawn(Counting, undefined, { on: 'worker-2' });
  const handle = await owner.ask('share');
  await counting.ask('open', handle);
  t.is(await owner.ask('openings'), 1);
  counting.tell('fail');
  await until(async () => (await owner.ask('openings')) === 0);
  await counting.ask('open', handle);
  await counting.ask('count', 3);
  owner.tell('fail');
  await until(async () => (await owner.ask('openings')) === undefined);
  await t.throwsAsync(counting.ask('count', 1), { message: /REGION_REVOKED|was revoked/ });
  await t.throwsAsync(counting.ask('open', handle), { message: /REGION_UNKNOWN|has no region/ });
  await counting.ask('open', await owner.ask('share'));
  await system.stop(owner);
  await t.throwsAsync(counting.ask('total'), { message: /was revoked/ });
});
