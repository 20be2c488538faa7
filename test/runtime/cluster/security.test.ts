import test, { type ExecutionContext } from 'ava';
import { type Connection, createSystem, type HeddleError } from '../../../src/index.js';
import { describeError } from '../../../src/runtime/actors/wire-error.js';
import { answer, Handshake, introduce, step, stepBytes } from '../../../src/runtime/cluster/handshake.js';
import { readIntroduction, writeIntroduction } from '../../../src/runtime/cluster/introduction.js';
import { prove, secretKey } from '../../../src/runtime/cluster/proof.js';
import { selfSignedCertificate } from '../../transports/tcp/certificate.js';
import { Counter } from '../actors/fixtures/counter.js';
import { clusterSystem, pair, secret, until } from './support.js';

const key = secretKey(secret);

/** A program that speaks the protocol, and has what the test gives it. */
async function stranger(t: ExecutionContext, uri: string, node = 'stranger-1') {
  const own = introduce({ node, place: 0 }, key);
  // Connections between systems use the codec of that name.
  const outsider = await clusterSystem(t, { name: 'outsider' });
  const connection = await outsider.node.context.connect(uri, { privateData: writeIntroduction(own) });
  return { own, connection, handshake: Handshake.ofClient(key, own, connection), outsider };
}

async function say(connection: Connection, kind: number, body: Uint8Array): Promise<Buffer> {
  return Buffer.from((await connection.request(stepBytes(kind, body))).data);
}

test('both sides must have the same secret, and each learns what is wrong', async (t) => {
  const server = await clusterSystem(t, { name: 'server', listen: 'tcp://127.0.0.1:0' });
  const uri = server.cluster.uri as string;
  const refused: string[] = [];
  server.cluster.on('refused', ({ code }) => refused.push(code));
  const other = await clusterSystem(t, { secret: 'another secret, also long enough' });
  const none = await clusterSystem(t, { secret: undefined });
  await t.throwsAsync(other.connect(uri), { code: 'ERR_HEDDLE_SECRET', message: /secrets differ/ });
  await t.throwsAsync(none.connect(uri), { code: 'ERR_HEDDLE_SECRET', message: /no secret/ });
  t.deepEqual(refused, ['ERR_HEDDLE_SECRET', 'ERR_HEDDLE_SECRET']);
  t.deepEqual(server.cluster.peers, []);
  // The right one may be given for this connection alone.
  const peer = await none.connect(uri, { secret });
  t.true(peer.isConnected);

  const open = await clusterSystem(t, { secret: undefined, listen: 'tcp://127.0.0.1:0' });
  const demanding = await clusterSystem(t);
  await t.throwsAsync(demanding.connect(open.cluster.uri as string), { code: 'ERR_HEDDLE_SECRET' }, 'no downgrade');
});

test('a service that does not know the secret is not believed', async (t) => {
  // It accepts whatever the client proves, and sends the client's own proof back, as well as it can.
  const impostor = await clusterSystem(t, { name: 'impostor', secret: undefined });
  const replies = [(proof: Buffer) => proof, () => Buffer.alloc(32), () => Buffer.alloc(0)];
  for (const reply of replies) {
    const server = await impostor.node.context.listen('tcp://127.0.0.1:0', {
      onSession: (request) => {
        const peer = readIntroduction(request.privateData);
        t.is(peer.hasSecret, true);
        request.accept({ privateData: writeIntroduction(introduce({ node: 'impostor-1', place: 0 }, key)) });
      },
      onRequest: (message) => {
        const bytes = Buffer.from(message.data);
        t.is(bytes[0], step.prove, 'nothing else is said before the service has proved itself');
        return stepBytes(answer.done, reply(bytes.subarray(1)));
      },
    });
    const client = await clusterSystem(t);
    await t.throwsAsync(client.connect(server.uri), { code: 'ERR_HEDDLE_SECRET' });
    t.deepEqual(client.cluster.peers, []);
    await server.close();
  }
});

test('before the proof nothing works; a proof serves once, for its own session and role', async (t) => {
  const server = await clusterSystem(t, { name: 'server', listen: 'tcp://127.0.0.1:0', register: [Counter] });
  const uri = server.cluster.uri as string;
  const refused: HeddleError[] = [];
  server.cluster.on('refused', (error) => refused.push(error));
  const isRefused = async (connection: Connection, kind: number, body: Uint8Array) =>
    (await say(connection, kind, body))[0] === answer.refused;

  const early = await stranger(t, uri);
  t.true(await isRefused(early.connection, step.describe, Buffer.from('{}')), 'describes itself first');
  await early.connection.ended;
  const talker = await stranger(t, uri);
  talker.connection.send({ type: 'tell' });
  await talker.connection.ended;

  const honest = await stranger(t, uri);
  const proof = honest.handshake.proof();
  const replaying = await stranger(t, uri);
  t.true(await isRefused(replaying.connection, step.prove, proof), 'a proof of another session');
  t.is((await say(honest.connection, step.prove, proof))[0], answer.done);
  t.true(await isRefused(honest.connection, step.prove, proof), 'a proof a second time');

  const reflecting = await stranger(t, uri);
  const { own, peer } = reflecting.handshake;
  const asServer = prove(key, 'server', { client: own, server: peer, channel: Buffer.alloc(0) });
  t.true(await isRefused(reflecting.connection, step.prove, asServer), 'a proof for the other role');
  t.deepEqual([...new Set(refused.map(({ code }) => code))].sort(), ['ERR_HEDDLE_PROTOCOL', 'ERR_HEDDLE_SECRET']);

  const worded = await stranger(t, uri);
  await t.throwsAsync(
    worded.outsider.node.context.connect(uri, { privateData: Buffer.from('{"version":0}') }),
    { code: 'ERR_HEDDLE_REJECTED', message: /version/ },
    'an older version',
  );
  await t.throwsAsync(worded.outsider.node.context.connect(uri), { code: 'ERR_HEDDLE_REJECTED' });
  t.deepEqual(server.cluster.peers, []);
});

