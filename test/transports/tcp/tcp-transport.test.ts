import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { HeddleError } from '../../../src/errors.js';
import { encodeHello, helloBytes } from '../../../src/transports/tcp/tcp-handshake.js';
import type { TcpLink } from '../../../src/transports/tcp/tcp-link.js';
import type { TransportOptions } from '../../../src/transports/transport.js';
import { buildStream } from '../frame-streams.js';
import { selfSignedCertificate } from './certificate.js';
import { RecordingHost, sendRecord, testOptions } from './recording-host.js';

function newHost(t: ExecutionContext, hastenTimers = 1): RecordingHost {
  const host = new RecordingHost(hastenTimers);
  t.teardown(() => host.transport.close());
  return host;
}

/** Two contexts and a link between them. */
async function linkedPair(t: ExecutionContext, options: Partial<TransportOptions> = {}) {
  const server = newHost(t);
  const client = newHost(t);
  const portal = await server.transport.listen('tcp://localhost:0', { ...testOptions, ...options });
  const near = await client.transport.connect(portal.uri, { ...testOptions, ...options });
  await server.until(() => server.links.length === 1);
  return { server, client, portal, near, far: server.links[0]! };
}

/** A plain socket to a portal, for peers that do not behave. */
async function rawSocket(t: ExecutionContext, uri: string): Promise<Socket> {
  const socket = connect(Number(new URL(uri.replace('tcp:', 'http:')).port), '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A plain listener, for peers that do not behave. */
async function rawListener(t: ExecutionContext, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const goodHello = (side: number, version = 1) =>
  encodeHello({ version, side, maximumRecordBytes: 65536, instanceId: 'ab'.repeat(16) });

/** Sends `count` records of the lengths that `lengthOf` says, waiting for room where there is none. */
async function flood(host: RecordingHost, link: TcpLink, count: number, lengthOf: (serial: number) => number) {
  for (let serial = 0; serial < count; ) {
    const before = host.seen(link).writable;
    if (sendRecord(link, lengthOf(serial), serial)) {
      if (++serial % 500 === 0) link.publish();
    } else {
      link.publish();
      await host.until(() => host.seen(link).writable > before || !link.isOpen);
      if (!link.isOpen) return;
    }
  }
  link.publish();
}

test('100,000 records of many sizes arrive each way, in order and whole', async (t) => {
  const { server, client, near, far } = await linkedPair(t);
  const count = 100_000;
  const lengthOf = (serial: number) => (serial % 1000 === 999 ? 8 + (serial % 60_000) : 8 + (serial % 130));
  await Promise.all([flood(client, near, count, lengthOf), flood(server, far, count, lengthOf)]);
  await server.until(() => server.seen(far).records >= count);
  await client.until(() => client.seen(near).records >= count);
  for (const seen of [server.seen(far), client.seen(near)]) {
    t.is(seen.records, count);
    t.deepEqual(seen.defects, []);
  }
  t.is(server.callsOutsideTurn + client.callsOutsideTurn, 0);
  t.is(near.occupancyBytes(), 0);
});

test('a link knows its addresses, its portal, its limits and its peer', async (t) => {
  const { portal, near, far } = await linkedPair(t, { frameBytes: 10_007 });
  t.regex(portal.uri, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  t.is(`tcp://${near.peerAddress}`, portal.uri);
  t.is(far.peerAddress, near.localAddress);
  t.is(far.portalUri, portal.uri);
  t.is(near.portalUri, undefined);
  t.is(near.maximumRecordBytes, 10_000);
  t.false(near.sharesMemory);
  t.throws(() => near.shareSlab(), { code: 'ERR_HEDDLE_INVALID_STATE' });
  t.throws(() => near.sharedSlab(), { code: 'ERR_HEDDLE_INVALID_STATE' });
  t.not(near.id, far.id);
  t.is(near.peerInstanceId, far.peerInstanceId, 'both are of this process');
});

test('records sent from onLink, before connect has resolved at the other side, arrive behind the link', async (t) => {
  const server = newHost(t);
  const client = newHost(t);
  server.onEachLink = (link) => {
    sendRecord(link, 40, 0);
    link.publish();
  };
  const portal = await server.transport.listen('tcp://:0', testOptions);
  let resolved = false;
  client.onEachRecord = () => t.true(resolved);
  const link = await client.transport.connect(portal.uri, testOptions);
  resolved = true;
  await client.until(() => client.seen(link).records === 1);
});

test('a reader that pauses makes claims fail, memory stays bounded, and all arrives when it goes on', async (t) => {
  const { server, client, near, far } = await linkedPair(t);
  far.pauseReceiving();
  let serial = 0;
  let refusals = 0;
  let maximumOccupancy = 0;
  // Sends until claims fail and nothing more drains: then the system's buffers are full too.
  const fill = () => {
    while (sendRecord(near, 4096, serial)) {
      serial++;
      near.publish();
    }
    refusals++;
    near.publish();
    maximumOccupancy = Math.max(maximumOccupancy, near.occupancyBytes());
  };
  client.onEachWritable = fill;
  fill();
  let stalledAt = -1;
  while (stalledAt !== serial) {
    stalledAt = serial;
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(refusals > 0);
  t.true(maximumOccupancy <= testOptions.socketBufferBytes + 2 * testOptions.frameBytes, `${maximumOccupancy}`);
  t.true(near.occupancyBytes() > 0);
  t.true(server.seen(far).records < serial);
  client.onEachWritable = undefined;
  const before = client.seen(near).writable;
  far.resumeReceiving();
  await client.until(() => client.seen(near).writable === before + 1);
  await server.until(() => server.seen(far).records === serial);
  t.deepEqual(server.seen(far).defects, []);
});

test('closing sends what was claimed, tells the peer, and is reported once on each side', async (t) => {
  const { server, client, near, far } = await linkedPair(t);
  for (let serial = 0; serial < 1000; serial++) sendRecord(near, 200, serial);
  near.close();
  near.close(new HeddleError('ERR_HEDDLE_PROTOCOL', 'too late'));
  t.false(near.isOpen);
  t.is(near.writer.claim(8), -1);
  near.publish();
  t.deepEqual(client.seen(near).closes, [undefined]);
  await server.until(() => !far.isOpen);
  t.is(server.seen(far).records, 1000);
  await server.transport.close();
  await client.transport.close();
  t.deepEqual(client.seen(near).closes, [undefined]);
  t.deepEqual(server.seen(far).closes, [undefined]);
});

test('closing with a full socket still delivers everything', async (t) => {
  const { server, near, far } = await linkedPair(t);
  far.pauseReceiving();
  let serial = 0;
  for (let round = 0; round < 20; round++) {
    while (sendRecord(near, 8000, serial)) serial++;
    near.publish();
    await new Promise((resolve) => setImmediate(resolve));
  }
  near.close();
  far.resumeReceiving();
  await server.until(() => !far.isOpen);
  t.is(server.seen(far).records, serial);
  t.deepEqual(server.seen(far).closes, [undefined]);
});

test('both sides closing at once: each is closed by itself', async (t) => {
  const { server, client, near, far } = await linkedPair(t);
  sendRecord(near, 100, 0);
  sendRecord(far, 100, 0);
  near.close();
  far.close();
  await Promise.all([server.transport.close(), client.transport.close()]);
  t.deepEqual(client.seen(near).closes, [undefined]);
  t.deepEqual(server.seen(far).closes, [undefined]);
});

test('closing with an error tells the peer code and message', async (t) => {
  const { server, client, near, far } = await linkedPair(t);
  const reason = new HeddleError('ERR_HEDDLE_PEER_SILENT', 'no sign of life: idleMs=60');
  near.close(reason);
  t.deepEqual(client.seen(near).closes, [reason]);
  await server.until(() => !far.isOpen);
  const [error] = server.seen(far).closes;
  t.is(error?.code, 'ERR_HEDDLE_DISCONNECTED');
  const cause = error?.cause as HeddleError;
  t.is(cause.code, 'ERR_HEDDLE_PEER_SILENT');
  t.is(cause.message, reason.message);
});

test('a handler may close the link that delivers to it', async (t) => {
  const { server, near, far } = await linkedPair(t);
  server.onEachRecord = (link) => {
    if (server.seen(link).records === 3) link.close();
  };
  for (let serial = 0; serial < 10; serial++) sendRecord(near, 100, serial);
  near.publish();
  await server.until(() => !far.isOpen);
  t.is(server.seen(far).records, 3);
  t.deepEqual(server.seen(far).closes, [undefined]);
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
  t.is(hello.readUInt16LE(8), 1);
  t.deepEqual(
    server.reports.map((error) => error.code),
    ['ERR_HEDDLE_VERSION'],
  );
  t.is(server.links.length, 0);
});

test('nothing listens: refused', async (t) => {
  const client = newHost(t);
  const portal = await client.transport.listen('tcp://:0', testOptions);
  await portal.close();
  const error = await t.throwsAsync(client.transport.connect(portal.uri, testOptions), { code: 'ERR_HEDDLE_REFUSED' });
  t.truthy(error?.cause);
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

test('connects to one address share a link while it is open or opening, and not after', async (t) => {
  const { server, client, portal, near } = await linkedPair(t);
  const port = portal.uri.slice(portal.uri.lastIndexOf(':'));
  t.is(await client.transport.connect(`tcp://LOCALHOST${port}/service`, testOptions), near);
  near.close();
  const [first, second] = await Promise.all([
    client.transport.connect(portal.uri, testOptions),
    client.transport.connect(`tcp://${port}`, testOptions),
  ]);
  t.not(first, near);
  t.is(first, second);
  await server.until(() => server.links.length === 2);
  server.links[1]!.close();
  await client.until(() => !first.isOpen);
  t.not(await client.transport.connect(portal.uri, testOptions), first);
});

test('the port is taken, the host is not of this machine, options are out of range', async (t) => {
  const { server, portal } = await linkedPair(t);
  await t.throwsAsync(server.transport.listen(portal.uri, testOptions), { code: 'ERR_HEDDLE_ADDRESS_IN_USE' });
  await t.throwsAsync(server.transport.listen('tcp://192.0.2.1:0', testOptions), { code: 'ERR_HEDDLE_INVALID_URI' });
  for (const wrong of [
    { frameBytes: 100 },
    { frameBytes: 2 ** 21 },
    { socketBufferBytes: 0 },
    { connectTimeoutMs: 0 },
  ]) {
    const options = { ...testOptions, ...wrong };
    await t.throwsAsync(server.transport.listen('tcp://:0', options), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    await t.throwsAsync(server.transport.connect(portal.uri, options), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
});

test('a portal that closes keeps its links; its address is free at once', async (t) => {
  const { server, portal, near, far } = await linkedPair(t);
  await portal.close();
  await portal.close();
  sendRecord(near, 64, 0);
  near.publish();
  await server.until(() => server.seen(far).records === 1);
  const again = await server.transport.listen(portal.uri, testOptions);
  t.is(again.uri, portal.uri);
});

test('many links', async (t) => {
  const server = newHost(t);
  const portal = await server.transport.listen('tcp://*:0', testOptions);
  const port = portal.uri.slice(portal.uri.lastIndexOf(':'));
  const clients = Array.from({ length: 200 }, () => newHost(t));
  const links = await Promise.all(
    clients.map((client) => client.transport.connect(`tcp://localhost${port}`, testOptions)),
  );
  await server.until(() => server.links.length === links.length);
  t.is(new Set([...links, ...server.links].map((link) => link.id)).size, 400);
  for (let serial = 0; serial < 50; serial++) {
    for (const link of links) sendRecord(link, 100 + serial, serial);
    for (const link of links) link.publish();
  }
  await server.until(() => server.links.every((link) => server.seen(link).records === 50));
  t.true(server.links.every((link) => server.seen(link).defects.length === 0));
});

test('closing the transport ends everything: links, portals, connects under way, sockets that say nothing', async (t) => {
  const { server, client, portal, far } = await linkedPair(t);
  const mute = await rawListener(t, () => {});
  const opening = t.throwsAsync(client.transport.connect(mute, testOptions), { code: 'ERR_HEDDLE_CLOSED' });
  const silent = await rawSocket(t, portal.uri);
  silent.resume();
  const silentClosed = once(silent, 'close');
  await client.transport.close();
  await opening;
  await server.until(() => !far.isOpen);
  await server.transport.close();
  await silentClosed;
  await t.throwsAsync(client.transport.connect(portal.uri, testOptions), { code: 'ERR_HEDDLE_INVALID_STATE' });
  await t.throwsAsync(server.transport.listen('tcp://:0', testOptions), { code: 'ERR_HEDDLE_INVALID_STATE' });
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

test('TLS with a self-signed certificate', async (t) => {
  const { key, cert } = selfSignedCertificate();
  const server = newHost(t);
  const client = newHost(t);
  const stranger = newHost(t);
  const portal = await server.transport.listen('tcp://localhost:0', { ...testOptions, tls: { key, cert } });
  const trusting = { ...testOptions, tls: { ca: cert } };
  const port = portal.uri.slice(portal.uri.lastIndexOf(':'));
  const near = await client.transport.connect(`tcp://localhost${port}`, trusting);
  t.is(await client.transport.connect(`tcp://localhost${port}`, trusting), near);
  t.not(await client.transport.connect(portal.uri, trusting), near, 'another name is another certificate check');
  await server.until(() => server.links.length === 2);
  const far = server.links[0]!;
  const lengthOf = (serial: number) => 8 + ((serial * 37) % 3000);
  await Promise.all([flood(client, near, 10_000, lengthOf), flood(server, far, 10_000, lengthOf)]);
  await server.until(() => server.seen(far).records === 10_000);
  await client.until(() => client.seen(near).records === 10_000);
  t.deepEqual([...server.seen(far).defects, ...client.seen(near).defects], []);

  await t.throwsAsync(stranger.transport.connect(portal.uri, { ...testOptions, tls: {} }), {
    code: 'ERR_HEDDLE_REFUSED',
  });
  // Plain bytes are answered with a TLS alert or with the end of the connection, whichever is seen first.
  const plain = await t.throwsAsync(stranger.transport.connect(portal.uri, testOptions), { instanceOf: HeddleError });
  t.true(['ERR_HEDDLE_REFUSED', 'ERR_HEDDLE_PROTOCOL'].includes(plain?.code ?? ''), plain?.code);
  const mute = await rawSocket(t, portal.uri);
  mute.resume();
  near.close();
  await server.until(() => !far.isOpen);
  t.deepEqual(server.seen(far).closes, [undefined]);
  const muteClosed = once(mute, 'close');
  await server.transport.close();
  await muteClosed;
});
