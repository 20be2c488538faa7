import test from 'ava';
import { createRouter, type RefOf } from '../../../src/index.js';
import { Doorkeeper } from './fixtures/doors.js';
import { Member } from './fixtures/member.js';
import { Routed } from './fixtures/winding.js';
import { testSystem, until } from './support.js';

test('names are unique in the system, known everywhere, and free again when their actor has gone', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const seen: (string | undefined)[] = [];
  const end = system.subscribe('chief', (ref) => seen.push(ref?.contextName));
  const first = await system.spawn(Member, { id: 1 }, { on: 'worker-1', name: 'chief' });
  const other = await system.spawn(Member, { id: 2 }, { on: 'worker-2' });
  t.true(system.lookup('chief')?.equals(first));
  t.is(await other.ask('lookup', 'chief'), 1);
  t.is(await other.ask('lookup', 'nobody'), undefined);
  await other.ask('follow', 'chief');

  await t.throwsAsync(system.register('chief', other), { code: 'ERR_HEDDLE_NAME_IN_USE' });
  await t.throwsAsync(system.spawn(Member, { id: 3 }, { on: 'worker-2', name: 'chief' }), {
    code: 'ERR_HEDDLE_NAME_IN_USE',
  });
  await t.throwsAsync(system.register('', other), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  await system.register('chief', first);
  await system.unregister('chief', other);
  t.true(system.lookup('chief')?.equals(first), 'only its holder loses a name');

  await system.stop(first);
  await until(() => system.lookup('chief') === undefined);
  await system.register('chief', other);
  await until(async () => (await other.ask('holders')).length === 3);
  t.deepEqual(await other.ask('holders'), ['member', undefined, 'member']);
  t.deepEqual(seen, [undefined, 'worker-1', undefined, 'worker-2']);
  end();
  await system.unregister('chief', other);
  t.is(seen.length, 4);
});

test('an actor takes names and gives them back by itself', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const here = system.spawnHere(Member, { id: 1 });
  const there = await system.spawn(Member, { id: 2 }, { on: 'worker-1' });
  await there.ask('takeName', 'chief');
  t.true(system.lookup('chief')?.equals(there));
  await here.ask('giveBack', 'chief');
  t.true(system.lookup('chief')?.equals(there), 'only its holder loses a name');
  await there.ask('giveBack', 'chief');
  await here.ask('takeName', 'chief');
  t.true(system.lookup('chief')?.equals(here));
  await t.throwsAsync(there.ask('takeName', 'chief'), { code: 'ERR_HEDDLE_NAME_IN_USE' });
});

test('groups: publish from anywhere; who has gone has left, and a replaced context knows them', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const members: RefOf<typeof Member>[] = [];
  for (const [id, on] of ['here', 'worker-1', 'worker-2'].entries()) {
    members.push(await system.spawn(Member, { id }, { on }));
  }
  const group = system.group<{ hello(): void }>('greeters');
  t.deepEqual(group.members, []);
  t.true(group.publish('hello'), 'nobody is there to slow it down');
  for (const member of members) await member.ask('joinSelf', 'greeters');
  await group.join(members[0]!);
  t.is(group.members.length, 3);
  group.publish('hello');
  await members[1]!.ask('publish', 'greeters');
  await until(async () => (await Promise.all(members.map((member) => member.ask('told')))).every((told) => told === 2));
  await group.ready();

  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  await system.contextHandle('worker-1')?.terminate();
  group.publish('hello');
  await replaced;
  t.is(group.members.length, 3, 'a restart is no end');
  await until(async () => {
    await members[1]!.ask('publish', 'greeters');
    return (await members[2]!.ask('told')) > 3;
  });

  await group.leave(members[0]!);
  await system.stop(members[2]!);
  await until(() => group.members.length === 1);
});