test('what a node may not bring about here by posting to the runtime', async (t) => {
  const { server, client } = await pair(t, { register: [Counter] });
  const victim = await server.spawn(Counter, { start: 1 }, { name: 'victim' });
  const reports: HeddleError[] = [];
  server.node.context.on('report', (error) => reports.push(error));
  const place = client.host.places.remote.of(server.host.systemId)[0]!.place;
  const slot = 1;
  const posts = [
    { type: 'spawn', module: 'file:///etc/passwd', definition: 'x', args: 0, parent: {}, address: undefined },
    { type: 'direct', slot, generation: 1, directive: 'stop', delayMs: 0, isOrderly: true },
    { type: 'place', place: { place: 0, name: 'x', portal: 'shm://x', status: 'gone' } },
    { type: 'extension', name: 'registry', payload: { do: 'register', name: 'x' } },
    { type: 'failed', parent: { slot: -1, generation: 0 }, child: { slot, generation: 2 }, error: describeError(0) },
    { type: 'watch', slot: 'x', generation: 2 },
    { type: 'terminated', slot, generation: 2, reason: 'boredom' },
    null,
    7,
  ];
  for (const post of posts) t.true(client.host.post(place, post as never));
  await until(() => reports.length === posts.length);
  t.true(reports.every(({ code }) => code === 'ERR_HEDDLE_PROTOCOL'));
  await t.throwsAsync(client.host.request(place, posts[0] as never, 60_000), { code: 'ERR_HEDDLE_PROTOCOL' });
  t.is(await victim.ask('get'), 1);
  t.is(server.cluster.peers.length, 1);
});

test('other machines reach a listener only where there is a secret', async (t) => {
  for (const listen of ['tcp://*:0', 'tcp://0.0.0.0:0', 'tcp://[::]:0', 'tcp://example.org:0', 'rdma://192.0.2.1:0']) {
    await t.throwsAsync(createSystem({ listen }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT', message: /secret/ });
  }
  await t.throwsAsync(createSystem({ listen: 'nonsense' }), { code: 'ERR_HEDDLE_INVALID_URI' });
  await t.throwsAsync(createSystem({ secret: 'short' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  const open = await clusterSystem(t, { secret: undefined, listen: 'tcp://localhost:0', contexts: 1 });
  t.regex(open.cluster.uri as string, /^tcp:\/\/127\.0\.0\.1:\d+$/);
  const everywhere = await clusterSystem(t, { listen: 'tcp://*:0' });
  t.truthy(everywhere.cluster.uri);
  await t.throwsAsync(open.connect(open.cluster.uri as string), { code: 'ERR_HEDDLE_REJECTED' }, 'with itself');
  // @ts-expect-error no such option
  const misspelt = open.connect('tcp://127.0.0.1:1', { reconect: false });
  await t.throwsAsync(misspelt, { code: 'ERR_HEDDLE_INVALID_ARGUMENT', message: /no option reconect/ });
});

test('over TLS the proof is bound to the channel', async (t) => {
  const { key: tlsKey, cert } = selfSignedCertificate();
  const tls = { key: tlsKey, cert, ca: cert };
  const { server, client, peer } = await pair(
    t,
    { register: [Counter], contextOptions: { tls } },
    { contextOptions: { tls } },
  );
  t.is(await (await peer.spawn(Counter, { start: 9 })).ask('get'), 9);
  const own = introduce({ node: 'stranger-1', place: 0 }, key);
  const connection = await client.node.context.connect(server.cluster.uri as string, {
    privateData: writeIntroduction(own),
  });
  const binding = connection.link?.channelBinding?.();
  t.is(binding?.length, 32);
  const handshake = Handshake.ofClient(key, own, connection);
  // What would be right if somebody between the two had terminated TLS, or passed it on.
  const unbound = prove(key, 'client', { client: own, server: handshake.peer, channel: Buffer.alloc(0) });
  t.is((await say(connection, step.prove, unbound))[0], answer.refused);
});
