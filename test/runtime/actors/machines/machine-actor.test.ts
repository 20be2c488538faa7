import test from 'ava';
import { matchesState } from 'xstate';
import { type ActorSystem, currentState, defineMachineActor, outputOf, type RefOf } from '../../../../src/index.js';
import { createTestKit } from '../../../../src/testkit.js';
import { Counter } from '../fixtures/counter.js';
import {
  Keeper,
  KeptParcel,
  Parcel,
  parcelMachine,
  RemotelyKeptParcel,
  Reporter,
  Secret,
} from '../fixtures/machines.js';
import { testSystem, until } from '../support.js';

/** Never called: what matters is that tsc compiles it, errors expected included. */
export async function typesHold(system: ActorSystem, parcel: RefOf<typeof Parcel>) {
  // @ts-expect-error the machine has an input
  await system.spawn(Parcel);
  // @ts-expect-error of another type
  await system.spawn(Parcel, { to: 5 });
  // @ts-expect-error no such event
  parcel.tell('fly');
  // @ts-expect-error the event has fields
  parcel.tell('pack');
  // @ts-expect-error a field of another type
  await parcel.ask('pack', { items: 'two' });
  // @ts-expect-error the event has no fields
  parcel.tell('send', { items: 2 });
  parcel.tell('label');
  parcel.tell('label', { text: 'fragile' });
  const { value, context, tags, output } = await parcel.ask('pack', { items: 2 });
  const items: number = context.items;
  const tag: 'open' | 'closed' | undefined = tags[0];
  const grams: number | undefined = output?.grams;
  // @ts-expect-error there is no such state
  const isFlying = value === 'flying';
  // @ts-expect-error the context has no such field
  context.wings;
  const { grams: weight } = await outputOf(parcel);
  // @ts-expect-error the output has no such field
  (await outputOf(parcel)).wings;
  return [items, tag, grams, isFlying, weight];
}

