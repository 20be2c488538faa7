import test, { type ExecutionContext } from 'ava';
import { type ActorSystem, createSystem, defineActor } from '../../../src/index.js';
import { createTestKit } from '../../../src/testkit.js';
import {
  AllForOne,
  Listener,
  type ListenerMessages,
  OneForOne,
  Patient,
  RestForOne,
  Watcher,
  Worker,
} from './fixtures/family.js';
import { testSystem, until } from './support.js';

async function hire(t: ExecutionContext, definition: typeof OneForOne, on: string, names = ['a', 'b', 'c']) {
  const { system, failures } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
  const listener = system.spawnHere(Listener);
  const boss = system.spawnHere(definition, { listener, on });
  const workers = [];
  for (const name of names) workers.push(await boss.ask('hire', name));
  const heard = async (count: number) => {
    await until(async () => (await listener.ask('heard')).length >= count, `${count} to be heard`);
    return (await listener.ask('heard')).slice(names.length);
  };
  return { system, failures, boss, workers, heard };
}

for (const on of ['here', 'worker-1']) {
  test(`one for one: restart, resume, stop, ${on}`, async (t) => {
    const { system, failures, boss, workers, heard } = await hire(t, OneForOne, on, ['a', 'b']);
    const [a, b] = [workers[0]!, workers[1]!];
    a.tell('add');
    b.tell('add');
    a.tell('fail', 'please restart');
    a.tell('add');
    t.is(await a.ask('count'), 1, 'what waited is kept, the state is new');
    t.is(await b.ask('count'), 1);
    t.deepEqual(await heard(4), ['a restarted', 'a starts']);
    t.is(failures.length, 1);

    a.tell('failLater', 'please resume');
    t.is(await a.ask('count'), 1, 'a resumed actor has its state');
    a.tell('fail', 'please stop');
    t.is((await system.watch(a)).reason === 'stopped', false);
    t.is((await heard(5)).at(-1), 'a failed');
    await until(async () => (await boss.ask('workers')).length === 1);
    t.is(await b.ask('count'), 1);
  });

  test(`rest for one, ${on}`, async (t) => {
    const { workers, heard } = await hire(t, RestForOne, on);
    workers[1]!.tell('fail', 'restart');
    t.deepEqual((await heard(7)).sort(), ['b restarted', 'b starts', 'c restarted', 'c starts']);
  });

  test(`all for one, ${on}`, async (t) => {
    const { workers, heard } = await hire(t, AllForOne, on);
    workers[2]!.tell('fail', 'restart');
    const expected = ['a restarted', 'a starts', 'b restarted', 'b starts', 'c restarted', 'c starts'];
    t.deepEqual((await heard(9)).sort(), expected);
  });

  test(`past its restarts a child is given up, ${on}`, async (t) => {
    const { system, failures, workers } = await hire(t, OneForOne, on, ['a']);
    const gone = system.watch(workers[0]!);
    for (let i = 0; i < 3; i++) workers[0]!.tell('fail', 'restart');
    t.is((await gone).reason, 'failed');
    await until(() => failures.length === 3);
    t.deepEqual(
      failures.map(({ action }) => action),
      ['restart', 'restart', 'stop'],
    );
  });

  test(`escalation: the supervisor fails, and its children go with it, ${on}`, async (t) => {
    const { boss, workers, heard, failures } = await hire(t, OneForOne, on, ['a', 'b']);
    workers[0]!.tell('fail', 'escalate');
    const said = await heard(5);
    t.deepEqual([...said].sort(), ['a failed', 'b stopped', 'one-for-one restarted']);
    t.is(said.at(-1), 'one-for-one restarted', 'children first');
    t.deepEqual(await boss.ask('workers'), []);
    t.deepEqual(
      failures.map(({ action }) => action),
      ['escalate', 'restart'],
    );
  });
}

test('backoff: messages wait for the restart', async (t) => {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const listener = kit.probe<ListenerMessages>('listener');
  const boss = kit.system.spawnHere(Patient, { listener: listener.ref });
  const worker = await boss.ask('hire', 'a');
  await listener.expectMessage('hear', 'a starts');
  worker.tell('fail', 'restart');
  worker.tell('add');
  await listener.expectNothing(19);
  await kit.advance(1);
  await listener.expectMessage('hear', 'a restarted');
  await listener.expectMessage('hear', 'a starts');
  t.is(await worker.ask('count'), 1);
});

test('a stop takes the children along, youngest first, and waits for them', async (t) => {
  const { system, boss, heard } = await hire(t, OneForOne, 'here');
  await system.stop(boss);
  t.deepEqual(await heard(7), ['c stopped', 'b stopped', 'a stopped', 'one-for-one stopped']);
  t.is(system.host.actorCount, 1);
});

for (const [watcherOn, watchedOn] of [
  ['here', 'here'],
  ['here', 'worker-1'],
  ['worker-1', 'here'],
  ['worker-1', 'worker-2'],
] as const) {
  test(`death watch: ${watcherOn} watches ${watchedOn}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 2 });
    const listener = system.spawnHere(Listener);
    const watcher = await system.spawn(Watcher, undefined, { on: watcherOn });
    const spawn = (name: string) => system.spawn(Worker, { name, listener }, { on: watchedOn });
    const [stopped, restarted, ignored] = [await spawn('a'), await spawn('b'), await spawn('c')];
    for (const who of [stopped, stopped, restarted, ignored]) await watcher.ask('watch', who);
    await watcher.ask('unwatch', ignored);
    // Or the stop from here could be there before the watch from elsewhere.
    await watcher.ask('reach', stopped);
    restarted.tell('fail', 'restart');
    await restarted.ask('count');
    await Promise.all([system.stop(ignored), system.stop(stopped)]);
    await until(async () => (await watcher.ask('seen')).length > 0);
    t.deepEqual(await watcher.ask('seen'), ['worker stopped']);
    await watcher.ask('watch', stopped);
    await until(async () => (await watcher.ask('seen')).length > 1);
    t.deepEqual(await watcher.ask('seen'), ['worker stopped', 'worker unknown'], 'one that had gone before');
  });
}

test('a failure that nobody listens for becomes a warning', async (t) => {
  const system: ActorSystem = await createSystem();
  t.teardown(() => system.close());
  const warning = new Promise<Error>((resolve) => process.once('warning', resolve));
  const worker = system.spawnHere(Worker, { name: 'a', listener: system.spawnHere(Listener) });
  worker.tell('fail', 'oh dear');
  t.regex((await warning).message, /worker@main.* failed \(restart\): Error: oh dear/);
});

test('options are checked where they are given', (t) => {
  const base = { state: () => ({}), handlers: {} };
  const supervised = (supervision: object) => () =>
    defineActor(import.meta.url, { ...base, name: 'checked', supervision });
  t.throws(supervised({ strategy: 'none-for-one' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(supervised({ maximumRestarts: -1 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => defineActor('here', { ...base, name: 'checked' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => defineActor(import.meta.url, { ...base, name: 'c', mailbox: { capacity: 0 } }), {
    code: 'ERR_HEDDLE_INVALID_ARGUMENT',
  });
  for (const urgent of [['misspelt'], 'get']) {
    const specification = {
      ...base,
      handlers: { get: () => 0 },
      name: 'urgent',
      mailbox: { urgent: urgent as string[] },
    };
    t.throws(() => defineActor(import.meta.url, specification), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
  defineActor(import.meta.url, { ...base, name: 'twice' });
  t.throws(() => defineActor(import.meta.url, { ...base, name: 'twice' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});
