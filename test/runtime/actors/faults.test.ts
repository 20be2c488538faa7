import test from 'ava';
import type { HeddleError } from '../../../src/index.js';
import { runProgram } from '../../support/run-program.js';
import { Listener, Watcher } from './fixtures/family.js';
import { Fragile } from './fixtures/fragile.js';
import { testSystem, until } from './support.js';

test('a context lost while an actor waits for its restart: it is there afterwards, once, and every ask settles', async (t) => {
  const { system } = await testSystem(t, { contexts: 1, supervision: { backoffMs: 300, maximumBackoffMs: 300 } });
  const fragile = await system.spawn(Fragile, undefined, { on: 'worker-1' });
  const watched: string[] = [];
  void system.watch(fragile).then(({ reason }) => watched.push(reason));
  const failed = new Promise((resolve) => system.once('actorFailure', resolve));
  await t.throwsAsync(fragile.ask('fail'));
  await failed;
  // They wait in the mailbox of an actor that stands still.
  const waiting = Array.from({ length: 10 }, () => fragile.ask('count', undefined, { timeoutMs: 60_000 }));
  for (let i = 0; i < 10; i++) fragile.tell('add', 1);
  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  await system.contextHandle('worker-1')?.terminate();
  for (const outcome of await Promise.allSettled(waiting)) {
    t.is(outcome.status === 'rejected' && (outcome.reason as HeddleError).code, 'ERR_HEDDLE_CONTEXT_LOST');
  }
  await replaced;
  t.is(await fragile.ask('count', undefined, { timeoutMs: 30_000 }), 0);
  t.deepEqual(system.actorCounts['worker-1'], 1);
  t.deepEqual(watched, []);
  t.is(system.host.asks.count, 0);
});

test('a context lost in the middle of a group publish: the others get everything, watchers hear of it once', async (t) => {
  const { system } = await testSystem(t, { contexts: 2, restartContexts: false });
  const group = system.group<{ add(by: number): void }>('counters');
  const lasting = await system.spawn(Fragile, undefined, { on: 'worker-2' });
  const doomed = await Promise.all([1, 2, 3].map(() => system.spawn(Fragile, undefined, { on: 'worker-1' })));
  for (const member of [lasting, ...doomed]) await group.join(member);
  const watchers = [
    await system.spawn(Watcher, undefined, { on: 'here' }),
    await system.spawn(Watcher, undefined, { on: 'worker-2' }),
  ];
  for (const watcher of watchers) for (const one of doomed) await watcher.ask('watch', one);
  const asks = doomed.map((one) => one.ask('never', undefined, { timeoutMs: 60_000 }));
  const gone = new Promise((resolve) => system.once('contextLost', resolve));
  const ending = system.contextHandle('worker-1')?.terminate();
  let published = 0;
  const publish = async () => {
    published++;
    if (!group.publish('add', 1)) await group.ready();
    await new Promise((resolve) => setImmediate(resolve));
  };
  while (group.members.length > 1) await publish();
  await gone;
  await ending;
  for (let i = 0; i < 10; i++) await publish();
  t.is(await lasting.ask('count', undefined, { timeoutMs: 30_000 }), published);
  for (const outcome of await Promise.allSettled(asks)) {
    t.is(outcome.status === 'rejected' && (outcome.reason as HeddleError).code, 'ERR_HEDDLE_CONTEXT_LOST');
  }
  for (const watcher of watchers) {
    await until(async () => (await watcher.ask('seen')).length >= 3);
    t.deepEqual(await watcher.ask('seen'), Array(3).fill('fragile context-lost'));
  }
  t.is(group.members.length, 1);
  t.is(system.host.asks.count, 0);
  // The registry watches the one that is left.
  t.is(system.host.watches.remoteCount, 1);
});

test('contexts that exit on a message, again and again: nobody waits for ever, and nothing is left behind', async (t) => {
  const { system } = await testSystem(t, { contexts: 2, restartContexts: { maximumRestarts: 100 } });
  const listener = system.spawnHere(Listener);
  const fragile = await Promise.all(['worker-1', 'worker-2'].map((on) => system.spawn(Fragile, undefined, { on })));
  for (let round = 0; round < 4; round++) {
    const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
    const one = fragile[round % 2]!;
    const asks = Array.from({ length: 50 }, (_, i) =>
      one.ask(i % 2 === 0 ? 'count' : 'never', undefined, { timeoutMs: 60_000 }),
    );
    one.tell('exit');
    // The handler that never ends is before the exit: another way has to be found.
    await system.contextHandle(one.contextName)?.terminate();
    const outcomes = await Promise.allSettled(asks);
    t.true(outcomes.every(({ status }, i) => status === 'rejected' || i === 0));
    await replaced;
    t.is(await one.ask('count', undefined, { timeoutMs: 30_000 }), 0);
    t.is(await fragile[(round + 1) % 2]!.ask('count', undefined, { timeoutMs: 30_000 }), 0);
  }
  t.deepEqual(await listener.ask('heard'), []);
  t.is(system.host.asks.count, 0);
  t.is(system.host.watches.remoteCount, 0);
  t.is(system.host.actorCount, 1);
});

test('a thread that is busy when another one first asks its actors is waited for, and does not count as lost', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const [busy, asking] = await Promise.all(
    ['worker-1', 'worker-2'].map((on) => system.spawn(Fragile, undefined, { on })),
  );
  // Longer than connections to other processes may take.
  busy!.tell('hold', 5500);
  t.is(await asking!.ask('countOf', busy!, { timeoutMs: 60_000 }), 0);
});

test('a thread that runs out of heap under its actors takes nobody along', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram('dist/test/runtime/actors/fixtures/hungry.js');
  t.deepEqual(stdout.trim().split('\n'), [
    'lost hungry ERR_HEDDLE_CONTEXT_LOST replaced=true heap=true',
    'asks ERR_HEDDLE_CONTEXT_LOST ERR_HEDDLE_CONTEXT_LOST',
    'afterwards 0, the neighbour has 100',
    'left 0 0',
  ]);
  t.is(exitCode, 0);
  t.false(stderr.includes('FATAL'), stderr);
});
