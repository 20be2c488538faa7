import test from 'ava';
import { RemoteError } from '../../../src/index.js';
import { Counter, Friend } from '../actors/fixtures/counter.js';
import { pair, until } from './support.js';

for (const contexts of [0, 2]) {
  test(`looks up, asks, tells, spawns, watches; contexts=${contexts}`, async (t) => {
    const { server, client, peer, back } = await pair(t, { contexts, register: [Counter] }, { contexts });
    await server.spawn(Counter, { start: 3 }, { name: 'visits' });
    const visits = await peer.lookup('visits', Counter);
    t.truthy(visits);
    if (visits === undefined) return;
    t.is(visits.type, 'counter');
    t.regex(visits.contextName, /^server-[0-9a-f]+\//);
    t.true(visits.tell('add', 4));
    t.is(await visits.ask('get'), 7);
    t.is(await peer.lookup('nobody'), undefined);

    const thrown = await t.throwsAsync<RemoteError>(visits.ask('fail', 'oh'), { instanceOf: RemoteError });
    t.is(thrown?.remoteName, 'TypeError');

    const made = await peer.spawn(Counter, { start: 40 });
    t.is(await made.ask('get'), 40);
    const watched = client.watch(made);
    await client.stop(made);
    t.is((await watched).reason, 'stopped');
    t.is((await client.watch(made)).reason, 'unknown');
    await t.throwsAsync(made.ask('get'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await t.throwsAsync(peer.spawn(Friend), { code: 'ERR_HEDDLE_NOT_REGISTERED' });
    await t.throwsAsync(peer.spawn(Counter, { start: 0 }, { name: 'visits' }), { code: 'ERR_HEDDLE_NAME_IN_USE' });

    // The other way round, by the connection that the client opened.
    await client.spawn(Counter, { start: 1 }, { name: 'mine' });
    const mine = await back.lookup('mine', Counter);
    t.is(await mine?.ask('get'), 1);
  });
}

test('refs travel, come home, and compare equal, by way of all contexts of both sides', async (t) => {
  const { server, client, peer, back } = await pair(t, { contexts: 2, register: [Friend] }, { contexts: 2 });
  const here = await client.spawn(Counter, { start: 5 }, { on: 'worker-1' });
  const there = await peer.spawn(Friend, undefined, { on: 'worker-2' });
  const other = await peer.spawn(Friend, undefined, { on: 'worker-1' });
  // A context of this side that neither ref was made in uses both.
  const third = await client.spawn(Friend, undefined, { on: 'worker-2' });
  await there.ask('meet', here);
  t.is(await there.ask('sum'), 5, 'an actor there asks the one here');
  await there.ask('tellAll', 10);
  await until(async () => (await here.ask('get')) === 15);
  const returned = await there.ask('first');
  t.true(returned?.equals(here));
  t.is(returned?.contextName, 'worker-1');
  await third.ask('meet', (await there.ask('first')) as never);
  t.is(await third.ask('sum'), 15);
  const self = await there.ask('self');
  t.true(self.equals(there));
  t.false(self.equals(other));
  await other.ask('meet', here);
  await other.ask('meet', (await there.ask('first')) as never);
  t.true(await other.ask('sameFriend'), 'equal there, too');
  t.is(back.node, client.host.systemId);
  t.is(server.cluster.peers.length, 1);
});
