import test from 'ava';
import { HeddleError } from '../../../src/errors.js';
import { createRingPair } from '../../../src/transports/shm/ring-pair.js';
import type { ShmLink } from '../../../src/transports/shm/shm-link.js';
import { connectedPair, many, options, place, send, TestDirectory, until } from './harness.js';

test('connecting gives one link per pair of contexts, reported to the side that did not ask', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  t.deepEqual(a.host.links, []);
  t.deepEqual(b.host.links, [back]);
  t.is(back.portalUri, undefined);
  t.true(link.sharesMemory);
  t.is(link.maximumRecordBytes, 512);
  await b.transport.listen('shm://b/second', options);
  await a.transport.listen('shm://a', options);
  t.is(await a.transport.connect('shm://b/second', options), link);
  t.is(await b.transport.connect('shm://a', options), back);
  t.is(directory.pairsMade, 1);
  send(link, 'there');
  send(back, 'back');
  t.is(b.transport.poll(many), 1);
  t.is(a.transport.poll(many), 1);
  t.deepEqual([b.host.received, a.host.received], [[{ link: back, text: 'there' }], [{ link, text: 'back' }]]);
  t.is(a.host.clock.timers.length, 0, 'the timer of the connect is gone');
  await directory.close();
});

test('listening: an address in use, one unbound, one that is no URI', async (t) => {
  const directory = new TestDirectory();
  const a = directory.context(1);
  const portal = await a.transport.listen('shm://a', options);
  t.is(portal.uri, 'shm://a');
  await t.throwsAsync(a.transport.listen('shm://a', options), { code: 'ERR_HEDDLE_ADDRESS_IN_USE' } as never);
  await Promise.all([portal.close(), portal.close()]);
  await t.throwsAsync(a.transport.connect('shm://a', options), { code: 'ERR_HEDDLE_REFUSED' } as never);
  for (const uri of ['shm://', 'tcp://a', 'shm://a b', `shm://${'x'.repeat(256)}`, 'shm://é', 'a', '']) {
    await t.throwsAsync(a.transport.listen(uri, options), { code: 'ERR_HEDDLE_INVALID_URI' } as never, uri);
    await t.throwsAsync(a.transport.connect(uri, options), { code: 'ERR_HEDDLE_INVALID_URI' } as never, uri);
  }
  t.is((await a.transport.listen(`shm://${'x'.repeat(255)}`, options)).uri.length, 261);
  await directory.close();
  t.is(directory.names.size, 0, 'closing unbinds');
});

test('a directory that does not answer in time', async (t) => {
  const directory = new TestDirectory();
  const a = directory.context(1);
  await a.transport.listen('shm://a', options);
  let open!: () => void;
  directory.gate = new Promise((resolve) => {
    open = resolve;
  });
  const connecting = a.transport.connect('shm://a', { ...options, connectTimeoutMs: 100 });
  a.host.clock.advance(99);
  a.host.clock.advance(1);
  await t.throwsAsync(connecting, { code: 'ERR_HEDDLE_TIMEOUT' } as never);
  const interrupted = a.transport.connect('shm://a', options);
  const closing = a.transport.close();
  await t.throwsAsync(interrupted, { code: 'ERR_HEDDLE_CLOSED' } as never);
  await closing;
  open();
  await t.throwsAsync(a.transport.connect('shm://a', options), { code: 'ERR_HEDDLE_CLOSED' } as never);
  t.is(a.host.clock.timers.length, 0);
});

test('a full ring: the writer hears of room when its context polls, and the sleeper is woken for it', async (t) => {
  const { directory, a, b, link } = await connectedPair();
  let sent = 0;
  while (place(link, String(sent), 256)) sent += 1;
  t.is(link.occupancyBytes(), sent * 256);
  t.is(a.transport.poll(many), 0);
  t.deepEqual(a.host.writable, []);
  t.true(a.transport.beginSleep());
  const woken = a.host.nextWake();
  t.is(b.transport.poll(4), 4);
  await woken;
  a.transport.endSleep();
  a.transport.poll(many);
  t.deepEqual(a.host.writable, [link]);
  a.transport.poll(many);
  t.is(a.host.writable.length, 1);
  t.is(b.transport.poll(many), sent - 4);
  t.is(link.occupancyBytes(), 0);
  await directory.close();
});

test('room that came keeps the writer awake', async (t) => {
  const { directory, a, b, link } = await connectedPair();
  while (place(link, 'x', 256));
  b.transport.poll(many);
  t.false(a.transport.beginSleep());
  a.transport.poll(many);
  t.is(a.host.writable.length, 1);
  t.true(a.transport.beginSleep());
  await directory.close();
});