for (const on of ['here', 'worker-1']) {
  test(`events go in by tell and ask, the reply is the state, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    t.like(await currentState(parcel), { status: 'active', value: 'empty', context: { to: 'Rome' } });
    parcel.tell('pack', { items: 2 });
    const state = await parcel.ask('pack', { items: 3 });
    t.is(state.value, 'packed');
    t.is(state.context.items, 5);
    t.deepEqual(state.tags, ['closed']);
    t.is(state.output, undefined);
    t.true(matchesState('packed', state.value));
    t.is((await parcel.ask('send')).value, 'packed', 'an event that the state does not take changes nothing');
  });

  test(`invoked promises and callbacks work, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    parcel.tell('pack', { items: 4 });
    t.is((await parcel.ask('weigh')).value, 'weighing');
    await until(async () => (await currentState(parcel)).value === 'packed');
    t.like((await currentState(parcel)).context, { grams: 40, beats: 1 });
  });

  test(`an error of the machine is the supervisor's: a restart begins anew, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(Parcel, { to: 'Rome', items: 1 }, { on });
    parcel.tell('pack', { items: 4 });
    await t.throwsAsync(parcel.ask('lose'), { message: /the parcel is lost/ });
    t.like(await currentState(parcel), { value: 'empty', context: { items: 1 } });
    t.deepEqual(
      failures.map(({ action }) => action),
      ['restart'],
    );
    // An invoked promise that nobody catches: not in anybody's call.
    parcel.tell('pack', { items: 5000 });
    parcel.tell('weigh');
    await until(() => failures.length === 2);
    t.regex(String(failures[1]?.error), /too heavy/);
    t.like(await currentState(parcel), { value: 'empty', context: { items: 1 } });
  });

  test(`with persistence a restart goes on where the machine was, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs: 60_000 });
    const parcel = await system.spawn(KeptParcel, { to: `Oslo ${on}` }, { on });
    parcel.tell('pack', { items: 4 });
    await t.throwsAsync(parcel.ask('lose'), { message: /the parcel is lost/ });
    const state = await parcel.ask('pack', { items: 1 });
    t.is(state.value, 'packed');
    t.is(state.context.items, 5);
  });

  test(`a state that cannot be saved, as a promise says, fails the actor, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, {
      contexts: on === 'here' ? 0 : 1,
      askTimeoutMs: 60_000,
      restartContexts: false,
    });
    const parcel = await system.spawn(RemotelyKeptParcel, { to: `Bonn ${on}` }, { on });
    t.is((await parcel.ask('pack', { items: 1 })).context.items, 1);
    parcel.tell('pack', { items: 1 });
    await until(() => failures.length > 0);
    t.regex(String(failures[0]?.error), /no room for two/);
    t.is(failures[0]?.action, 'restart');
    t.is((await parcel.ask('pack', { items: 3 })).context.items, 4, 'goes on with what was saved last');
  });
}

test('delays run on the clock of the system, and the actor stops when the machine is done', async (t) => {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const parcel = kit.system.spawnHere(Parcel, { to: 'Rome' });
  const output = outputOf(parcel);
  parcel.tell('pack', { items: 1 });
  t.is((await parcel.ask('label', { text: 'fragile' })).value, 'drying');
  await kit.advance(999);
  t.is((await currentState(parcel)).value, 'drying');
  await kit.advance(1);
  t.is((await currentState(parcel)).value, 'ready');
  const gone = kit.system.watch(parcel);
  const last = await parcel.ask('send');
  t.like(last, { status: 'done', value: 'sent', output: { to: 'Rome', grams: 0 } });
  t.is((await gone).reason, 'stopped');
  t.deepEqual(await output, { to: 'Rome', grams: 0 });
  await t.throwsAsync(parcel.ask('send'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
});

test('a stop ends the delays and what was invoked', async (t) => {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const parcel = kit.system.spawnHere(Parcel, { to: 'Rome' });
  parcel.tell('pack', { items: 1 });
  await parcel.ask('label');
  const { timerCount } = kit.clock;
  t.true(timerCount > 0);
  await kit.system.stop(parcel);
  t.is(kit.clock.timerCount, timerCount - 1);
});

test('what the machine has no transition for anywhere is an unknown message', async (t) => {
  const { system } = await testSystem(t);
  const parcel = system.spawnHere(Parcel, { to: 'Rome' });
  const loose = parcel as unknown as {
    tell(name: string, payload?: unknown): boolean;
    ask(name: string): Promise<unknown>;
  };
  await t.throwsAsync(loose.ask('fly'), { code: 'ERR_HEDDLE_UNKNOWN_MESSAGE' });
  loose.tell('pack', 5);
  loose.tell('toString');
  await currentState(parcel);
  t.deepEqual(
    system.deadLetters.map(({ reason, name }) => [reason, name]),
    [
      ['unknown-message', 'pack'],
      ['unknown-message', 'toString'],
    ],
  );
  const secret = system.spawnHere(Secret);
  t.is((await secret.ask('anything.at.all')).status, 'active', 'wildcards of the machine count');
});

test('a machine that is made for its actor can use what the actor can', async (t) => {
  const { system } = await testSystem(t);
  const counter = system.spawnHere(Counter, { start: 1 });
  const reporter = system.spawnHere(Reporter, { to: counter });
  const gone = system.watch(reporter);
  reporter.tell('report', { by: 4 });
  await gone;
  t.is(await counter.ask('get'), 5);
});

test('an error in the first transition is that of the spawn', async (t) => {
  const { system } = await testSystem(t);
  const Broken = defineMachineActor(import.meta.url, {
    name: 'broken',
    machine: parcelMachine.provide({ actors: {} }),
    persistence: {
      load: () => {
        throw new SyntaxError('nothing readable');
      },
      save: () => {},
    },
  });
  t.throws(() => system.spawnHere(Broken, { to: 'Rome' }), { instanceOf: SyntaxError });
});

test('what is no machine, and misspelt options, are refused', (t) => {
  // @ts-expect-error no machine
  const none = () => defineMachineActor(import.meta.url, { name: 'none', machine: {} });
  t.throws(none, { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  // @ts-expect-error no such option
  const misspelt = () => defineMachineActor(import.meta.url, { name: 'none', machine: parcelMachine, persist: {} });
  t.throws(misspelt, { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});

for (const on of ['here', 'worker-1']) {
  test(`a machine keeps the SharedBuffers in its context: its states do not take them along, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1, askTimeoutMs: 60_000 });
    system.node.context.on('leak', (leak) => t.fail(JSON.stringify(leak)));
    const keeper = await system.spawn(Keeper, undefined, { on });
    const image = system.node.context.allocate(1000);
    // The reply is the state, which has the buffer.
    if (on === 'here') t.is((await keeper.ask('keep', { image })).context.image, image);
    else {
      await t.throwsAsync(keeper.ask('keep', { image }), { code: 'ERR_HEDDLE_CODEC', message: /stay with it/ });
      await t.throwsAsync(currentState(keeper), { code: 'ERR_HEDDLE_CODEC' });
    }
    t.is(image.isHeld, on === 'here');
    t.is((await keeper.ask('drop')).context.image, undefined);
    await until(() => system.node.context.memory.buffersHeld === 0);
  });
}
