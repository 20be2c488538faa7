import test from 'ava';
import { currentState, type MachineState, observe, outputOf } from '../../../../src/index.js';
import { Exiter, KeptParcel, Onlooker, Parcel, type parcelMachine, Secret } from '../fixtures/machines.js';
import { testSystem, until } from '../support.js';

type ParcelState = MachineState<typeof parcelMachine>;

for (const on of ['here', 'worker-1']) {
  test(`an observer is told the first state, the changes and the end, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    const seen: string[] = [];
    observe(parcel, {
      next: ({ value, context }) => void seen.push(`${value} ${context.items}`),
      complete: () => seen.push('complete'),
      error: (error) => seen.push(String(error)),
    });
    await until(() => seen.length === 1);
    parcel.tell('pack', { items: 1 });
    await parcel.ask('pack', { items: 1 });
    await until(() => seen.length === 3);
    await system.stop(parcel);
    await until(() => seen.length === 4);
    t.deepEqual(seen, ['empty 0', 'packed 1', 'packed 2', 'complete']);
    t.is(system.host.actorCount, 0, 'nothing is left of it');
  });

  test(`unsubscribe ends it at once, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    const seen: string[] = [];
    const first = observe(parcel, ({ value }) => void seen.push(String(value)));
    await until(() => seen.length === 1);
    parcel.tell('pack', { items: 1 });
    first.unsubscribe();
    first.unsubscribe();
    await currentState(parcel);
    await system.stop(parcel);
    t.deepEqual(seen, ['empty']);
    {
      using second = observe(parcel, { next: () => void seen.push('never'), complete: () => void seen.push('never') });
      t.truthy(second);
    }
    await until(() => system.host.actorCount === 0);
    t.deepEqual(seen, ['empty']);
  });

  test(`a slow observer gets the newest states, and is told how many it missed, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    const seen: [number, number][] = [];
    let goOn: () => void = () => {};
    observe(
      parcel,
      async ({ context }, skipped) => {
        seen.push([context.items, skipped]);
        if (seen.length === 1) await new Promise<void>((resolve) => (goOn = resolve));
      },
      { capacity: 4 },
    );
    await until(() => seen.length === 1);
    for (let i = 0; i < 1000; i++) parcel.tell('pack', { items: 1 });
    await parcel.ask('send');
    goOn();
    await until(() => seen.at(-1)?.[0] === 1000);
    t.is(seen.length, 5);
    t.deepEqual(
      seen
        .slice(1)
        .map(([items]) => items)
        .at(-1),
      1000,
    );
    const skipped = seen.reduce((sum, [, count]) => sum + count, 0);
    t.is(skipped, 1002 - 5, 'each is told or counted');
  });

  test(`a restart is one more state, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    const seen: string[] = [];
    observe(parcel, {
      next: ({ value }) => void seen.push(String(value)),
      error: (error) => seen.push((error as { code: string }).code),
    });
    await until(() => seen.length === 1);
    parcel.tell('pack', { items: 1 });
    parcel.tell('lose');
    await until(() => seen.length === 3);
    t.deepEqual(seen, ['empty', 'packed', 'empty']);
    for (let i = 0; i < 11; i++) parcel.tell('lose');
    await until(() => seen.at(-1) === 'ERR_HEDDLE_ACTOR_FAILED');
  });
}