test('a sleeper is woken by the first record, once, and does not fall asleep over one', async (t) => {
  const { directory, b, link } = await connectedPair();
  await new Promise(setImmediate);
  const before = b.host.wakes;
  send(link, 'while awake');
  t.false(b.transport.beginSleep(), 'a record waits');
  b.transport.poll(many);
  t.true(b.transport.beginSleep());
  const woken = b.host.nextWake();
  send(link, 'first');
  send(link, 'second');
  await woken;
  b.transport.endSleep();
  t.is(b.transport.poll(many), 2);
  await new Promise(setImmediate);
  t.is(b.host.wakes, before + 1);
  await directory.close();
});

test('a slab arrives ahead of the record that names it, and rings that came before it are not lost', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  const memory = new SharedArrayBuffer(16384);
  new Uint8Array(memory)[5] = 77;
  let found: SharedArrayBuffer | undefined;
  b.host.onRecord = (from, text) => {
    found = from.sharedSlab(Number(text));
  };
  t.true(b.transport.beginSleep());
  const wakes = b.host.wakes;
  send(link, '1');
  link.shareSlab(42, memory);
  link.shareSlab(42, memory);
  send(link, '42');
  // No turn of the event loop lies between: the port is read synchronously.
  b.transport.endSleep();
  t.is(b.transport.poll(many), 2);
  t.is(new Uint8Array(found!)[5], 77);
  t.is(b.host.wakes, wakes + 1, 'the ring that lay before the slab was passed on');
  t.is(back.sharedSlab(42), found);
  t.is(back.sharedSlab(43), undefined);
  t.is(link.sharedSlab(42), undefined, 'each side has its own ids');
  link.close();
  link.shareSlab(44, memory);
  t.is(a.host.reports.length, 0);
  await directory.close();
});

test('a graceful close delivers what was sent, and ends both ends once without an error', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  t.true(b.transport.beginSleep());
  const woken = b.host.nextWake();
  send(link, 'published');
  place(link, 'claimed');
  send(back, 'too late');
  link.close();
  link.close();
  t.deepEqual(a.host.closed, [{ link, error: undefined }]);
  t.false(link.isOpen);
  t.is(link.writer.claim(8), -1);
  link.publish();
  a.transport.poll(many);
  t.deepEqual(a.host.texts, []);
  await woken;
  b.transport.endSleep();
  b.transport.poll(many);
  t.deepEqual(b.host.texts, ['published', 'claimed']);
  t.deepEqual(b.host.closed, [{ link: back, error: undefined }]);
  back.close();
  t.is(b.host.closed.length, 1);
  await directory.close();
  t.is(a.host.closed.length + b.host.closed.length, 2);
});

test('a close with an error names it to the peer, also when the ring is full', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  let sent = 0;
  while (place(link, 'x', 64)) sent += 1;
  while (place(link, 'x', 8)) sent += 1;
  const error = new HeddleError('ERR_HEDDLE_PROTOCOL', 'what the peer did');
  link.close(error);
  t.deepEqual(a.host.closed, [{ link, error }]);
  b.transport.poll(many);
  t.is(b.host.received.length, sent);
  t.is(b.host.closed[0]!.link, back);
  t.is(b.host.closed[0]!.error!.code, 'ERR_HEDDLE_DISCONNECTED');
  t.regex(b.host.closed[0]!.error!.message, /ERR_HEDDLE_PROTOCOL: what the peer did/);
  await directory.close();
});

test('both ends close at once', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  link.close();
  back.close();
  a.transport.poll(many);
  b.transport.poll(many);
  t.is(a.host.closed.length, 1);
  t.is(b.host.closed.length, 1);
  await until(() => (link as ShmLink).doorbell.isClosed && (back as ShmLink).doorbell.isClosed);
  t.pass();
  await directory.close();
});

test('a doorbell outlives its link until the peer knows: a ring on an ended link still wakes', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  t.true(a.transport.beginSleep());
  link.close();
  t.false((link as ShmLink).doorbell.isClosed);
  await new Promise(setImmediate);
  const woken = a.host.nextWake();
  // Context 2 has not polled: its link is open, it takes the flag of context 1 and must reach it.
  send(back, 'to nobody');
  await woken;
  b.transport.poll(many);
  await until(() => (link as ShmLink).doorbell.isClosed && (back as ShmLink).doorbell.isClosed);
  await directory.close();
});