test('routers', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const members: RefOf<typeof Member>[] = [];
  for (let id = 0; id < 4; id++) {
    members.push(await system.spawn(Member, { id }, { on: id % 2 === 0 ? 'here' : 'worker-1' }));
  }
  const ids = (count: number, router: { ask(name: 'id', delayMs: number): Promise<number> }) =>
    Promise.all(Array.from({ length: count }, () => router.ask('id', 0)));
  t.deepEqual(await ids(6, createRouter(members)), [0, 1, 2, 3, 0, 1]);
  const random = await ids(200, createRouter(members, { strategy: 'random' }));
  t.deepEqual([...new Set(random)].sort(), [0, 1, 2, 3]);

  const byKey = createRouter(members, { strategy: 'consistent-hash', keyOf: (_name, payload) => String(payload) });
  const first = await Promise.all([1, 2, 3, 4, 5, 6].map((delayMs) => byKey.ask('id', delayMs)));
  const again = await Promise.all([1, 2, 3, 4, 5, 6].map((delayMs) => byKey.ask('id', delayMs)));
  t.deepEqual(again, first);
  t.true(new Set(first).size > 1);
  t.throws(() => createRouter(members, { strategy: 'consistent-hash' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });

  const broadcast = createRouter(members, { strategy: 'broadcast' });
  broadcast.tell('hello');
  t.deepEqual(await Promise.all(members.map((member) => member.ask('told'))), [1, 1, 1, 1]);
  const all = await broadcast.askAll('id', 0);
  t.deepEqual(
    all.map((each) => each.status === 'fulfilled' && each.value),
    [0, 1, 2, 3],
  );
  await broadcast.ready();

  const gather = createRouter(members, { strategy: 'scatter-gather-first' });
  const blocked = members.slice(1).map((member) => member.ask('hold', 'routers'));
  const doorkeepers = [
    await system.spawn(Doorkeeper, undefined, { on: 'here' }),
    await system.spawn(Doorkeeper, undefined, { on: 'worker-1' }),
  ];
  for (const [index, count] of [1, 2].entries()) {
    await until(async () => (await doorkeepers[index]!.ask('waiting', 'routers')) === count);
  }
  t.is(await gather.ask('id', 0), 0);
  const least = createRouter(
    members.filter((_, id) => id % 2 === 0),
    { strategy: 'least-loaded' },
  );
  t.is(await least.ask('id', 0), 0, 'the other one is busy');
  for (const doorkeeper of doorkeepers) doorkeeper.tell('open', 'routers');
  await Promise.all(blocked);
  await t.throwsAsync(gather.ask('id', -1), { message: /has no id today/ });

  const none = createRouter<{ id(delayMs: number): number }>([]);
  t.false(none.tell('id', 0));
  await t.throwsAsync(none.ask('id', 0), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  await none.ready();

  const group = system.group<{ id(delayMs: number): number }>('routees');
  const ofGroup = createRouter(group);
  await group.join(members[2]!);
  t.is(await ofGroup.ask('id', 0), 2);
});

test('a router knows an actor by its address, whichever ref asks are made by', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const doorkeeper = await system.spawn(Doorkeeper, undefined, { on: 'worker-1' });
  const [one, other] = [await system.spawn(Routed), await system.spawn(Routed)];
  const again = (await one.ask('self')) as typeof one;
  t.not(again, one);
  const held = createRouter([one], { strategy: 'least-loaded' }).ask('wait', 'routed');
  const chosen = await createRouter([again, other], { strategy: 'least-loaded' }).ask('self');
  t.true(chosen.equals(other), 'the other one has nothing to do');
  await until(async () => (await doorkeeper.ask('waiting', 'routed')) === 1);
  await doorkeeper.ask('open', 'routed');
  await held;
  t.true((await createRouter([again, other], { strategy: 'least-loaded' }).ask('self')).equals(one));
});

test('a pool grows while much waits, shrinks when nothing does, and makes another for a member that has gone', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const options = { minimum: 2, maximum: 4, growAbove: 2, resizeEveryMs: 5, shrinkAfter: 3 };
  const pool = await system.createPool(Member, { id: 7 }, options);
  t.is(pool.size, 2);
  t.deepEqual(pool.routees.map(({ contextName }) => contextName).sort(), ['worker-1', 'worker-2']);
  for (let i = 0; i < 2000; i++) pool.tell('id', 1);
  await until(() => pool.size === 4);
  await until(() => pool.size === 2);
  t.is(await pool.ask('id', 0), 7);
  const gone = pool.routees[0]!;
  await system.stop(gone);
  await until(() => pool.size === 2 && !pool.routees.some((each) => each.equals(gone)));
  await pool.close();
  t.is(pool.size, 0);
  await t.throwsAsync(pool.ask('id', 0), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  for (const wrong of [{ minimum: 0 }, { minimum: 3, maximum: 2 }]) {
    await t.throwsAsync(system.createPool(Member, { id: 1 }, wrong), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
});
