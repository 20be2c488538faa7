import test from 'ava';
import { createProducer, type Undelivered } from '../../../src/index.js';
import { Counter } from '../actors/fixtures/counter.js';
import { Ledger } from '../actors/fixtures/ledger.js';
import { startService } from './process.js';
import { proxy } from './proxy.js';
import { clusterSystem, until } from './support.js';

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

test('over wires that are cut, with and without a node that counts as lost, each message is handled once', async (t) => {
  for (const reconnectTimeoutMs of [0, 20_000]) {
    const peerOptions = { reconnectTimeoutMs, reconnectDelayMs: 10 };
    const server = await clusterSystem(t, { listen: 'tcp://127.0.0.1:0', peerOptions });
    const client = await clusterSystem(t, { peerOptions });
    const wire = await proxy(t, server.cluster.uri as string);
    const peer = await client.connect(wire.uri);
    const ledger = await server.spawn(Ledger, {}, { name: 'ledger' });
    await using producer = createProducer(() => peer.lookup('ledger', Ledger), { retryAfterMs: 200, window: 16 });
    for (const value of numbers(400)) {
      if (value % 130 === 100) wire.cut();
      await producer.send('take', value);
    }
    await producer.confirmed();
    t.deepEqual(await ledger.ask('seen'), numbers(400), `reconnectTimeoutMs=${reconnectTimeoutMs}`);
    t.is(producer.confirmedCount, 400);
    t.true(wire.connections() >= 4);
  }
});

test('a process that is killed and started anew gets what its predecessor had not confirmed', async (t) => {
  const service = await startService(t, undefined, 0);
  const system = await clusterSystem(t);
  const peer = await system.connect(service.uri);
  const undelivered: Undelivered[] = [];
  await using producer = createProducer(() => peer.lookup('visits', Counter), {
    retryAfterMs: 200,
    onUndelivered: (letter) => undelivered.push(letter),
  });
  for (let i = 0; i < 50; i++) await producer.send('add', 1);
  await producer.confirmed();
  t.is(await (await peer.lookup('visits', Counter))?.ask('get'), 150);
  await service.kill();
  for (let i = 0; i < 50; i++) await producer.send('add', 1);
  await startService(t, service.uri, 0);
  await producer.confirmed();
  t.is(producer.confirmedCount, 100);
  t.deepEqual(undelivered, []);
  await until(() => peer.isConnected);
  // The one that was killed may have handled some of the second fifty: no, it was gone before they were sent.
  t.is(await (await peer.lookup('visits', Counter))?.ask('get'), 150);
});