test('a handler may close its link: nothing more of it is delivered', async (t) => {
  const { directory, b, link, back } = await connectedPair();
  b.host.onRecord = (from) => from.close();
  send(link, 'one');
  send(link, 'two');
  b.transport.poll(many);
  t.deepEqual(b.host.texts, ['one']);
  t.deepEqual(b.host.closed, [{ link: back, error: undefined }]);
  await directory.close();
});

test('a malformed record ends that link on both sides, and no other', async (t) => {
  const { directory, a, b, link } = await connectedPair();
  const c = directory.context(3);
  const other = await c.transport.connect('shm://b', options);
  const start = link.writer.claim(16);
  link.writer.block.int32[start >> 2] = 3;
  link.publish();
  send(other, 'fine');
  b.transport.poll(many);
  t.is(b.host.closed[0]!.error!.code, 'ERR_HEDDLE_MALFORMED');
  t.deepEqual(b.host.texts, ['fine']);
  a.transport.poll(many);
  t.is(a.host.closed[0]!.error!.code, 'ERR_HEDDLE_DISCONNECTED');
  t.regex(a.host.closed[0]!.error!.message, /ERR_HEDDLE_MALFORMED/);
  send(other, 'still');
  b.transport.poll(many);
  t.deepEqual(b.host.texts, ['fine', 'still']);
  await directory.close();
});

test('after a link closed, connecting again makes a new one, from either side, whoever has noticed', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  await a.transport.listen('shm://a', options);
  send(link, 'last of the old');
  link.close();
  // Context 2 has not polled yet: what the old ring holds comes first.
  const second = await a.transport.connect('shm://b', options);
  t.not(second, link);
  t.deepEqual(b.host.texts, ['last of the old']);
  t.deepEqual(b.host.closed, [{ link: back, error: undefined }]);
  const secondBack = b.host.links[1]!;
  send(second, 'first of the new');
  b.transport.poll(many);
  t.deepEqual(b.host.received[1], { link: secondBack, text: 'first of the new' });
  second.close();
  b.transport.poll(many);
  const third = await b.transport.connect('shm://a', options);
  t.true(third.isOpen);
  t.is(directory.pairsMade, 3);
  t.is(new Set([link, second, ...b.host.links, third, ...a.host.links].map((each) => each.id)).size, 6);
  t.is(a.host.turnDepth + b.host.turnDepth, 0);
  await directory.close();
});

test('a link that closes before connect can return it is asked for again, a bounded number of times', async (t) => {
  const directory = new TestDirectory();
  const a = directory.context(1);
  const b = directory.context(2);
  await b.transport.listen('shm://b', options);
  let kills = 1;
  directory.beforeAnswer = () => {
    if (kills === 0) return;
    kills -= 1;
    b.host.links.at(-1)!.close();
    a.transport.poll(many);
  };
  const link = await a.transport.connect('shm://b', options);
  t.true(link.isOpen);
  t.is(directory.pairsMade, 2);
  link.close();
  kills = many;
  await t.throwsAsync(a.transport.connect('shm://b', options), { code: 'ERR_HEDDLE_DISCONNECTED' } as never);
  t.is(directory.pairsMade, 10);
  await directory.close();
});

test('detach delivers what a lost peer had published, then ends the link with the error', async (t) => {
  const { directory, a, b, link, back } = await connectedPair();
  const error = new HeddleError('ERR_HEDDLE_CONTEXT_LOST', 'context=1 exited');
  for (let i = 0; i < 5; i += 1) send(link, String(i));
  place(link, 'never published');
  b.host.onRecord = () => t.is(b.host.turnDepth, 1);
  b.transport.detach(1, error);
  t.deepEqual(b.host.texts, ['0', '1', '2', '3', '4']);
  t.deepEqual(b.host.closed, [{ link: back, error }]);
  t.is(b.host.turnDepth, 0);
  b.transport.detach(1, error);
  t.is(b.host.closed.length, 1);
  t.true((back as ShmLink).doorbell.isClosed);
  await a.transport.close();
  await directory.close();
});

test('detach after the peer had closed gracefully is no error', async (t) => {
  const { directory, b, link, back } = await connectedPair();
  send(link, 'bye');
  link.close();
  b.transport.detach(1, new HeddleError('ERR_HEDDLE_CONTEXT_LOST', 'context=1 exited'));
  t.deepEqual(b.host.texts, ['bye']);
  t.deepEqual(b.host.closed, [{ link: back, error: undefined }]);
  await directory.close();
});

