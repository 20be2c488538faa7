import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { helloBytes, linkVersion } from '../../../src/transports/hello.js';
import { buildStream } from '../frame-streams.js';
import { goodHello, linkedPair, newHost, rawListener, rawSocket } from './fixtures.js';
import { sendRecord, testOptions } from './recording-host.js';

test('a record left unfinished by its claimer ends the link instead of reaching the peer', async (t) => {
  const { server, client, near, far } = await linkedPair(t);
  sendRecord(near, 64, 0);
  near.publish();
  const start = near.writer.claim(64);
  near.writer.block.int32[start >> 2] = 0;
  t.throws(() => near.publish(), { code: 'ERR_HEDDLE_INVALID_STATE' });
  near.close();
  t.is(client.seen(near).closes[0]?.code, 'ERR_HEDDLE_INVALID_STATE');
  await server.until(() => !far.isOpen);
  t.is(server.seen(far).records, 1);
  t.is(server.seen(far).closes[0]?.code, 'ERR_HEDDLE_DISCONNECTED');
});

test('a peer that vanishes in the middle of a frame is disconnected; other links go on', async (t) => {
  const { server, portal, near, far } = await linkedPair(t);
  for (const reset of [false, true]) {
    const socket = await rawSocket(t, portal.uri);
    socket.write(goodHello(1));
    await once(socket, 'data');
    const link = server.links.at(-1)!;
    const stream = buildStream([100, 100], 65536);
    socket.write(stream.subarray(0, stream.length - 10));
    await server.until(() => server.seen(link).records === 1);
    if (reset) socket.resetAndDestroy();
    else socket.destroy();
    await server.until(() => !link.isOpen);
    const [error] = server.seen(link).closes;
    t.is(error?.code, 'ERR_HEDDLE_DISCONNECTED');
    t.is(error?.details.insideFrame, true);
    if (reset) t.is((error?.cause as NodeJS.ErrnoException | undefined)?.code, 'ECONNRESET');
  }
  sendRecord(near, 64, 0);
  near.publish();
  await server.until(() => server.seen(far).records === 1);
});

test('a malformed frame closes its link with an error that both sides learn; other links go on', async (t) => {
  const { server, portal, near, far } = await linkedPair(t);
  const socket = await rawSocket(t, portal.uri);
  const arrived: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => arrived.push(chunk));
  const stream = buildStream([100, 100], 65536);
  stream.writeInt32LE(0x7fffffff, 16 + 104);
  socket.write(Buffer.concat([goodHello(1), stream]));
  await server.until(() => server.links.length === 2 && !server.links[1]!.isOpen);
  const link = server.links[1]!;
  t.is(server.seen(link).closes[0]?.code, 'ERR_HEDDLE_MALFORMED');
  t.is(server.seen(link).records, 1);
  await once(socket, 'end');
  t.true(Buffer.concat(arrived).includes('ERR_HEDDLE_MALFORMED'));
  sendRecord(near, 64, 0);
  near.publish();
  await server.until(() => server.seen(far).records === 1);
});

test('strangers are closed at once and harm nothing', async (t) => {
  const { server, portal, near, far } = await linkedPair(t);
  for (const garbage of [
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'x',
    '\u0016\u0003\u0001',
    'heddlf',
    '\0'.repeat(4000),
  ]) {
    const socket = await rawSocket(t, portal.uri);
    socket.resume();
    socket.write(garbage);
    await once(socket, 'close');
    t.is(socket.bytesRead, 0);
  }
  await server.until(() => server.reports.length === 5);
  t.deepEqual([...new Set(server.reports.map((error) => error.code))], ['ERR_HEDDLE_PROTOCOL']);
  t.is(server.links.length, 1);
  sendRecord(near, 64, 0);
  near.publish();
  await server.until(() => server.seen(far).records === 1);
});

test('a hello byte by byte is a hello', async (t) => {
  const { server, portal } = await linkedPair(t);
  const socket = await rawSocket(t, portal.uri);
  socket.setNoDelay(true);
  for (const byte of goodHello(1)) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await server.until(() => server.links.length === 2);
  t.is(server.links[1]!.peerInstanceId, 'ab'.repeat(16));
});

