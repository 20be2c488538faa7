import test, { type ExecutionContext } from 'ava';
import type { ActorSystem, SharedBuffer } from '../../../src/index.js';
import { clusterSystem } from '../cluster/support.js';
import { Bufferer } from './fixtures/buffers.js';
import { Doorkeeper } from './fixtures/doors.js';
import { testSystem, until } from './support.js';

/** Large enough for a slab of its own, so that what is not given back is seen. */
const lengthBytes = 100_000;

function filled(system: ActorSystem, value = 1): SharedBuffer {
  const buffer = system.node.context.allocate(lengthBytes);
  buffer.bytes.fill(value);
  return buffer;
}

/** Nothing of this thread's memory is in use any more: all of it can be given out again without a new slab. */
async function isAllFree(t: ExecutionContext, system: ActorSystem): Promise<void> {
  const { context } = system.node;
  await until(() => context.memory.buffersHeld === 0, 'all buffers here are released');
  // What another thread has freed is noticed when it is wanted.
  for (let tries = 0; tries < 50; tries++) {
    const { slabs, slotsInUse, slotsFree } = context.memory;
    const all = Array.from({ length: slotsInUse + slotsFree }, () => context.allocate(lengthBytes));
    const isFree = context.memory.slabs === slabs;
    for (const buffer of all) buffer.release();
    if (isFree) {
      t.pass();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.fail('memory is in use that nobody holds');
}

for (const on of ['here', 'worker-1']) {
  test(`a SharedBuffer moves with a message and with a reply, and is released at the end, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    system.node.context.on('leak', (leak) => t.fail(JSON.stringify(leak)));
    const actor = await system.spawn(Bufferer, undefined, { on });
    const sent = filled(system);
    t.true(actor.tell('add', sent));
    t.is(await actor.ask('sum'), 100);
    await until(() => !sent.isHeld);
    t.throws(() => sent.bytes, { code: on === 'here' ? 'ERR_HEDDLE_BUFFER_RELEASED' : 'ERR_HEDDLE_BUFFER_MOVED' });
    await actor.ask('addLater', filled(system));
    t.is(await actor.ask('sum'), 101);

    for (const name of ['echo', 'echoLater'] as const) {
      using reply = await actor.ask(name, filled(system, 7));
      t.is(reply.length, lengthBytes);
      t.is(reply.bytes[0], name === 'echo' ? 8 : 7);
      t.is(reply.bytes[lengthBytes - 1], 7);
    }
    using half = await actor.ask('half', filled(system, 9));
    t.is(half.length, lengthBytes / 2);
    t.is(half.bytes[9], 9);
    half.release();
    // What is to outlive the handler is cloned.
    await actor.ask('keep', filled(system, 3));
    t.is(await actor.ask('letGo'), 3);
    await isAllFree(t, system);
  });

  test(`buffers that nobody handles are released, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    system.node.context.on('leak', (leak) => t.fail(JSON.stringify(leak)));
    const actor = await system.spawn(Bufferer, undefined, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    await t.throwsAsync(actor.ask('fail', filled(system)));
    // biome-ignore lint/suspicious/noExplicitAny: what the compiler would not let pass
    await t.throwsAsync((actor as any).ask('fly', filled(system)), { code: 'ERR_HEDDLE_UNKNOWN_MESSAGE' });
    const blocked = actor.ask('block', 'door', { timeoutMs: 60_000 });
    await until(async () => (await doors.ask('waiting', 'door')) === 1);
    const given = new AbortController();
    const cancelled = actor.ask('add', filled(system), { signal: given.signal });
    given.abort();
    await t.throwsAsync(cancelled, { code: 'ERR_HEDDLE_CANCELLED' });
    await t.throwsAsync(actor.ask('echo', filled(system), { timeoutMs: 1 }), { code: 'ERR_HEDDLE_TIMEOUT' });
    for (let i = 0; i < 10; i++) actor.tell('add', filled(system));
    await t.throwsAsync(actor.ask('add', filled(system)), { code: 'ERR_HEDDLE_MAILBOX_FULL' });
    doors.tell('open', 'door');
    await blocked;
    // It may have so much waiting that it takes no ask yet.
    await until(
      () =>
        actor.ask('sum').then(
          (sum) => sum <= 400,
          () => false,
        ),
      'at most four were taken',
    );

    const again = actor.ask('block', 'second', { timeoutMs: 3000 }).catch(() => {});
    await until(async () => (await doors.ask('waiting', 'second')) === 1);
    for (let i = 0; i < 3; i++) actor.tell('add', filled(system));
    await system.stop(actor);
    await again;
    actor.tell('add', filled(system));
    await t.throwsAsync(actor.ask('add', filled(system)), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await isAllFree(t, system);
  });
}

for (const on of ['here', 'worker-1']) {
  test(`buffers inside of payloads and replies move, several at once, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    system.node.context.on('leak', (leak) => t.fail(JSON.stringify(leak)));
    const actor = await system.spawn(Bufferer, undefined, { on });
    const parts = new Map(['a', 'b', 'c'].map((name, i) => [name, { bytes: filled(system, i + 1) }]));
    const gone = filled(system, 9);
    parts.set('d', { bytes: gone });
    t.is(
      await actor.ask('join', { title: 'all', parts }),
      `all a:${lengthBytes}:1 b:${lengthBytes}:2 c:${lengthBytes}:3 d:${lengthBytes}:9`,
    );
    t.throws(() => gone.bytes, { code: on === 'here' ? 'ERR_HEDDLE_BUFFER_RELEASED' : 'ERR_HEDDLE_BUFFER_MOVED' });
    if (on !== 'here') {
      // A sender's own mistake is told to the sender, and takes nothing else along.
      const fine = filled(system);
      const both = { one: fine, two: gone };
      t.throws(() => actor.tell('keepInside', both), { code: 'ERR_HEDDLE_BUFFER_MOVED' });
      t.throws(() => actor.tell('add', gone), { code: 'ERR_HEDDLE_BUFFER_MOVED' });
      fine.release();
    }
    const { whole, parts: pieces } = await actor.ask('split', { whole: filled(system, 5) });
    t.is(pieces[1].again, whole, 'the same one, wherever it occurs');
    t.deepEqual([whole.length, pieces[0].length, pieces[0].bytes[9]], [lengthBytes, 10, 5]);
    whole.release();
    pieces[0].release();
    // Between other messages, in their order.
    for (let i = 0; i < 3; i++) {
      actor.tell('add', filled(system, 1));
      await actor.ask('keepInside', { one: filled(system, i) });
      t.is(await actor.ask('sum'), 100 * (i + 1));
    }
    t.is(await actor.ask('letGo'), 0);
    await t.throwsAsync(actor.ask('failInside', { one: filled(system) }), { message: /no buffers today/ });
    await isAllFree(t, system);
  });

  test(`buffers inside of payloads that nobody handles are released, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    system.node.context.on('leak', (leak) => t.fail(JSON.stringify(leak)));
    const actor = await system.spawn(Bufferer, undefined, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    // biome-ignore lint/suspicious/noExplicitAny: what the compiler would not let pass
    const loose = actor as any;
    await t.throwsAsync(loose.ask('fly', { deep: [filled(system)] }), { code: 'ERR_HEDDLE_UNKNOWN_MESSAGE' });
    loose.tell('fly', { deep: new Set([filled(system)]) });
    if (on !== 'here') {
      await t.throwsAsync(actor.ask('unsendable', { one: filled(system) }), { code: 'ERR_HEDDLE_CODEC' });
      // What cannot be sent for another reason is the caller's still.
      const mine = filled(system);
      t.throws(() => loose.tell('keepInside', { one: mine, two: () => 1 }), { code: 'ERR_HEDDLE_CODEC' });
      t.true(mine.isHeld);
      // Arguments are kept for restarts.
      // biome-ignore lint/suspicious/noExplicitAny: what the compiler would not let pass
      const spawned = system.spawn(Bufferer, ...([{ mine }, { on }] as any));
      await t.throwsAsync(spawned, { code: 'ERR_HEDDLE_CODEC' });
      t.true(mine.isHeld);
      mine.release();
      const many = Array.from({ length: 65 }, () => filled(system));
      t.throws(() => loose.tell('keepInside', { many }), { code: 'ERR_HEDDLE_CODEC', message: /65 SharedBuffers/ });
      for (const one of many) one.release();
    }
    const blocked = actor.ask('block', 'inside', { timeoutMs: 60_000 });
    await until(async () => (await doors.ask('waiting', 'inside')) === 1);
    const given = new AbortController();
    const cancelled = actor.ask('split', { whole: filled(system) }, { signal: given.signal });
    given.abort();
    await t.throwsAsync(cancelled, { code: 'ERR_HEDDLE_CANCELLED' });
    for (let i = 0; i < 10; i++) actor.tell('keepInside', { one: filled(system) });
    await t.throwsAsync(actor.ask('split', { whole: filled(system) }), { code: 'ERR_HEDDLE_MAILBOX_FULL' });
    const stopped = system.stop(actor);
    doors.tell('open', 'inside');
    await stopped;
    await blocked.catch(() => {});
    actor.tell('keepInside', { one: filled(system) });
    await t.throwsAsync(actor.ask('split', { whole: filled(system) }), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await isAllFree(t, system);
  });
}

test('a context that is lost with buffers on their way and in mailboxes keeps none of them', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const actor = await system.spawn(Bufferer);
  for (let round = 0; round < 2; round++) {
    const replaced = new Promise((resolve) => system.once('contextReplaced', resolve));
    const asks = Array.from({ length: 4 }, () => actor.ask('echoLater', filled(system)).catch(() => undefined));
    for (let i = 0; i < 20; i++) actor.tell('addLater', filled(system));
    const ended = system.contextHandle('worker-1')?.terminate();
    for (let i = 0; i < 20; i++) actor.tell('addLater', filled(system));
    for (const reply of await Promise.all(asks)) reply?.release();
    await ended;
    await replaced;
  }
  t.is(typeof (await actor.ask('sum')), 'number');
  await isAllFree(t, system);
});

test('between nodes the bytes travel, small ones and large ones', async (t) => {
  // What may have to be sent again is kept until the other side has acknowledged it.
  const peerOptions = { reconnectTimeoutMs: 0 };
  const server = await clusterSystem(t, { listen: 'tcp://127.0.0.1:0', peerOptions });
  const client = await clusterSystem(t, { peerOptions });
  const peer = await client.connect(server.cluster.uri as string);
  await server.spawn(Bufferer, undefined, { name: 'bufferer' });
  const actor = (await peer.lookup('bufferer', Bufferer))!;
  for (const length of [10, 100, lengthBytes]) {
    const buffer = client.node.context.allocate(length);
    buffer.bytes.fill(4);
    using reply = await actor.ask('echo', buffer);
    t.is(reply.length, length);
    t.is(reply.bytes[0], 5);
    t.is(reply.bytes[length - 1], 4);
  }
  const small = client.node.context.allocate(5);
  const parts = new Map([
    ['s', { bytes: small }],
    ['l', { bytes: filled(client, 6) }],
  ]);
  small.bytes.fill(2);
  t.is(await actor.ask('join', { title: 'far', parts }), `far s:5:2 l:${lengthBytes}:6`);
  const { whole, parts: pieces } = await actor.ask('split', { whole: filled(client, 7) });
  t.is(whole.bytes[lengthBytes - 1], 7);
  whole.release();
  pieces[0].release();
  for (const { node } of [client, server]) await until(() => node.context.memory.slotsInUse === 0, 'all is released');
});
