import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { HeddleError } from '../../../src/errors.js';
import { selfSignedCertificate } from './certificate.js';
import { flood, linkedPair, newHost, rawListener, rawSocket } from './fixtures.js';
import { sendRecord, testOptions } from './recording-host.js';

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

/** Two contexts and a link between them, and what stops the bytes on their way from the one to the other. */
async function pausablePair(t: ExecutionContext) {
  const server = newHost(t);
  const client = newHost(t);
  const portal = await server.transport.listen('tcp://localhost:0', testOptions);
  let flow: { pause(): void; resume(): void } | undefined;
  const proxyUri = await rawListener(t, (socket) => {
    const onward = connect(Number(new URL(portal.uri).port), '127.0.0.1');
    onward.on('error', () => {});
    onward.pipe(socket);
    socket.pipe(onward);
    flow = { pause: () => socket.unpipe(onward).pause(), resume: () => socket.pipe(onward) };
  });
  const near = await client.transport.connect(proxyUri, testOptions);
  await server.until(() => server.links.length === 1);
  return { server, client, near, far: server.links[0]!, flow: flow! };
}

test('a reader that pauses makes claims fail, memory stays bounded, and all arrives when it goes on', async (t) => {
  const { server, client, near, far, flow } = await pausablePair(t);
  flow.pause();
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
  flow.resume();
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
  const { server, near, far, flow } = await pausablePair(t);
  flow.pause();
  let serial = 0;
  for (let round = 0; round < 20; round++) {
    while (sendRecord(near, 8000, serial)) serial++;
    near.publish();
    await new Promise((resolve) => setImmediate(resolve));
  }
  near.close();
  flow.resume();
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

test('a process exits by itself once its transport is closed', async (t) => {
  const module = new URL('./recording-host.js', import.meta.url).href;
  const script = `
    import { RecordingHost, testOptions } from ${JSON.stringify(module)};
    const host = new RecordingHost();
    const portal = await host.transport.listen('tcp://:0', testOptions);
    await host.transport.connect(portal.uri, testOptions);
    await host.until(() => host.links.length === 1);
    await host.transport.close();
    console.log('done');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = await once(child, 'close');
  t.is(code, 0);
  t.is(Buffer.concat(output).toString(), 'done\n');
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

test('nothing listens: refused', async (t) => {
  const client = newHost(t);
  const portal = await client.transport.listen('tcp://:0', testOptions);
  await portal.close();
  const error = await t.throwsAsync(client.transport.connect(portal.uri, testOptions), { code: 'ERR_HEDDLE_REFUSED' });
  t.truthy(error?.cause);
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
  // On a busy machine hundreds of greetings take longer than one may.
  const patient = { ...testOptions, connectTimeoutMs: 60_000 };
  const server = newHost(t);
  const portal = await server.transport.listen('tcp://*:0', patient);
  const port = portal.uri.slice(portal.uri.lastIndexOf(':'));
  const clients = Array.from({ length: 200 }, () => newHost(t));
  const links = await Promise.all(clients.map((client) => client.transport.connect(`tcp://localhost${port}`, patient)));
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
  await t.throwsAsync(client.transport.connect(portal.uri, testOptions), { code: 'ERR_HEDDLE_CLOSED' });
  await t.throwsAsync(server.transport.listen('tcp://:0', testOptions), { code: 'ERR_HEDDLE_CLOSED' });
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
