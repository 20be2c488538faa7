import anyTest from 'ava';
import * as comlink from 'comlink';
import {
  type ActorSystem,
  defineObjectActor,
  finalizer,
  proxy,
  type RefOf,
  type RemoteError,
  releaseProxy,
  wrap,
} from '../../../../src/index.js';
import { objectMessages } from '../../../../src/runtime/actors/objects/object-messages.js';
import { holderOf } from '../../../../src/runtime/actors/objects/proxied-object.js';
import type { Ref } from '../../../../src/runtime/actors/ref.js';
import { collectGarbage } from '../../../support/garbage.js';
import type { Counter } from '../fixtures/counter.js';
import { Doorkeeper } from '../fixtures/doors.js';
import { Hasty, Library, LibraryActor, Patron, Quiet } from '../fixtures/objects.js';
import { testSystem, until } from '../support.js';

/** One after the other: so many systems at once would hold each other up, where cores are few and busy. */
const test = anyTest.serial;

/** Never called: what matters is that tsc compiles it, errors expected included. */
export async function typesHold(system: ActorSystem, ref: RefOf<typeof LibraryActor>, counter: RefOf<typeof Counter>) {
  // @ts-expect-error the arguments are missing
  await system.spawn(LibraryActor);
  // @ts-expect-error of another type
  await system.spawn(LibraryActor, { name: 5 });
  const library = wrap(ref);
  const count: number = await library.add('Dune');
  const isOpen: boolean = await library.open;
  // @ts-expect-error the title is a string
  await library.add(5);
  // @ts-expect-error there is no such method
  await library.burn();
  // @ts-expect-error its result is a promise
  const now: number = library.add('Dune');
  const card = await library.card('Ada');
  const text: string = await card.lend('Dune');
  // @ts-expect-error an actor that has no object
  wrap(counter);
  // @ts-expect-error its messages are not for sending by hand
  ref.tell('add', 'Dune');
  return [count, isOpen, now, text];
}

/** However busy the machine is. */
const askTimeoutMs = 60_000;

