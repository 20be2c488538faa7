import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import test from 'ava';
import { formatOffer } from '../../../examples/rdma-httpd/rdma-header.js';
import { createNode } from '../../../src/index.js';
import { fetchAll, makeGate, patternOf, plainGet, setUp, slotBytes } from './support.js';

const token = '0123456789abcdef0123456789abcdef';
const content = patternOf(1, 4 * slotBytes);
const offerOf = (uri: string) => ({ 'Heddle-RDMA': formatOffer({ uri, token, stream: 1, mode: 'server-writes' }) });

test.serial('who offers what cannot be used gets the body by HTTP', async (t) => {
  const { url, status, untilFree } = await setUp(t, { 'a.bin': content }, { rdma: { schemes: ['tcp'] } });
  const node = createNode();
  t.teardown(() => node.close());
  const rejecting = await node.context.listen('tcp://127.0.0.1:0', { onSession: (request) => request.reject('no') });
  const silent = await node.context.listen('tcp://127.0.0.1:0', { onSession: (request) => request.accept() });
  const forged = await node.context.listen('tcp://127.0.0.1:0', {
    onSession: (request) => {
      const landing = { owner: 'x', slot: 0, generation: 0, key: token, lengthBytes: 1e9, rights: ['write'] };
      request.accept({ privateData: Buffer.from(JSON.stringify({ landing, slots: 4, slotBytes: 65536 })) });
    },
  });
  const small = await node.context.listen('tcp://127.0.0.1:0', {
    onSession: (request) => {
      const region = node.context.exportRegion(node.context.allocate(100), { rights: ['write'] });
      request.accept({
        privateData: Buffer.from(JSON.stringify({ landing: region.handle, slots: 4, slotBytes: 65536 })),
      });
    },
  });
  // One that would gladly take part, at an address that is not the client's.
  let asked = 0;
  const elsewhere = await node.context.listen('tcp://127.0.0.2:0', {
    onSession: (request) => {
      asked++;
      request.reject('no');
    },
  });
  const stranger = createServer((socket) => socket.end('220 welcome\r\n')).listen(0, '127.0.0.1');
  t.teardown(() => void stranger.close());
  await new Promise((resolve) => stranger.once('listening', resolve));
  const offers = [
    rejecting.uri,
    silent.uri,
    forged.uri,
    small.uri,
    elsewhere.uri,
    `tcp://127.0.0.1:${(stranger.address() as AddressInfo).port}`,
    // Nobody is there; an address that is not the client's; a scheme that is not allowed.
    'tcp://127.0.0.1:1',
    'tcp://127.0.0.2:80',
    'tcp://localhost:80',
    'shm://somebody',
    'file://127.0.0.1:1',
    'tcp://127.0.0.1:99999',
  ];
  for (const uri of offers) {
    const { response, body } = await plainGet(url('/a.bin'), offerOf(uri));
    t.is(response.headers['heddle-rdma'], undefined, uri);
    t.true(body.equals(content), uri);
  }
  t.true((await plainGet(url('/a.bin'), { 'Heddle-RDMA': 'please' })).body.equals(content));
  const { rdmaFallbacks, rdmaSessionsOpened } = await status();
  t.is(rdmaFallbacks, offers.length);
  t.is(asked, 0);
  t.is(rdmaSessionsOpened, 0);
  await untilFree();
});

test.serial('past the limit of sessions bodies come by HTTP', async (t) => {
  const { url, client: open, status } = await setUp(t, { 'a.bin': content }, { rdma: { maximumSessions: 1 } });
  const first = await open();
  const second = await open();
  t.is((await fetchAll(first, url('/a.bin'))).by, 'rdma');
  t.is((await fetchAll(second, url('/a.bin'))).by, 'http');
  await first.close();
  while ((await status()).rdmaSessionsOpen > 0);
  const { by, body } = await fetchAll(second, url('/a.bin'));
  t.is(by, 'rdma');
  t.true(body.equals(content));
});

