import test from 'ava';
import type { ActorSystem, HeddleError } from '../../../src/index.js';
import { laneWindow } from '../../../src/runtime/actors/lane.js';
import type { Ref } from '../../../src/runtime/actors/ref.js';
import { Counter, Friend } from './fixtures/counter.js';
import { Listener, Owner, PatientOwner, Watcher } from './fixtures/family.js';
import { testSystem, until } from './support.js';

test('a context that is lost is replaced, and its actors are made again: refs stay good', async (t) => {
  const { system, failures } = await testSystem(t, { contexts: 2 });
  const counter = await system.spawn(Counter, { start: 7 }, { on: 'worker-1' });
  const neighbour = await system.spawn(Counter, { start: 0 }, { on: 'worker-1' });
  const far = await system.spawn(Friend, undefined, { on: 'worker-2' });
  await far.ask('meet', counter);
  counter.tell('add', 5);
  t.is(await far.ask('sum'), 12);
  const before = await counter.ask('thread');
  let isTerminated = false;
  void system.watch(counter).then(() => {
    isTerminated = true;
  });
  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  const lost = new Promise((resolve) => system.once('contextLost', resolve));
  const pending = [counter.ask('get'), counter.ask('never'), counter.ask('later', 1000)];
  // The counter itself is in a handler that never ends.
  neighbour.tell('exit');
  t.like(await lost, { name: 'worker-1', isReplaced: true });
  const outcomes = await Promise.allSettled(pending);
  for (const outcome of outcomes.slice(1)) {
    t.is(outcome.status === 'rejected' && (outcome.reason as HeddleError).code, 'ERR_HEDDLE_CONTEXT_LOST');
  }
  counter.tell('add', 1);
  t.deepEqual(await replaced, { name: 'worker-1' });
  t.is(await counter.ask('get'), 7, 'the state is new, the address is not');
  t.not(await counter.ask('thread'), before);
  t.is(await far.ask('sum'), 7, 'from other contexts, too');
  t.false(isTerminated, 'a restart is no end');
  await until(() => failures.length >= 2);
  t.deepEqual(
    failures.map(({ action }) => action),
    ['restart', 'restart'],
  );
  t.is(system.host.asks.count, 0);
  t.is(system.deadLetterCounts['context-lost'] > 0, true);
});

test('a context that is not replaced: its actors have gone, and who watches them hears of it once', async (t) => {
  const { system } = await testSystem(t, { contexts: 2, restartContexts: false });
  const counter = await system.spawn(Counter, { start: 7 }, { on: 'worker-1' });
  const watchers = [
    await system.spawn(Watcher, undefined, { on: 'here' }),
    await system.spawn(Watcher, undefined, { on: 'worker-2' }),
  ];
  for (const watcher of watchers) await watcher.ask('watch', counter);
  const watched = system.watch(counter);
  await system.contextHandle('worker-1')?.terminate();
  t.is((await watched).reason, 'context-lost');
  for (const watcher of watchers) {
    await until(async () => (await watcher.ask('seen')).length > 0);
    t.deepEqual(await watcher.ask('seen'), ['counter context-lost']);
  }
  await t.throwsAsync(counter.ask('get'), { code: 'ERR_HEDDLE_CONTEXT_LOST' });
  t.false(counter.tell('add', 1));
  await t.throwsAsync(system.spawn(Counter, { start: 0 }, { on: 'worker-1' }), { code: 'ERR_HEDDLE_CONTEXT_LOST' });
  t.is((await system.spawn(Counter, { start: 0 })).contextName, 'worker-2');
  t.is(system.host.watches.remoteCount, 0);
});

test('children of a parent in a lost context go with it; children elsewhere of a parent that lives come back', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const away = await system.spawn(Owner, undefined, { on: 'worker-1' });
  const orphan = await away.ask('own', 'worker-2');
  const home = await system.spawn(Owner, undefined, { on: 'worker-2' });
  const child = await home.ask('own', 'worker-1');
  child.tell('add', 1);
  t.is(await child.ask('get'), 101);
  const orphanGone = system.watch(orphan);
  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  await system.contextHandle('worker-1')?.terminate();
  await replaced;
  t.is((await orphanGone).reason, 'failed');
  t.is(await child.ask('get'), 100);
  t.deepEqual(await away.ask('own', 'here').then((ref) => ref.ask('get')), 100);
});