test('a megabyte that arrives together with the hello is not lost', async (t) => {
  const client = newHost(t);
  const stream = buildStream(new Array(10_000).fill(120), 65536);
  const uri = await rawListener(t, (socket) => socket.write(Buffer.concat([goodHello(2), stream])));
  const link = await client.transport.connect(uri, testOptions);
  await client.until(() => client.seen(link).records === 10_000 || !link.isOpen);
  t.is(client.seen(link).records, 10_000);
  t.deepEqual(client.seen(link).defects, []);
});

test('more strangers than a portal greets at a time leave it as it was', async (t) => {
  const { server, client, portal, near } = await linkedPair(t);
  for (let round = 0; round < 11; round++) {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => rawSocket(t, portal.uri)));
    await Promise.all(
      sockets.map((socket) => {
        socket.resume();
        socket.write('GET /');
        return once(socket, 'close');
      }),
    );
  }
  t.is(server.reports.length, 1100);
  near.close();
  t.true((await client.transport.connect(portal.uri, testOptions)).isOpen);
});

test('a peer that says nothing is closed when the time is over', async (t) => {
  const server = newHost(t);
  const portal = await server.transport.listen('tcp://:0', { ...testOptions, connectTimeoutMs: 50 });
  const socket = await rawSocket(t, portal.uri);
  socket.resume();
  await once(socket, 'close');
  t.deepEqual(
    server.reports.map((error) => error.code),
    ['ERR_HEDDLE_TIMEOUT'],
  );
});

test('a listener of another version: connect rejects with ERR_HEDDLE_VERSION', async (t) => {
  const client = newHost(t);
  const uri = await rawListener(t, (socket) => socket.write(goodHello(2, 9)));
  const error = await t.throwsAsync(client.transport.connect(uri, testOptions), { code: 'ERR_HEDDLE_VERSION' });
  t.regex(error?.message ?? '', /peerVersion=9/);
});

test('a client of another version is told the version of this side, and closed', async (t) => {
  const server = newHost(t);
  const portal = await server.transport.listen('tcp://:0', testOptions);
  const socket = await rawSocket(t, portal.uri);
  socket.write(goodHello(1, 9));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const hello = Buffer.concat(chunks);
  t.is(hello.length, helloBytes);
  t.is(hello.readUInt16LE(8), linkVersion);
  t.deepEqual(
    server.reports.map((error) => error.code),
    ['ERR_HEDDLE_VERSION'],
  );
  t.is(server.links.length, 0);
});

test('a listener that is not heddle, or ends at once', async (t) => {
  const client = newHost(t);
  const http = await rawListener(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await t.throwsAsync(client.transport.connect(http, testOptions), { code: 'ERR_HEDDLE_PROTOCOL' });
  const hangUp = await rawListener(t, (socket) => socket.end());
  await t.throwsAsync(client.transport.connect(hangUp, testOptions), { code: 'ERR_HEDDLE_REFUSED' });
});

test('a listener that never answers: timeout, and a later connect tries again', async (t) => {
  const client = newHost(t);
  let sockets = 0;
  let bothArrived = () => {};
  const arrived = new Promise<void>((resolve) => {
    bothArrived = resolve;
  });
  const uri = await rawListener(t, () => {
    if (++sockets === 2) bothArrived();
  });
  const options = { ...testOptions, connectTimeoutMs: 50 };
  for (let i = 0; i < 2; i++) {
    await t.throwsAsync(client.transport.connect(uri, options), { code: 'ERR_HEDDLE_TIMEOUT' });
  }
  await arrived;
  t.is(sockets, 2);
});

test('a peer that neither reads nor ends cannot hold up a close', async (t) => {
  const server = newHost(t, 20);
  const portal = await server.transport.listen('tcp://:0', testOptions);
  const socket = connect({
    port: Number(portal.uri.slice(portal.uri.lastIndexOf(':') + 1)),
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  socket.write(goodHello(1));
  await server.until(() => server.links.length === 1);
  const link = server.links[0]!;
  for (let serial = 0; sendRecord(link, 8000, serial); serial++) link.publish();
  await server.transport.close();
  t.deepEqual(server.seen(link).closes, [undefined]);
});