test.serial('the end of the answer comes when every segment was taken, and not before', async (t) => {
  const { url } = await setUp(t, { 'a.bin': content });
  const node = createNode();
  t.teardown(() => node.close());
  const landing = node.context.exportRegion(node.context.allocate(4 * slotBytes), { rights: ['write'] });
  const gate = makeGate();
  const last = makeGate();
  let segments = 0;
  let bytes = 0;
  const portal = await node.context.listen('tcp://127.0.0.1:0', {
    onSession: (request) =>
      request.accept({ privateData: Buffer.from(JSON.stringify({ landing: landing.handle, slots: 4, slotBytes })) }),
    onRequest: async ({ value }) => {
      bytes += value.lengthBytes;
      if (++segments < 4) return;
      last.open();
      await gate.opened;
    },
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url('/a.bin'), { headers: offerOf(portal.uri), agent: false }, resolve).on('error', reject);
  });
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    response.on('end', () => {
      hasEnded = true;
      resolve();
    });
  });
  response.resume();
  await last.opened;
  // All bytes are there, and one has not been acknowledged. Another answer goes all the way meanwhile.
  t.is(bytes, content.length);
  await plainGet(url('/a.bin'));
  t.false(hasEnded);
  gate.open();
  await ended;
  t.is(response.trailers['heddle-rdma-bytes'], String(content.length));
  t.is(response.headers.trailer, 'heddle-rdma-bytes');
});

test.serial('a client that closes its HTTP connection and answers no segment holds nothing', async (t) => {
  const { url, untilFree } = await setUp(t, { 'a.bin': patternOf(1, 50 * slotBytes) });
  const node = createNode();
  t.teardown(() => node.close());
  const landing = node.context.exportRegion(node.context.allocate(4 * slotBytes), { rights: ['write'] });
  const begun = makeGate();
  const portal = await node.context.listen('tcp://127.0.0.1:0', {
    onSession: (request) =>
      request.accept({ privateData: Buffer.from(JSON.stringify({ landing: landing.handle, slots: 4, slotBytes })) }),
    onRequest: () => {
      begun.open();
      return new Promise(() => {});
    },
  });
  const request = get(url('/a.bin'), { headers: offerOf(portal.uri), agent: false });
  request.on('error', () => {});
  await begun.opened;
  request.destroy();
  await untilFree();
  t.pass();
});

test.serial('a session that dies ends its answer, and the next request opens another', async (t) => {
  const { url, client: open, status, untilFree } = await setUp(t, { 'a.bin': patternOf(1, 50 * slotBytes) });
  const client = await open();
  const node = createNode();
  t.teardown(() => node.close());
  let segments = 0;
  const portal = await node.context.listen('tcp://127.0.0.1:0', {
    onSession: (request) => {
      const landing = node.context.exportRegion(node.context.allocate(4 * slotBytes), { rights: ['write'] });
      request.accept({ privateData: Buffer.from(JSON.stringify({ landing: landing.handle, slots: 4, slotBytes })) });
    },
    onRequest: (_, connection) => {
      if (++segments === 3) connection.destroy();
    },
  });
  await t.throwsAsync(plainGet(url('/a.bin'), offerOf(portal.uri)));
  t.is((await fetchAll(client, url('/a.bin'))).by, 'rdma');
  t.is((await status()).rdmaSessionsOpened, 2);
  await client.close();
  await untilFree();
});

test.serial('strangers get no session with a client', async (t) => {
  const node = createNode();
  t.teardown(() => node.close());
  const { url, client: open } = await setUp(t, { 'a.bin': content });
  const client = await open();
  // The portal's address is in the request: here it is caught by a server of another kind.
  let uri = '';
  const { createServer: createHttpServer } = await import('node:http');
  const other = createHttpServer((request, response) => {
    uri = /uri=([^;]+)/.exec(String(request.headers['heddle-rdma']))![1]!;
    response.end('hello');
  }).listen(0, '127.0.0.1');
  t.teardown(() => void other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { by } = await fetchAll(client, `http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
  t.is(by, 'http');
  for (const privateData of [
    Buffer.alloc(0),
    Buffer.from('{}'),
    Buffer.from(JSON.stringify({ token, slotBytes: 1 })),
  ]) {
    await t.throwsAsync(node.context.connect(uri, { privateData }), { code: 'ERR_HEDDLE_REJECTED' });
  }
  t.is(client.sessions, 0);
  t.is((await fetchAll(client, url('/a.bin'))).by, 'rdma');
});
