import anyTest, { type ExecutionContext } from 'ava';
import type { ActorRef, ClusterSystem, HeddleError } from '../../../src/index.js';
import { Bufferer } from '../actors/fixtures/buffers.js';
import { Heeding } from '../actors/fixtures/cancel.js';
import { Watcher } from '../actors/fixtures/family.js';
import { Fragile } from '../actors/fixtures/fragile.js';
import { startService } from './process.js';
import { clusterSystem, until } from './support.js';

/** One after the other: each has two processes with threads of their own. */
const test = anyTest.serial;
const patient = { timeoutMs: 60_000 };
const rdmaHost = process.env.HEDDLE_TEST_RDMA_HOST ?? '127.0.0.1';
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function connected(t: ExecutionContext, portal: string) {
  const service = await startService(t, portal, 1);
  const system = await clusterSystem(t, { contexts: 1, supervision: { backoffMs: 300, maximumBackoffMs: 300 } });
  const peer = await system.connect(service.uri, { reconnect: false });
  const watchers = [
    await system.spawn(Watcher, undefined, { on: 'here' }),
    await system.spawn(Watcher, undefined, { on: 'worker-1' }),
  ];
  return { service, system, peer, watchers };
}

/** What stays of a node that is lost: nothing. `expected` watches are for actors of this system's own. */
async function leavesNothing(t: ExecutionContext, system: ClusterSystem, expected = 0): Promise<void> {
  t.is(system.host.asks.count, 0, 'asks');
  t.is(system.host.watches.remoteCount, expected, 'watches');
  t.deepEqual(system.cluster.peers, []);
  await until(() => system.node.context.memory.buffersHeld === 0, 'all buffers are released');
}

async function hearOnce(t: ExecutionContext, watchers: readonly ActorRef<{ seen(): string[] }>[], all: string[]) {
  for (const watcher of watchers) {
    await until(async () => (await watcher.ask('seen', undefined, patient)).length >= all.length);
    t.deepEqual([...(await watcher.ask('seen', undefined, patient))].sort(), all);
  }
}

function isNodeLost(t: ExecutionContext, outcome: PromiseSettledResult<unknown>): void {
  t.is(outcome.status === 'rejected' && (outcome.reason as HeddleError).code, 'ERR_HEDDLE_NODE_LOST');
}

