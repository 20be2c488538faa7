import test from 'ava';
import { type HeddleError, RemoteError } from '../../../src/index.js';
import { mainPlace } from '../../../src/runtime/actors/places.js';
import { Counter, Friend, Reentrant, Slow } from './fixtures/counter.js';
import { testSystem, until } from './support.js';

for (const on of ['here', 'worker-1']) {
  test(`tell and ask, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const counter = await system.spawn(Counter, { start: 2 }, { on });
    for (let i = 0; i < 500; i++) t.true(counter.tell('add', 1));
    t.is(await counter.ask('get'), 502);
    t.is(await counter.ask('later', 1), 502);
    t.is(counter.contextName, on === 'here' ? 'main' : on);
  });

  test(`what an ask can end with, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const counter = await system.spawn(Counter, { start: 2 }, { on });
    const isHere = on === 'here';

    const thrown = await t.throwsAsync(counter.ask('fail', 'oh'));
    t.is(thrown?.constructor, isHere ? TypeError : RemoteError);
    t.regex(thrown?.message ?? '', /oh/);
    await until(() => failures.length === 1);
    t.is(failures[0]?.action, 'restart');

    counter.tell('add', 5);
    await t.throwsAsync(counter.ask('refuse'), { message: /not today/ });
    t.is(await counter.ask('get'), 7, 'a refusal changes nothing');
    t.is(failures.length, 1);

    // biome-ignore lint/suspicious/noExplicitAny: what the compiler would not let pass
    const anyCounter = counter as any;
    await t.throwsAsync(anyCounter.ask('fly'), { code: 'ERR_HEDDLE_UNKNOWN_MESSAGE' });
    await t.throwsAsync(anyCounter.ask('toString'), { code: 'ERR_HEDDLE_UNKNOWN_MESSAGE' });
    if (!isHere) {
      await t.throwsAsync(counter.ask('unsendable'), { code: 'ERR_HEDDLE_CODEC' });
      await t.throwsAsync(
        anyCounter.ask('add', () => 1),
        { code: 'ERR_HEDDLE_CODEC' },
      );
      t.throws(() => anyCounter.tell('add', () => 1), { code: 'ERR_HEDDLE_CODEC' });
    }
    t.is(await counter.ask('get'), 7);

    await t.throwsAsync(counter.ask('never', undefined, { timeoutMs: 20 }), { code: 'ERR_HEDDLE_TIMEOUT' });
    const abort = new AbortController();
    const cancelled = counter.ask('get', undefined, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await t.throwsAsync(cancelled, { code: 'ERR_HEDDLE_CANCELLED' });
    await t.throwsAsync(counter.ask('get', undefined, { signal: abort.signal }), { code: 'ERR_HEDDLE_CANCELLED' });
    await t.throwsAsync(counter.ask('get', undefined, { timeoutMs: 0 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  });

  test(`an actor that was stopped, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const counter = await system.spawn(Counter, { start: 2 }, { on });
    const first = system.watch(counter);
    await system.stop(counter);
    t.is((await first).reason, 'stopped');
    t.true((await first).ref.equals(counter));
    t.is((await system.watch(counter)).reason, 'unknown');
    await t.throwsAsync(counter.ask('get'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    const letters: string[] = [];
    system.on('deadLetter', ({ reason, name }) => letters.push(`${name} ${reason}`));
    counter.tell('add', 1);
    await until(() => letters.length > 0);
    t.deepEqual(letters, ['add stopped']);
    t.is(system.host.asks.count, 0);
  });
}

test('what waits when an actor stops: asks are rejected, tells become dead letters', async (t) => {
  const { system } = await testSystem(t);
  const counter = await system.spawn(Counter, { start: 2 }, { on: 'here' });
  const letters: unknown[] = [];
  system.on('deadLetter', ({ reason, name, payload, to }) => letters.push([reason, name, payload, to]));
  const blocked = counter.ask('later', 5);
  await until(() => system.host.cells[0]!.pendingHandlers === 1);
  counter.tell('add', 7);
  const waiting = counter.ask('get');
  const stopped = system.stop(counter);
  await t.throwsAsync(waiting, { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  t.is(await blocked, 2, 'the message at hand is finished');
  await stopped;
  t.deepEqual(letters, [['stopped', 'add', 7, counter]]);
  t.deepEqual(system.deadLetterCounts.stopped, 1);
});

test('a payload that tells something while it is encoded is refused, one that catches that arrives, and the context goes on', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const counter = await system.spawn(Counter, { start: 0 }, { on: 'worker-1' });
  // biome-ignore lint/suspicious/noExplicitAny: not of the type that it should be
  const anyCounter = counter as any;
  for (const fields of [0, 1000]) {
    const rest = Object.fromEntries(Array.from({ length: fields }, (_, i) => [`field-${i}`, 'x'.repeat(20)]));
    const tells = {
      get inner() {
        return counter.tell('add', 1);
      },
    };
    t.throws(() => anyCounter.tell('add', Object.assign(Object.create(null), rest, { tells })), {
      code: 'ERR_HEDDLE_CODEC',
    });
    let caught = 0;
    const patient = {
      ...rest,
      inner: {
        get value() {
          try {
            counter.tell('add', 1);
          } catch {
            caught++;
          }
          return 7;
        },
      },
    };
    const thrown = await t.throwsAsync(anyCounter.ask('fail', patient));
    t.true(thrown instanceof RemoteError, String(thrown));
    t.true(caught > 0);
  }
  t.true(counter.tell('add', 3));
  t.is(await counter.ask('get'), 3);
});

test('refs travel inside of messages and work from anywhere', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const here = await system.spawn(Counter, { start: 1 }, { on: 'here' });
  const there = await system.spawn(Counter, { start: 10 }, { on: 'worker-1' });
  const friend = await system.spawn(Friend, undefined, { on: 'worker-2' });
  friend.tell('meet', here);
  friend.tell('meet', there);
  friend.tell('tellAll', 5);
  t.is(await friend.ask('sum'), 21);
  t.is(await friend.ask('first'), here, 'the ref of an actor comes home as the same object');
  t.true((await friend.ask('self')).equals(friend));
  t.false(await friend.ask('sameFriend'));
  friend.tell('meet', there);
  t.false(here.equals(there));
  t.is(
    String(here),
    `counter@main/${(here as never as { slot: number }).slot}.${(here as never as { generation: number }).generation}`,
  );
});

test('the places where actors are put', async (t) => {
  const { system } = await testSystem(t, { contexts: [{ name: 'left' }, { name: 'right' }] });
  t.deepEqual(system.contextNames, ['main', 'left', 'right']);
  const names: string[] = [];
  for (let i = 0; i < 4; i++) names.push((await system.spawn(Counter, { start: 0 })).contextName);
  t.deepEqual(names, ['left', 'right', 'left', 'right']);
  const byKey = new Set<string>();
  for (let i = 0; i < 3; i++) byKey.add((await system.spawn(Counter, { start: 0 }, { on: { key: 'k' } })).contextName);
  t.is(byKey.size, 1);
  for (let i = 0; i < 6; i++) await system.spawn(Counter, { start: 0 }, { on: 'left' });
  await until(() => system.actorCounts.left! > system.actorCounts.right!);
  t.is((await system.spawn(Counter, { start: 0 }, { on: 'least-loaded' })).contextName, 'right');
  await t.throwsAsync(system.spawn(Counter, { start: 0 }, { on: 'nowhere' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  const threads = new Set([
    await (await system.spawn(Counter, { start: 0 }, { on: 'left' })).ask('thread'),
    await (await system.spawn(Counter, { start: 0 }, { on: 'right' })).ask('thread'),
    await (await system.spawn(Counter, { start: 0 }, { on: 'here' })).ask('thread'),
  ]);
  t.is(threads.size, 3);
});

test('a context that has handled everything does not look busy, however long it then sleeps', async (t) => {
  const { system } = await testSystem(t);
  const { places } = system.host;
  for (let round = 0; round < 5; round++) {
    const counter = system.spawnHere(Counter, { start: 0 });
    const reply = counter.ask('get');
    // What is made while messages wait says how much waits.
    system.spawnHere(Counter, { start: 0 });
    t.is(places.runnableAt(mainPlace), 1);
    await reply;
    t.is(places.runnableAt(mainPlace), 0);
  }
});

test("an asynchronous state: messages wait for it, and its failure is the spawner's to know", async (t) => {
  const { system, failures } = await testSystem(t, { contexts: 1 });
  const slow = system.spawnHere(Slow, { delayMs: 5 });
  slow.tell('see', 1);
  slow.tell('see', 2);
  t.deepEqual(await slow.ask('seen'), [1, 2]);
  await t.throwsAsync(system.spawn(Slow, { delayMs: 1, fails: true }, { on: 'here' }), { instanceOf: RangeError });
  const remote = await t.throwsAsync(system.spawn(Slow, { delayMs: 1, fails: true }));
  t.true(remote instanceof RemoteError && remote.remoteName === 'RangeError');
  t.deepEqual(failures, []);
});

test('one message at a time, or many for a reentrant actor; asking oneself is reported', async (t) => {
  const { system, failures } = await testSystem(t);
  const reentrant = await system.spawn(Reentrant, undefined, { on: 'here' });
  const waiting = reentrant.ask('wait');
  t.is(await reentrant.ask('open'), 1);
  t.is(await waiting, 'opened');
  t.is(await reentrant.ask('askSelf'), 1);
  const friend = await system.spawn(Friend, undefined, { on: 'here' });
  const error = await t.throwsAsync<HeddleError>(friend.ask('askSelf'), { code: 'ERR_HEDDLE_DEADLOCK' });
  t.regex(error?.message ?? '', /isReentrant/);
  t.is(failures.length, 1);
});

test('messages from one sender arrive in order, and every one of many asks is answered', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const slow = await system.spawn(Slow, { delayMs: 0 });
  const count = 20_000;
  for (let i = 0; i < count; i++) if (!slow.tell('see', i)) await slow.ready();
  const seen = await slow.ask('seen');
  t.is(seen.length, count);
  t.true(seen.every((value, index) => value === index));
  const counter = await system.spawn(Counter, { start: 3 });
  const replies = await Promise.all(Array.from({ length: 5000 }, () => counter.ask('get')));
  t.true(replies.every((reply) => reply === 3));
});
