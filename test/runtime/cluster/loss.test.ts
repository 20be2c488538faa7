import test from 'ava';
import type { HeddleError, PeerSystem } from '../../../src/index.js';
import { Counter, Friend } from '../actors/fixtures/counter.js';
import { Watcher } from '../actors/fixtures/family.js';
import { startService } from './process.js';
import { proxy } from './proxy.js';
import { clusterSystem, pair, until } from './support.js';

const codes = ['ERR_HEDDLE_NODE_LOST', 'ERR_HEDDLE_TIMEOUT'];

test('a process that is killed: every ask settles, watchers hear of it once, and its successor is another node', async (t) => {
  const service = await startService(t, undefined, 2);
  const system = await clusterSystem(t, { contexts: 2 });
  const peer = await system.connect(service.uri);
  const visits = (await peer.lookup('visits', Counter))!;
  const made = await peer.spawn(Counter, { start: 0 }, { on: 'worker-2' });
  const watchers = [
    await system.spawn(Watcher, undefined, { on: 'here' }),
    await system.spawn(Watcher, undefined, { on: 'worker-1' }),
    await system.spawn(Watcher, undefined, { on: 'worker-2' }),
  ];
  for (const watcher of watchers) await watcher.ask('watch', made);
  const watched = system.watch(visits);
  // One who is there, in a group of this system and under a name: it leaves both.
  const group = system.group<{ add(by: number): void }>('counters');
  await group.join(made);
  await system.register('far', made);

  const pending = [
    ...Array.from({ length: 20 }, () => visits.ask('never', undefined, { timeoutMs: 60_000 })),
    ...Array.from({ length: 20 }, () => made.ask('later', 1, { timeoutMs: 60_000 })),
  ];
  let isOver = false;
  let told = 0;
  const telling = (async () => {
    while (!isOver) {
      made.tell('add', 1);
      group.publish('add', 1);
      told += 2;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const lost = new Promise((resolve) => system.cluster.once('lost', resolve));
  await service.kill();
  const outcomes = await Promise.allSettled(pending);
  for (const outcome of outcomes.slice(0, 20)) {
    t.is(outcome.status === 'rejected' && (outcome.reason as HeddleError).code, 'ERR_HEDDLE_NODE_LOST');
  }
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') t.true(codes.includes((outcome.reason as HeddleError).code));
  }
  t.is(await lost, peer);
  isOver = true;
  await telling;
  t.true(told > 0);
  t.is((await watched).reason, 'node-lost');
  for (const watcher of watchers) await until(async () => (await watcher.ask('seen')).length > 0);
  t.false(peer.isConnected);
  await t.throwsAsync(peer.lookup('visits'), { code: 'ERR_HEDDLE_NODE_LOST' });
  await t.throwsAsync(visits.ask('get'), { code: 'ERR_HEDDLE_NODE_LOST' });
  t.false(visits.tell('add', 1));
  await visits.ready();
  t.true(system.deadLetterCounts['node-lost'] > 0);
  await until(() => group.members.length === 0 && system.lookup('far') === undefined);

  const node = peer.node;
  const again = new Promise((resolve) => peer.once('connected', resolve as () => void));
  const successor = await startService(t, service.uri, 2);
  t.is(successor.uri, service.uri);
  await again;
  t.not(peer.node, node, 'a process that was started anew is another node');
  await t.throwsAsync(visits.ask('get'), { code: 'ERR_HEDDLE_NODE_LOST' }, 'a stale ref');
  const fresh = (await peer.lookup('visits', Counter))!;
  t.is(await fresh.ask('get'), 100);
  t.false(fresh.equals(visits));
  for (const watcher of watchers) t.deepEqual(await watcher.ask('seen'), ['counter node-lost'], 'once');
  t.is(system.host.asks.count, 0);
  t.is(system.host.watches.remoteCount, 0);
});

test('a node that closes: the other side learns of it at once, and nobody connects again to a peer that was closed', async (t) => {
  const { server, client, peer, back } = await pair(t, { contexts: 1 }, { contexts: 1 });
  const there = await server.spawn(Counter, { start: 1 }, { name: 'there' });
  const ref = (await peer.lookup('there', Counter))!;
  const here = await client.spawn(Friend, undefined, { on: 'worker-1' });
  const watchedThere = server.spawn(Watcher, undefined, { on: 'worker-1' });
  const watcher = await watchedThere;
  await client.register('here', here);
  await watcher.ask('watch', (await back.lookup('here', Friend))!);
  const lost = new Promise<[PeerSystem, HeddleError]>((resolve) =>
    server.cluster.once('lost', (...all) => resolve(all)),
  );
  await peer.close();
  const [who] = await lost;
  t.is(who, back);
  t.is((await client.watch(ref)).reason, 'node-lost');
  await until(async () => (await watcher.ask('seen')).length > 0);
  t.deepEqual(await watcher.ask('seen'), ['friend node-lost']);
  t.deepEqual(client.cluster.peers, []);
  t.deepEqual(server.cluster.peers, []);
  t.is(await there.ask('get'), 1);
  // Asked for anew, it is connected anew.
  const second = await client.connect(server.cluster.uri as string);
  t.not(second, peer);
  t.is(await (await second.lookup('there', Counter))?.ask('get'), 1);
  t.is(await ref.ask('get'), 1, 'the same node: refs are good again');
});

test('a wire that is lost and found again loses nothing', async (t) => {
  const patient = { reconnectTimeoutMs: 20_000, reconnectDelayMs: 10 };
  const server = await clusterSystem(t, { listen: 'tcp://127.0.0.1:0', peerOptions: patient });
  const client = await clusterSystem(t, { peerOptions: patient });
  const wire = await proxy(t, server.cluster.uri as string);
  const peer = await client.connect(wire.uri);
  const counter = await server.spawn(Counter, { start: 0 }, { name: 'counter' });
  const ref = (await peer.lookup('counter', Counter))!;
  let lost = 0;
  client.cluster.on('lost', () => lost++);
  let sum = 0;
  for (let i = 0; i < 2000; i++) {
    if (i % 500 === 250) wire.cut();
    sum += i;
    if (!ref.tell('add', i)) await ref.ready();
    if (i % 100 === 0) await ref.ask('get', undefined, { timeoutMs: 30_000 });
  }
  t.is(await ref.ask('get', undefined, { timeoutMs: 30_000 }), sum);
  t.is(await counter.ask('get'), sum);
  t.is(lost, 0);
  t.true(wire.connections() > 1, 'it was found again');
});

test('contexts of either side that are lost and replaced are connected again', async (t) => {
  const { server, client, peer, back } = await pair(t, { contexts: 1, register: [Counter] }, { contexts: 1 });
  const there = await peer.spawn(Counter, { start: 7 }, { on: 'worker-1' });
  const here = await client.spawn(Friend, undefined, { on: 'worker-1', name: 'here' });
  await here.ask('meet', there);
  t.is(await here.ask('sum'), 7);
  const replacedThere = new Promise((resolve) => server.once('contextReplaced', resolve));
  const reunited = (ask: () => Promise<unknown>) =>
    until(() =>
      ask().then(
        () => true,
        () => false,
      ),
    );
  const watched = client.watch(there);
  let isOver = false;
  void watched.then(() => {
    isOver = true;
  });
  await server.contextHandle('worker-1')?.terminate();
  await replacedThere;
  await reunited(() => there.ask('get'));
  // What it asks fails until its own context is connected again, and then it knows nobody any more.
  await until(async () => {
    await here.ask('meet', there);
    return here.ask('sum').then(
      (sum) => sum >= 7,
      () => false,
    );
  }, 'made again at its old address, for all contexts');
  t.false(isOver, 'a restart is no end');

  const replacedHere = new Promise((resolve) => client.once('contextReplaced', resolve));
  await client.contextHandle('worker-1')?.terminate();
  await replacedHere;
  const returned = (await back.lookup('here', Friend))!;
  await reunited(() => returned.ask('sum'));
  t.is(await returned.ask('sum'), 0);
  await client.stop(there);
  t.is((await watched).reason, 'stopped');
});

test('two systems that connect to each other at once are connected once', async (t) => {
  const listen = 'tcp://127.0.0.1:0';
  const [one, two] = [await clusterSystem(t, { listen }), await clusterSystem(t, { listen })];
  for (let round = 0; round < 3; round++) {
    const [a, b] = await Promise.all([
      one.connect(two.cluster.uri as string, { reconnect: false }),
      two.connect(one.cluster.uri as string, { reconnect: false }),
    ]);
    t.is(one.cluster.peers.length, 1);
    t.is(two.cluster.peers.length, 1);
    t.is(a.node, two.host.systemId);
    t.is(b.node, one.host.systemId);
    t.is(await a.lookup('nobody'), undefined);
    t.is(await b.lookup('nobody'), undefined);
    const gone = new Promise((resolve) => two.cluster.once('lost', resolve));
    await a.close();
    await gone;
    await b.close();
  }
});