test('a context connects to a portal of its own', async (t) => {
  const directory = new TestDirectory();
  const { transport, host } = directory.context(7);
  await transport.listen('shm://self', options);
  const link = await transport.connect('shm://self', options);
  t.is(host.links.length, 1);
  const back = host.links[0]!;
  t.not(back, link);
  t.is(await transport.connect('shm://self', options), link);
  t.true(transport.beginSleep());
  const woken = host.nextWake();
  send(link, 'ask');
  await woken;
  transport.endSleep();
  host.onRecord = (from, text) => text === 'ask' && send(from, 'answer');
  t.is(transport.poll(many) + transport.poll(many), 2);
  t.deepEqual(host.received, [
    { link: back, text: 'ask' },
    { link, text: 'answer' },
  ]);
  back.close();
  const again = await transport.connect('shm://self', options);
  t.not(again, link);
  t.deepEqual(
    host.closed.map((each) => each.link),
    [back, link],
  );
  send(again, 'new');
  transport.poll(many);
  t.is(host.received.at(-1)!.link, host.links[1]!);
  await directory.close();
  t.is(host.closed.length, 4);
});

test('poll shares its budget among links, and none is starved', async (t) => {
  const directory = new TestDirectory();
  directory.capacityBytes = 65536;
  const server = directory.context(0);
  await server.transport.listen('shm://server', options);
  const links = [];
  for (let id = 1; id <= 4; id += 1) {
    links.push(await directory.context(id).transport.connect('shm://server', options));
  }
  t.is(server.transport.poll(0), 0);
  for (const [index, link] of links.entries()) {
    for (let i = 0; i < (index === 3 ? 3 : 300); i += 1) place(link, String(index));
    link.publish();
  }
  t.is(server.transport.poll(40), 40);
  const count = (text: string) => server.host.texts.filter((each) => each === text).length;
  t.is(count('3'), 3);
  for (const each of ['0', '1', '2']) t.true(count(each) >= 10, `${each}: ${count(each)}`);
  let polls = 0;
  while (server.transport.poll(100) > 0) polls += 1;
  t.is(server.host.received.length, 903);
  t.true(polls <= 10, `${polls}`);
  await directory.close();
});

test('a poll goes round the links as often, where records count for several', async (t) => {
  const directory = new TestDirectory();
  directory.capacityBytes = 65536;
  const server = directory.context(0);
  await server.transport.listen('shm://server', options);
  for (let id = 1; id <= 2; id += 1) {
    const link = await directory.context(id).transport.connect('shm://server', options);
    for (let i = 0; i < (id === 1 ? 50 : 2); i += 1) place(link, String(id));
    link.publish();
  }
  server.host.weight = 3;
  // Shares of 50: the first link's is exceeded by one, what the second leaves goes to the first.
  t.true(server.transport.poll(100) >= 100);
  t.true(server.host.received.length >= 34);
  await directory.close();
});

test('attaching to a closed transport tells the peer; memory that is no ring is refused', async (t) => {
  const { directory, a, b } = await connectedPair();
  const c = directory.context(3);
  await c.transport.close();
  const { forA, forB } = createRingPair(1, 3, 4096);
  c.transport.attach(forB);
  a.transport.attach(forA);
  a.transport.poll(many);
  t.is(a.host.closed[0]!.error!.code, 'ERR_HEDDLE_DISCONNECTED');
  const bad = createRingPair(1, 4, 4096);
  const wrong = { ...bad.forA, incoming: new SharedArrayBuffer(4096) };
  t.throws(() => a.transport.attach(wrong), { code: 'ERR_HEDDLE_VERSION' } as never);
  bad.forB.doorbell.close();
  t.is(c.host.closed.length + c.host.links.length, 0);
  t.is(b.host.closed.length, 0);
  await directory.close();
});

test('something unknown from a doorbell is reported and harms nothing', async (t) => {
  const directory = new TestDirectory();
  const a = directory.context(1);
  const { forA, forB } = createRingPair(1, 2, 4096);
  a.transport.attach(forA);
  forB.doorbell.postMessage({ slabId: 'no', memory: 1 });
  forB.doorbell.postMessage(null);
  forB.doorbell.postMessage(0);
  await a.host.nextWake();
  t.deepEqual(
    a.host.reports.map((each) => each.code),
    ['ERR_HEDDLE_PROTOCOL', 'ERR_HEDDLE_PROTOCOL'],
  );
  forB.doorbell.close();
  await directory.close();
});