test('whoever observes an actor that has gone is told so', async (t) => {
  const { system } = await testSystem(t, { contexts: 1, askTimeoutMs: 60_000 });
  for (const on of ['here', 'worker-1']) {
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    await system.stop(parcel);
    const error = await new Promise((resolve) => observe(parcel, { error: resolve }));
    t.is((error as { code: string }).code, 'ERR_HEDDLE_ACTOR_STOPPED');
    await t.throwsAsync(outputOf(parcel), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  }
});

test('an observer that throws is reported, and is told what follows', async (t) => {
  const { system, failures } = await testSystem(t);
  const parcel = system.spawnHere(Parcel, { to: 'Rome' });
  const seen: string[] = [];
  observe(parcel, ({ value }) => {
    seen.push(String(value));
    throw new TypeError('on purpose');
  });
  await until(() => seen.length === 1);
  parcel.tell('pack', { items: 1 });
  await until(() => failures.length === 2);
  t.deepEqual(seen, ['empty', 'packed']);
});

test('states that cannot travel are an error of who observes from elsewhere', async (t) => {
  const { system } = await testSystem(t, { contexts: 1, askTimeoutMs: 60_000 });
  const secret = await system.spawn(Secret, undefined, { on: 'worker-1' });
  const error = await new Promise((resolve) => observe(secret, { error: resolve }));
  t.is((error as { code: string }).code, 'ERR_HEDDLE_CODEC');
  t.regex(String(error), /key/);
  await t.throwsAsync(currentState(secret), { code: 'ERR_HEDDLE_CODEC' });
});

test('actors observe, too, until they restart or stop', async (t) => {
  const { system } = await testSystem(t, { contexts: 2, askTimeoutMs: 60_000 });
  const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on: 'worker-1' });
  const onlooker = await system.spawn(Onlooker, undefined, { on: 'worker-2' });
  await onlooker.ask('watch', parcel);
  await until(async () => (await onlooker.ask('seen')).length === 1);
  await t.throwsAsync(onlooker.ask('fail'));
  await parcel.ask('pack', { items: 1 });
  t.deepEqual(await onlooker.ask('seen'), []);
  await onlooker.ask('watch', parcel);
  await until(async () => (await onlooker.ask('seen')).length === 1);
  await system.stop(parcel);
  await until(async () => (await onlooker.ask('seen')).length === 2);
  t.deepEqual(await onlooker.ask('seen'), ['packed', 'complete']);
});

test('a context that is lost and replaced is observed on; one that is given up is an error', async (t) => {
  const { system } = await testSystem(t, { contexts: 1, restartContexts: { maximumRestarts: 1 } });
  const parcel = await system.spawn(KeptParcel, { to: 'Rome' }, { on: 'worker-1' });
  const seen: string[] = [];
  observe(parcel, {
    next: ({ value }: ParcelState) => void seen.push(String(value)),
    error: (error) => seen.push((error as { code: string }).code),
  });
  await parcel.ask('pack', { items: 1 });
  await until(() => seen.length === 2);
  const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
  (await system.spawn(Exiter, undefined, { on: 'worker-1' })).tell('exit');
  await replaced;
  await until(() => seen.length === 3);
  t.deepEqual(seen, ['empty', 'packed', 'empty']);
  await parcel.ask('pack', { items: 1 });
  await until(() => seen.length === 4);
  const lost = new Promise((resolve) => system.once('contextLost', resolve));
  (await system.spawn(Exiter, undefined, { on: 'worker-1' })).tell('exit');
  await lost;
  await until(() => seen.length === 5);
  t.is(seen.at(-1), 'ERR_HEDDLE_CONTEXT_LOST');
});

test('outputOf can be cancelled', async (t) => {
  const { system } = await testSystem(t);
  const parcel = system.spawnHere(Parcel, { to: 'Rome' });
  const controller = new AbortController();
  const output = outputOf(parcel, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.throwsAsync(output, { code: 'ERR_HEDDLE_CANCELLED' });
  await t.throwsAsync(outputOf(parcel, { signal: controller.signal }), { code: 'ERR_HEDDLE_CANCELLED' });
  await until(() => system.host.actorCount === 1);
});

test('what is no machine, and options out of range', async (t) => {
  const { system, failures } = await testSystem(t);
  const exiter = system.spawnHere(Exiter);
  // @ts-expect-error an actor that is no machine
  const error = await new Promise((resolve) => observe(exiter, { error: resolve }));
  t.is((error as { code: string }).code, 'ERR_HEDDLE_UNKNOWN_MESSAGE');
  const parcel = system.spawnHere(Parcel, { to: 'Rome' });
  t.throws(() => observe(parcel, {}, { capacity: 0 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  for (const observer of [undefined, null, 5]) {
    // @ts-expect-error nobody to tell
    t.throws(() => observe(parcel, observer), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
  // @ts-expect-error no options
  t.throws(() => observe(parcel, {}, null), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  for (const options of [null, { signal: 5 }, { timeoutMs: 5 }]) {
    // @ts-expect-error nothing that could be aborted
    await t.throwsAsync(outputOf(parcel, options), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
  // @ts-expect-error no ref at all
  t.throws(() => observe({}, {}), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.deepEqual(failures, []);
});