test('contexts that die again and again under load: every ask settles, and nothing is left behind', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const counter = await system.spawn(Counter, { start: 0 }, { on: 'worker-1' });
  let settled = 0;
  let asked = 0;
  const unexpected: unknown[] = [];
  let isOver = false;
  const askOn = async () => {
    while (!isOver) {
      asked++;
      try {
        await counter.ask('get');
      } catch (error) {
        const code = (error as HeddleError).code;
        if (code !== 'ERR_HEDDLE_CONTEXT_LOST' && code !== 'ERR_HEDDLE_TIMEOUT') unexpected.push(error);
        await new Promise((resolve) => setImmediate(resolve));
      }
      settled++;
      counter.tell('add', 1);
    }
  };
  const askers = Array.from({ length: 20 }, askOn);
  try {
    for (let round = 0; round < 3; round++) {
      const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
      await system.contextHandle('worker-1')?.terminate();
      await replaced;
      t.is(typeof (await counter.ask('get')), 'number');
    }
  } finally {
    isOver = true;
  }
  await Promise.all(askers);
  t.deepEqual(unexpected, []);
  t.is(settled, asked);
  t.is(system.host.asks.count, 0);
  t.is(system.host.watches.remoteCount, 0);
  t.is(system.host.actorCount, 0);
});

test('a context lost in the middle of a spawn and of a restart', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const spawning = Array.from({ length: 10 }, () => system.spawn(Counter, { start: 0 }, { on: 'worker-1' }));
  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  const first = system.contextHandle('worker-1');
  await first?.terminate();
  const outcomes = await Promise.allSettled(spawning);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') t.is((outcome.reason as HeddleError).code, 'ERR_HEDDLE_CONTEXT_LOST');
  }
  // The replacement dies as well, at whatever point of its start.
  await until(() => system.contextHandle('worker-1') !== undefined);
  await system.contextHandle('worker-1')?.terminate();
  await replaced.catch(() => {});
  await until(() => system.contextHandle('worker-1')?.state === 'running');
  await until(async () => {
    try {
      const counter = await system.spawn(Counter, { start: 5 }, { on: 'worker-1' });
      return (await counter.ask('get')) === 5;
    } catch (error) {
      if ((error as HeddleError).code !== 'ERR_HEDDLE_CONTEXT_LOST') throw error;
      return false;
    }
  });
});

test('a ref that was used before its context was lost takes as many messages afterwards as a new one', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const counter = await system.spawn(Counter, { start: 0 });
  counter.tell('add', 5);
  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  counter.tell('exit');
  await replaced;
  const count = 3 * laneWindow;
  for (let i = 0; i < count; i++) if (!counter.tell('add', 1)) await counter.ready();
  t.is(await counter.ask('get'), count);
  t.is(system.deadLetterCounts['mailbox-full'], 0);
});

const parents = [
  {
    title: 'a child that is made again while its parent stops goes with it',
    async begin(system: ActorSystem) {
      const owner = system.spawnHere(Owner);
      await owner.ask('ownSlow', 'worker-1');
      return owner;
    },
  },
  {
    title: 'a child that waits to be made again when its parent stops is not made',
    async begin(system: ActorSystem) {
      const owner = system.spawnHere(PatientOwner);
      await owner.ask('own', 'worker-1');
      return owner;
    },
  },
];

for (const { title, begin } of parents) {
  test(title, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    const owner = await begin(system);
    const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
    void system.contextHandle('worker-1')?.terminate();
    await until(() => system.host.isRestoring(1));
    await system.stop(owner);
    await replaced;
    await until(() => system.actorCounts['worker-1'] === 0);
    t.is(system.actorCounts.main, 0);
  });
}

test('a child that waits to be made again when its supervisor stops all is not made', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const owner = system.spawnHere(PatientOwner);
  const worker = await owner.ask('hire', system.spawnHere(Listener));
  await owner.ask('own', 'worker-1');
  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  void system.contextHandle('worker-1')?.terminate();
  await until(() => system.host.isRestoring(1));
  const { family } = (owner as unknown as Ref).cell!;
  family.onFailed((worker as unknown as Ref).cell!, new Error('stop all'));
  await replaced;
  await until(() => system.actorCounts['worker-1'] === 0);
  await until(() => system.actorCounts.main === 2);
  t.is(family.size, 0);
});

for (const when of ['is lost', 'makes its actors again'] as const) {
  test(`an actor that is stopped while its context ${when} is stopped, and is not told to have gone before`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    const owner = system.spawnHere(PatientOwner);
    const counter = await owner.ask('own', 'worker-1');
    const lost = new Promise((resolve) => system.once('contextLost', resolve));
    const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
    void system.contextHandle('worker-1')?.terminate();
    await (when === 'is lost' ? lost : until(() => system.host.isRestoring(1)));
    let isReplaced = false;
    void replaced.then(() => {
      isReplaced = true;
    });
    await Promise.all([system.stop(counter), system.watch(counter)]);
    t.true(isReplaced);
    await until(() => system.actorCounts['worker-1'] === 0);
    await t.throwsAsync(counter.ask('get'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  });
}

test('an actor that the system has made is stopped when it has been made again', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const counter = await system.spawn(Counter, { start: 1 }, { on: 'worker-1' });
  const lost = new Promise((resolve) => system.once('contextLost', resolve));
  void system.contextHandle('worker-1')?.terminate();
  await lost;
  await system.stop(counter);
  await until(() => system.actorCounts['worker-1'] === 0);
  await t.throwsAsync(counter.ask('get'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
});
