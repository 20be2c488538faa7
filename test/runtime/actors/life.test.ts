import { setImmediate } from 'node:timers/promises';
import anyTest from 'ava';
import { createProducer, type HeddleError, type RefOf } from '../../../src/index.js';
import { createTestKit } from '../../../src/testkit.js';
import { Doorkeeper } from './fixtures/doors.js';
import { Box, Breeder, Grandmother, Hoarder, Hopeless, Sender, Slow } from './fixtures/life.js';
import { testSystem, until } from './support.js';

const test = anyTest.serial;

/** What the box has got, once that is so much: while it is full it refuses the question. */
async function gotBy(box: RefOf<typeof Box>, count: number): Promise<unknown[]> {
  let got: unknown[] = [];
  await until(async () => {
    got = await box.ask('got').catch(() => []);
    return got.length === count;
  });
  return got;
}

test('an actor of another context that fails as soon as it is made is decided about', async (t) => {
  const { system, failures } = await testSystem(t, { contexts: 1 });
  const refs = await Promise.all(
    Array.from({ length: 20 }, () => system.spawn(Hopeless, undefined, { on: 'worker-1' })),
  );
  const ends = await Promise.all(refs.map((ref) => system.watch(ref)));
  t.true(ends.every(({ reason }) => reason === 'failed' || reason === 'unknown'));
  t.is(new Set(failures.map(({ ref }) => String(ref))).size, refs.length);
  t.deepEqual(system.actorCounts, { main: 0, 'worker-1': 0 });
});

test("a child of another context that is over as soon as it is made is nobody's child", async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const breeder = await system.spawn(Breeder);
  for (let i = 0; i < 10; i++) await breeder.ask('breed', 'worker-1');
  t.is(await breeder.ask('children'), 0);
  await system.stop(breeder);
});

test('a restart that another one overtakes ends nothing of what comes after', async (t) => {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const { system } = kit;
  const doors = system.spawnHere(Doorkeeper);
  const { mother, kid } = await system.spawnHere(Grandmother).ask('all');
  const grandchild = await mother.ask('kid');
  grandchild.tell('wait', 'overtaken');
  await until(async () => (await doors.ask('waiting', 'overtaken')) === 1);
  mother.tell('fail');
  await kit.advance(0);
  kid.tell('fail');
  await kit.advance(0);
  doors.tell('open', 'overtaken');
  await until(async () => (await mother.ask('children')) === 1);
  t.deepEqual(await mother.ask('ended'), ['restarted kid'], 'once, for the one state that there was');
  // Far beyond what a stop of children may take.
  await kit.advance(60_000);
  t.is(await mother.ask('children'), 1);
  t.truthy(await mother.ask('kid'));
  t.deepEqual(await mother.ask('ended'), []);
});

for (const on of ['here', 'worker-1']) {
  test(`a scheduled send that throws fails who scheduled it, and nothing else, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: 1 });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    const box = await system.spawn(Box, undefined, { on });
    const sender = await system.spawn(Sender, undefined, { on });
    box.tell('wait', `box ${on}`);
    await until(async () => (await doors.ask('waiting', `box ${on}`)) === 1);
    for (let value = 0; value < 3; value++) await sender.ask('later', { to: box, value });
    await until(() => failures.length === 1);
    t.regex((failures[0]!.error as Error).message, /is full/);
    await doors.ask('open', `box ${on}`);
    t.deepEqual(await gotBy(box, 2), [0, 1]);
    const elsewhere = await system.spawn(Box, undefined, { on: on === 'here' ? 'worker-1' : 'here' });
    sender.tell('badly', elsewhere);
    await until(() => failures.length === 2);
    t.regex((failures[1]!.error as Error).message, /a function is found/);
    t.is(await sender.ask('ping'), 'pong');
    t.is(await doors.ask('waiting', 'any'), 0, 'its neighbours are there still');
  });
}

test('a handler that outlives its actor begins no timers', async (t) => {
  const { system } = await testSystem(t);
  const doors = system.spawnHere(Doorkeeper);
  const box = system.spawnHere(Box);
  const sender = system.spawnHere(Sender);
  sender.tell('tooLate', { to: box, door: 'late' });
  await until(async () => (await doors.ask('waiting', 'late')) === 1);
  await system.stop(sender);
  await doors.ask('open', 'late');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.deepEqual(await box.ask('got'), []);
});

test('what overflows its own mailbox and sets the message at hand aside keeps that one', async (t) => {
  const { system } = await testSystem(t);
  const hoarder = system.spawnHere(Hoarder);
  const kept = hoarder.ask('keep', 7);
  // What it sends itself would drop what waits there.
  await setImmediate();
  t.deepEqual(await hoarder.ask('open'), [3, 4]);
  t.is(await kept, 'kept 7');
});

test('a pool of another context grows by what is asked', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const pool = await system.createPool(Slow, undefined, {
    on: 'worker-1',
    minimum: 1,
    maximum: 3,
    growAbove: 2,
    resizeEveryMs: 10,
  });
  const doors = await system.spawn(Doorkeeper, undefined, { on: 'worker-1' });
  const asks = Array.from({ length: 12 }, () => pool.ask('wait', 'pool'));
  await until(() => pool.size === 3);
  // Those of a member come one after another.
  let answered = 0;
  const all = Promise.all(asks.map((ask) => ask.then(() => answered++)));
  await until(async () => {
    await doors.ask('open', 'pool');
    return answered === asks.length;
  });
  await all;
  t.is(answered, 12);
  await pool.close();
});

test('a group is told as a whole, also where one of it refuses', async (t) => {
  const { system } = await testSystem(t);
  const doors = system.spawnHere(Doorkeeper);
  const boxes = [system.spawnHere(Box), system.spawnHere(Box)];
  const group = system.group<{ put(value: number): void }>('boxes');
  for (const box of boxes) await group.join(box);
  boxes[0]!.tell('wait', 'group');
  await until(async () => (await doors.ask('waiting', 'group')) === 1);
  const welcomes: boolean[] = [];
  for (const value of [1, 2, 3]) {
    welcomes.push(group.publish('put', value));
    t.is((await boxes[1]!.ask('got')).length, value);
  }
  t.deepEqual(welcomes, [true, true, false]);
  await doors.ask('open', 'group');
  t.deepEqual(await gotBy(boxes[0]!, 2), [1, 2]);
});

test('a listener of a name that throws is reported; the name is given, and taken back', async (t) => {
  const { system } = await testSystem(t);
  const reports: HeddleError[] = [];
  system.node.context.on('report', (error) => reports.push(error));
  let calls = 0;
  system.subscribe('box', () => {
    if (++calls > 1) throw new Error('cannot listen');
  });
  const box = system.spawnHere(Box);
  await system.register('box', box);
  t.true(system.lookup('box')?.equals(box));
  await system.stop(box);
  await until(() => system.lookup('box') === undefined);
  t.is(calls, 3);
  t.true(reports.every(({ message }) => message.includes('cannot listen')));
  t.is(reports.length, 2);
});

test('a producer without a target is refused', (t) => {
  for (const target of [null, 5, {}]) {
    t.throws(() => createProducer(target as never), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
});