for (const portal of ['tcp://127.0.0.1:0', `rdma://${rdmaHost}:0`]) {
  const over = portal.slice(0, portal.indexOf(':'));

  test(`a process killed while actors of both sides wait for their restarts, over ${over}`, async (t) => {
    const { service, system, peer, watchers } = await connected(t, portal);
    const there = await Promise.all(['main', 'worker-1'].map((on) => peer.spawn(Fragile, undefined, { on })));
    const here = await system.spawn(Fragile, undefined, { on: 'worker-1' });
    for (const watcher of watchers) for (const one of there) await watcher.ask('watch', one, patient);
    for (const one of there) await t.throwsAsync(one.ask('fail', undefined, patient));
    // They stand still: what they are asked waits in their mailboxes until their process is killed.
    const waiting = there.flatMap((one) => Array.from({ length: 10 }, () => one.ask('count', undefined, patient)));
    for (const one of there) for (let i = 0; i < 10; i++) one.tell('add', 1);
    // And the other way round: who waits here for an actor's restart is killed meanwhile.
    const asking = await peer.spawn(Fragile, undefined, { on: 'worker-1' });
    await t.throwsAsync(here.ask('fail', undefined, patient));
    const through = Array.from({ length: 10 }, () => asking.ask('countOf', here, patient));
    // Handlers that work for who is killed learn that nobody waits any more.
    const heeding = await system.spawn(Heeding, undefined, { on: 'worker-1' });
    for (const on of ['main', 'worker-1']) {
      const other = await peer.spawn(Fragile, undefined, { on });
      through.push(other.ask('countOf', heeding, patient));
    }
    await until(async () => (await heeding.ask('numbers')).begun === 2);
    const outcomes = Promise.allSettled([...waiting, ...through]);
    await service.kill();
    const settled = await outcomes;
    for (const outcome of settled.slice(0, waiting.length)) isNodeLost(t, outcome);
    // Where the restart was first, the reply was on its way, and may have arrived.
    for (const outcome of settled.slice(waiting.length)) if (outcome.status === 'rejected') isNodeLost(t, outcome);
    await hearOnce(t, watchers, Array(2).fill('fragile node-lost'));
    t.is(await here.ask('count', undefined, patient), 0, 'it has been restarted');
    here.tell('add', 1);
    t.is(await here.ask('count', undefined, patient), 1);
    await until(async () => (await heeding.ask('numbers')).ended === 2);
    t.is(system.actorCounts['worker-1'], 3);
    await leavesNothing(t, system);
  });

  test(`a process killed in the middle of group publishes, over ${over}`, async (t) => {
    const { service, system, peer, watchers } = await connected(t, portal);
    const group = system.group<{ add(by: number): void }>('counters');
    const theirs = peer.group<{ add(by: number): void }>('counters');
    const lasting = await system.spawn(Fragile, undefined, { on: 'worker-1' });
    const doomed = await Promise.all(
      ['main', 'worker-1', 'worker-1'].map((on) => peer.spawn(Fragile, undefined, { on })),
    );
    for (const member of [lasting, ...doomed]) await group.join(member);
    // Of a group there, too, that has a member here.
    for (const member of [lasting, ...doomed]) await theirs.join(member);
    for (const watcher of watchers) for (const one of doomed) await watcher.ask('watch', one, patient);
    let published = 0;
    const publish = async () => {
      published++;
      if (!group.publish('add', 1)) await group.ready();
      await turn();
    };
    while (published < 100) await publish();
    const killed = service.kill();
    while (group.members.length > 1) {
      await publish();
      theirs.publish('add', 1_000_000);
    }
    await killed;
    for (let i = 0; i < 10; i++) await publish();
    const count = await lasting.ask('count', undefined, patient);
    t.is(count % 1_000_000, published, 'a member that lasts gets everything, and nothing twice');
    await hearOnce(t, watchers, Array(3).fill('fragile node-lost'));
    t.is(group.members.length, 1);
    const before = system.deadLetterCounts['node-lost'];
    t.false(theirs.publish('add', 1));
    t.is(system.deadLetterCounts['node-lost'], before + 1);
    await theirs.ready();
    // The registry watches the one that is left.
    await leavesNothing(t, system, 1);
  });

  test(`a process killed in the middle of asks, with buffers on their way, over ${over}`, async (t) => {
    const { service, system, peer, watchers } = await connected(t, portal);
    const doomed = await Promise.all(['main', 'worker-1'].map((on) => peer.spawn(Bufferer, undefined, { on })));
    for (const watcher of watchers) for (const one of doomed) await watcher.ask('watch', one, patient);
    const { context } = system.node;
    let asked = 0;
    let replied = 0;
    const codes = new Set<string | undefined>();
    let isOver = false;
    const keepAsking = async (one: (typeof doomed)[number]) => {
      while (!isOver) {
        asked++;
        try {
          const buffer = context.allocate(asked % 3 === 0 ? 300_000 : 100);
          buffer.bytes.fill(1);
          const reply = await one.ask(asked % 2 === 0 ? 'echo' : 'echoLater', buffer, patient);
          reply.release();
        } catch (error) {
          codes.add((error as HeddleError).code);
        }
        replied++;
        await turn();
      }
    };
    const askers = doomed.flatMap((one) => [keepAsking(one), keepAsking(one)]);
    await until(() => replied >= 40);
    const lost = new Promise((resolve) => system.cluster.once('lost', resolve));
    await service.kill();
    await lost;
    const askedBefore = asked;
    await until(() => replied > askedBefore);
    isOver = true;
    await Promise.all(askers);
    t.is(replied, asked, 'every ask has settled');
    t.deepEqual([...codes], ['ERR_HEDDLE_NODE_LOST']);
    await hearOnce(t, watchers, Array(2).fill('bufferer node-lost'));
    await leavesNothing(t, system);
  });
}