for (const on of ['here', 'worker-1']) {
  const setUp = async (t: Parameters<typeof testSystem>[0]) => {
    const { system, failures } = await testSystem(t, { contexts: on === 'here' ? 0 : 1, askTimeoutMs });
    const ref = await system.spawn(LibraryActor, { name: 'main street' }, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    return { system, failures, ref, doors, library: wrap(ref) };
  };

  test(`methods, properties and paths, ${on}`, async (t) => {
    const { library } = await setUp(t);
    t.is(await library.add('Dune'), 1);
    t.is(await library.name, 'main street');
    t.deepEqual(await library.books, ['Dune']);
    const { desk } = library as unknown as { desk: Library['desk'] };
    t.is(await desk.greet('Bob'), 'Ada greets Bob');
    (library as unknown as { open: boolean }).open = false;
    await until(async () => !(await library.open));
    t.is(await library.sum(comlink.transfer(new Float64Array([1, 2, 3.5]), [])), 6.5);
  });

  test(`what is in a transfer list is detached here, and whole there, ${on}`, async (t) => {
    const { library } = await setUp(t);
    const numbers = new Float64Array([4, 5]);
    t.is(await library.sum(comlink.transfer(numbers, [numbers.buffer])), 9);
    t.is(numbers.length, 0);
    // Inside of an object, and back.
    const own = new Float64Array([1, 2, 3]);
    const half = await library.double(comlink.transfer({ numbers: own }, [own.buffer]));
    t.deepEqual([...half], [4, 6]);
    t.is(own.length, 0);
    t.is(await library.left(), 0, 'detached there, too');
    const { one, two } = await library.pair();
    t.deepEqual([[...one], two.byteLength, two.getUint8(1)], [[1, 2, 3, 4], 2, 4]);
    t.is(await library.left(), 0);
    const bytes = Buffer.from(new Uint8Array([7, 8, 9]).buffer, 1);
    const loose = library as unknown as { sum(bytes: unknown): Promise<number> };
    t.is(await loose.sum(comlink.transfer(bytes, [bytes.buffer as ArrayBuffer])), 17);
    t.is(bytes.length, 0);
    // What cannot be sent, or be transferred, is not detached.
    const kept = new Float64Array([1]);
    const bad = { numbers: kept, callback: () => 1 };
    await t.throwsAsync(library.double(comlink.transfer(bad, [kept.buffer])), { code: 'ERR_HEDDLE_CODEC' });
    t.is(kept.length, 1);
    const pooled = Buffer.from('of a pool');
    await t.throwsAsync(loose.sum(comlink.transfer(pooled, [pooled.buffer as ArrayBuffer])), {
      code: 'ERR_HEDDLE_CODEC',
      message: /pool/,
    });
    t.is(pooled.toString(), 'of a pool');
    await t.throwsAsync(loose.sum(comlink.transfer(own, [own.buffer])), { code: 'ERR_HEDDLE_CODEC' });
    t.is(await library.add('Dune'), 1, 'and calls go on');
  });

  test(`a SharedBuffer moves with an argument and with a result, ${on}`, async (t) => {
    const { system, library } = await setUp(t);
    const buffer = system.node.context.allocate(100_000);
    buffer.bytes.fill(1);
    const weighed = await library.weigh({ buffer });
    t.is(weighed.sum, 100_000);
    t.is(buffer.isHeld, on === 'here', 'by reference within a context');
    t.is(weighed.buffer.bytes[99_999], 1);
    weighed.buffer.release();
    await until(() => system.node.context.memory.buffersHeld === 0);
  });

  test(`a proxy leads to what the object has, and no further, ${on}`, async (t) => {
    const { ref, library } = await setUp(t);
    // biome-ignore lint/suspicious/noExplicitAny: what the types forbid
    const open = library as any;
    const refused = { code: 'ERR_HEDDLE_INVALID_ARGUMENT', message: /does not lead to/ };
    const inherited = '__proto__';
    // A function made of text, which a proxy of it would call: whatever code the caller likes.
    await t.throwsAsync(async () => (await new open.constructor.constructor('return process.pid'))(), refused);
    await t.throwsAsync(async () => open.add.constructor('return 1'), refused);
    await t.throwsAsync(async () => open.desk[inherited], refused);
    await t.throwsAsync(async () => open.__lookupGetter__('name'), refused);
    const set = { message: { type: 'SET', path: [inherited, 'polluted'], value: { type: 'RAW', value: 1 } } };
    const { host } = ref as unknown as Ref;
    const ask = (request: object) =>
      (ref as unknown as Ref).ask(objectMessages.call, { ...request, holder: holderOf(host) });
    await t.throwsAsync(ask(set), refused);
    await t.throwsAsync(ask({ message: { type: 'GET', path: [['constructor']] } }), refused);
    await t.throwsAsync(ask({ message: { type: 'GET', path: 'name' } }), { code: 'ERR_HEDDLE_PROTOCOL' });
    await t.throwsAsync(ask({ message: { type: 'LIST', path: ['name'] } }), { code: 'ERR_HEDDLE_PROTOCOL' });
    t.is(await open.polluted, undefined);
    t.is(await library.name, 'main street');
  });

  test(`errors come across, and fail the actor only where it says so, ${on}`, async (t) => {
    const { library, failures } = await setUp(t);
    await library.add('Dune');
    const error = await t.throwsAsync(library.fail('no such book'));
    if (on === 'here') t.is((error as { code?: string }).code, 'ERR_LIBRARY');
    else
      t.like(error as RemoteError, { remoteName: 'RangeError', remoteCode: 'ERR_LIBRARY', code: 'ERR_HEDDLE_REMOTE' });
    t.regex(String(error?.message), /no such book/);
    t.deepEqual(await library.books, ['Dune']);
    t.is(failures.length, 0);
    await t.throwsAsync(library.fail('fatal'), { message: /fatal/ });
    t.deepEqual(await library.books, [], 'a new object, behind the same proxy');
    t.is(failures.length, 1);
    await t.throwsAsync((library as unknown as { burn(): Promise<void> }).burn(), { message: /apply|undefined/ });
  });

  test(`callbacks travel as proxies, and are let go of, ${on}`, async (t) => {
    const { system, library } = await setUp(t);
    await library.add('Dune');
    await library.add('Emma');
    const actors = system.host.actorCount;
    const read: string[] = [];
    const result = await library.each(proxy((title: string) => read.push(title)));
    t.deepEqual(read.sort(), ['Dune', 'Emma']);
    t.deepEqual([...result].sort(), [1, 2]);
    const finalized: string[] = [];
    const reader = Object.assign((title: string) => `read ${title}`, {
      [finalizer]: () => void finalized.push('reader'),
    });
    await library.subscribe(comlink.proxy(reader));
    t.deepEqual(await library.announce('Persuasion'), ['read Persuasion']);
    await t.throwsAsync(
      library.each(
        proxy(() => {
          throw new RangeError('cannot read');
        }),
      ),
      { message: /cannot read/ },
    );
    library[releaseProxy]();
    await t.throwsAsync(async () => library.add('x'), { message: /released/ });
    t.deepEqual(finalized, [], 'the library has the reader still');
    t.true(system.host.actorCount > actors);
  });

  test(`objects that are returned as proxies live at the other side, until released, ${on}`, async (t) => {
    const { library, system } = await setUp(t);
    const card = await library.card('Ada');
    t.is(await card.lend('Dune'), 'Ada has 1: Dune');
    t.is(await card.lend('Emma'), 'Ada has 2: Dune, Emma');
    t.false((await library.finalized()).includes('Ada'));
    card[releaseProxy]();
    await until(async () => (await library.finalized()).includes('Ada'));
    t.true(system.actorCounts[on === 'here' ? 'main' : 'worker-1']! >= 1);
  });

  test(`a stop rejects the calls under way, finalizes, and leaves nothing, ${on}`, async (t) => {
    const { system, ref, doors, library } = await setUp(t);
    let finalized = 0;
    await library.subscribe(
      Object.assign(
        proxy(() => 1),
        { [finalizer]: () => void finalized++ },
      ),
    );
    const never = library.never();
    const later = library.addLater(`door ${on}`, 'Dune');
    await until(async () => (await doors.ask('waiting', `door ${on}`)) === 1);
    const stopped = system.stop(ref);
    await t.throwsAsync(never, { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await t.throwsAsync(later, { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await stopped;
    await t.throwsAsync(library.add('x'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await until(() => finalized === 1, 'the callback to be let go of');
    await system.stop(doors);
    // What stands for all proxies of a context stays: one actor in each.
    await until(() => system.host.actorCount === 1, 'nothing to be left');
  });

  test(`a restart in mid-call rejects it, ${on}`, async (t) => {
    const { library, doors } = await setUp(t);
    const later = library.addLater(`restart ${on}`, 'Dune');
    await until(async () => (await doors.ask('waiting', `restart ${on}`)) === 1);
    const fails = library.fail('fatal');
    await t.throwsAsync(later, { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await t.throwsAsync(fails, { message: /fatal/ });
    t.is(await library.add('Emma'), 1);
  });

  test(`calls have a deadline, a release cancels them, ${on}`, async (t) => {
    const { ref, library } = await setUp(t);
    const hasty = wrap(ref, { timeoutMs: 20 });
    await t.throwsAsync(hasty.never(), { code: 'ERR_HEDDLE_TIMEOUT' });
    const never = library.never();
    library[releaseProxy]();
    await t.throwsAsync(never, { code: 'ERR_HEDDLE_CANCELLED' });
    t.is(await wrap(ref).add('Dune'), 1, 'other proxies of the same object go on');
  });

  test(`an object waits for a callback as long as its definition says, ${on}`, async (t) => {
    const { system } = await setUp(t);
    const hasty = wrap(await system.spawn(Hasty, 'hasty', { on }));
    await hasty.add('Dune');
    await t.throwsAsync(hasty.each(proxy(() => new Promise(() => {}))), { code: 'ERR_HEDDLE_TIMEOUT' });
    t.deepEqual(await hasty.each(proxy((title: string) => `read ${title}`)), ['read Dune']);
  });

  test(`one call at a time, unless it is reentrant, ${on}`, async (t) => {
    const { system, doors } = await setUp(t);
    const quiet = wrap(await system.spawn(Quiet, 'quiet', { on }));
    const first = quiet.addLater(`quiet ${on}`, 'first');
    const second = quiet.add('second');
    await until(async () => (await doors.ask('waiting', `quiet ${on}`)) === 1);
    await doors.ask('open', `quiet ${on}`);
    t.deepEqual([await first, await second], [1, 2]);
  });

  test(`ports cannot travel, ${on}`, async (t) => {
    const { library } = await setUp(t);
    await t.throwsAsync(library[comlink.createEndpoint](), { code: 'ERR_HEDDLE_CODEC' });
    const { port1, port2 } = new MessageChannel();
    const closed = new Promise((resolve) => port2.addEventListener('close', resolve));
    const loose = library as unknown as { add(port: unknown): Promise<unknown> };
    await t.throwsAsync(loose.add(comlink.transfer(port1, [port1 as never])), { code: 'ERR_HEDDLE_CODEC' });
    await closed;
  });
}

test('what cannot be sent is an error of the call', async (t) => {
  const { system } = await testSystem(t, { contexts: 1, askTimeoutMs });
  const library = wrap(await system.spawn(LibraryActor, { name: 'far' }, { on: 'worker-1' }));
  await t.throwsAsync(library.unsendable(), { code: 'ERR_HEDDLE_CODEC' });
  const loose = library as unknown as { add(what: unknown): Promise<unknown> };
  await t.throwsAsync(
    loose.add(() => 1),
    { code: 'ERR_HEDDLE_CODEC' },
  );
  t.is(await library.add('Dune'), 1);
});

test('actors use proxies, too: these end with their state', async (t) => {
  const { system } = await testSystem(t, { contexts: 2, askTimeoutMs });
  const ref = await system.spawn(LibraryActor, { name: 'far' }, { on: 'worker-1' });
  const patron = await system.spawn(Patron, { library: ref }, { on: 'worker-2' });
  t.is(await patron.ask('add', 'Dune'), 1);
  await patron.ask('listen');
  const library = wrap(ref);
  t.deepEqual(await library.announce('Emma'), [1]);
  t.deepEqual(await patron.ask('heard'), ['Emma']);
  await t.throwsAsync(patron.ask('fail'));
  await until(async () => (await patron.ask('heard')).length === 0, 'its restart');
  await t.throwsAsync(library.announce('Persuasion'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  t.is(await patron.ask('add', 'Emma'), 2, 'with its new state it has a new proxy');
});

test('a context that is lost rejects calls; callbacks that it had are let go of', async (t) => {
  const { system } = await testSystem(t, { contexts: 1, restartContexts: false, askTimeoutMs });
  const library = wrap(await system.spawn(LibraryActor, { name: 'far' }, { on: 'worker-1' }));
  let finalized = 0;
  await library.subscribe(
    Object.assign(
      proxy(() => 1),
      { [finalizer]: () => void finalized++ },
    ),
  );
  const never = library.never();
  library.exit().catch(() => {});
  await t.throwsAsync(never, { code: 'ERR_HEDDLE_CONTEXT_LOST' });
  await until(() => finalized === 1);
  await until(() => system.host.actorCount === 1);
  await t.throwsAsync(library.add('x'), { code: 'ERR_HEDDLE_CONTEXT_LOST' });
});

test('the garbage collector lets go of proxies', async (t) => {
  const { system } = await testSystem(t, { contexts: 1, askTimeoutMs });
  const ref = await system.spawn(LibraryActor, { name: 'collected' }, { on: 'worker-1' });
  const library = wrap(ref);
  await (async () => {
    const card = await library.card('Gus');
    await card.lend('Dune');
  })();
  await until(async () => {
    collectGarbage();
    return (await library.finalized()).includes('Gus');
  });
  t.pass();
});

test('comlink goes on working over ports of its own', async (t) => {
  const { port1, port2 } = new MessageChannel();
  comlink.expose(new Library('by port'), port1);
  const library = comlink.wrap<Library>(port2);
  await library.add('Dune');
  let isFinalized = false;
  const callback = Object.assign((title: string) => `read ${title}`, {
    [finalizer]: () => {
      isFinalized = true;
    },
  });
  t.deepEqual(await library.each(comlink.proxy(callback)), ['read Dune']);
  const error = await t.throwsAsync(library.fail('as ever'));
  t.is(error?.message, 'as ever');
  library[releaseProxy]();
  port1.close();
  // The callback has ports of its own, which keep the process until the other side's proxy of it is collected.
  await until(() => {
    collectGarbage();
    return isFinalized;
  });
});

test('what makes no object, and misspelt options, are refused', (t) => {
  // @ts-expect-error no function that makes the object
  t.throws(() => defineObjectActor(import.meta.url, { name: 'none' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  // @ts-expect-error no such option
  const misspelt = () => defineObjectActor(import.meta.url, { name: 'none', create: () => ({}), timeoutMs: 5 });
  t.throws(misspelt, { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});

test('wrap takes refs only, and deadlines in range', async (t) => {
  const { system } = await testSystem(t);
  // @ts-expect-error no ref
  t.throws(() => wrap({}), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  const ref = await system.spawn(LibraryActor, { name: 'here' });
  t.throws(() => wrap(ref, { timeoutMs: 0 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.is(await wrap(ref, { timeoutMs: Infinity }).add('Dune'), 1);
});
