import test from 'ava';
import type { Ref } from '../../../src/runtime/actors/ref.js';
import { createTestKit } from '../../../src/testkit.js';
import { Doorkeeper } from './fixtures/doors.js';
import { Household, LateParent, Lingerer, Reminded, Sleeper, Unique } from './fixtures/winding.js';
import { testSystem, until } from './support.js';

test('a stop during a restart waits for the onStop that is under way, and state ends once', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const { system } = kit;
  const doors = system.spawnHere(Doorkeeper);
  const said: string[] = [];
  const lingerer = system.spawnHere(Lingerer, { said, door: 'stop during restart' });
  lingerer.tell('fail');
  await kit.settle();
  let hasStopped = false;
  const stopped = system.stop(lingerer).then(() => {
    hasStopped = true;
  });
  await kit.settle();
  t.false(hasStopped);
  doors.tell('open', 'stop during restart');
  await stopped;
  t.deepEqual(said, ['made', 'restarted: begins to end', 'restarted: has ended']);
});

test('a restart during a restart waits for the onStop that is under way, and makes one state', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const { system } = kit;
  const doors = system.spawnHere(Doorkeeper);
  const household = system.spawnHere(Household);
  const first: string[] = [];
  const second: string[] = [];
  const one = await household.ask('hireLingerer', { said: first, door: 'one' });
  const other = await household.ask('hireLingerer', { said: second, door: 'other' });
  one.tell('fail');
  await kit.settle();
  await doors.ask('open', 'other');
  t.is(await other.ask('ping'), 'pong');
  other.tell('fail');
  await kit.settle();
  const begun = ['made', 'restarted: begins to end'];
  t.deepEqual(first, begun, 'nothing is made while the old one has not ended');
  await doors.ask('open', 'one');
  await doors.ask('open', 'other');
  t.is(await one.ask('ping'), 'pong');
  t.deepEqual(first, [...begun, 'restarted: has ended', 'made']);
});

test('an actor that is restarted before it has its first state gets one, and so does who spawns it', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const { system } = kit;
  const doors = system.spawnHere(Doorkeeper);
  const household = system.spawnHere(Household);
  const lingerer = await household.ask('hireLingerer', { said: [], door: 'sibling' });
  const said: string[] = [];
  const hired = household.ask('hireSleeper', { said, door: 'first state' });
  await kit.settle();
  lingerer.tell('fail');
  await kit.settle();
  await doors.ask('open', 'sibling');
  await doors.ask('open', 'first state');
  const sleeper = await hired;
  t.is(await sleeper.ask('ping'), 'pong');
  t.deepEqual(said, ['sleeps', 'sleeps', 'restarted: let go of'], 'made once more, and no more often');
});

test('a state that is made after its actor has stopped is let go of', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const { system } = kit;
  const doors = system.spawnHere(Doorkeeper);
  const said: string[] = [];
  await system.stop(system.spawnHere(Sleeper, { said, door: 'too late' }));
  t.deepEqual(said, ['sleeps'], 'nobody waits for it');
  await doors.ask('open', 'too late');
  await kit.settle();
  t.deepEqual(said, ['sleeps', 'stopped: let go of']);
  const known = kit.deadLetters.length;
  await system.register('the alarm', doors);
  await kit.settle();
  t.is(kit.deadLetters.length, known, 'what its onStop has begun has ended');
});

test('what an onStop has begun ends with the restart, or the stop, that it was called for', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const { system } = kit;
  const said: string[] = [];
  const reminded = system.spawnHere(Reminded, { said });
  reminded.tell('fail');
  await kit.advance(2000);
  t.deepEqual(said, []);
  await system.stop(reminded);
  await kit.settle();
  const known = kit.deadLetters.length;
  await system.register('the name', system.spawnHere(Reminded, { said }));
  await kit.advance(2000);
  t.is(kit.deadLetters.length, known, 'nobody reminds who has gone');
});

for (const directive of ['resume', 'restart'] as const) {
  test(`an actor that is told to ${directive}, the latter later, while its state ends does not go on before`, async (t) => {
    const kit = await createTestKit({ manualTime: true, throughCodec: false });
    t.teardown(() => kit.close());
    const doors = kit.system.spawnHere(Doorkeeper);
    const said: string[] = [];
    const lingerer = kit.system.spawnHere(Lingerer, { said, door: directive });
    lingerer.tell('fail');
    await kit.settle();
    (lingerer as unknown as Ref).cell?.obey(directive, 1000);
    let hasAnswered = false;
    const pong = lingerer.ask('ping').then(() => {
      hasAnswered = true;
    });
    await kit.settle();
    t.false(hasAnswered, 'there is no state');
    await doors.ask('open', directive);
    await kit.advance(directive === 'resume' ? 0 : 999);
    t.is(hasAnswered, directive === 'resume');
    await kit.advance(1);
    await pong;
    t.deepEqual(said, ['made', 'restarted: begins to end', 'restarted: has ended', 'made']);
  });
}

test('an actor that is told to go on without ever having had this state stops', async (t) => {
  const decide = (error: unknown) => ((error as Error).message.startsWith('there') ? 'resume' : 'restart');
  const kit = await createTestKit({ manualTime: true, throughCodec: false, supervision: { decide } });
  t.teardown(() => kit.close());
  const made = { made: 0 };
  const unique = kit.system.spawnHere(Unique, made);
  const watched = kit.system.watch(unique);
  unique.tell('fail');
  t.is((await watched).reason, 'failed');
  t.is(made.made, 2);
});

test('an actor spawns nothing in its onStop', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: false });
  t.teardown(() => kit.close());
  const { system } = kit;
  const said: string[] = [];
  const parent = system.spawnHere(LateParent, { said });
  parent.tell('fail');
  t.is(await parent.ask('children'), 0);
  await system.stop(parent);
  t.deepEqual(said, [
    ...Array(2).fill('restarted: ERR_HEDDLE_INVALID_STATE'),
    ...Array(2).fill('stopped: ERR_HEDDLE_INVALID_STATE'),
  ]);
  t.is(system.host.actorCount, 0);
});

for (const end of ['restart', 'stop'] as const) {
  test(`a child of another context that is there after the ${end} of its parent is stopped`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: 1 });
    const doors = await system.spawn(Doorkeeper, undefined, { on: 'worker-1' });
    const said: string[] = [];
    const parent = system.spawnHere(LateParent, { said });
    parent.tell('begin', { on: 'worker-1', door: end });
    await until(async () => (await doors.ask('waiting', end)) === 1);
    if (end === 'stop') await system.stop(parent);
    else {
      parent.tell('fail');
      t.is(await parent.ask('children'), 0);
      t.is(failures.length, 1);
    }
    said.length = 0;
    await doors.ask('open', end);
    await until(() => said.length > 0);
    t.deepEqual(said, ['ERR_HEDDLE_ACTOR_STOPPED']);
    await until(() => system.actorCounts['worker-1'] === 1);
    if (end === 'restart') t.is(await parent.ask('children'), 0);
  });
}
