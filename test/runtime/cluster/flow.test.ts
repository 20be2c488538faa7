import test from 'ava';
import fc from 'fast-check';
import { HeddleError } from '../../../src/index.js';
import { laneWindow } from '../../../src/runtime/actors/lane.js';
import type { Ref } from '../../../src/runtime/actors/ref.js';
import { checkDescription, readDescription, readIntroduction } from '../../../src/runtime/cluster/introduction.js';
import { Doorkeeper } from '../actors/fixtures/doors.js';
import { Listener } from '../actors/fixtures/family.js';
import { Pressing, Sluggish } from '../actors/fixtures/slow.js';
import { pair, until } from './support.js';

test('a fast sender is held up by a slow actor of another node, and loses nothing when it waits', async (t) => {
  const { server, client, peer } = await pair(t, { contexts: 1, register: [Sluggish] });
  const slow = await peer.spawn(Sluggish);
  const count = 4 * laneWindow;
  let held = 0;
  for (let i = 0; i < count; i++) {
    if (slow.tell('work', { i })) continue;
    held++;
    await slow.ready();
  }
  await until(async () => (await slow.ask('count', undefined, { timeoutMs: 30_000 })) === count);
  t.true(held > 0);
  t.true((await slow.ask('maximum')) <= laneWindow);
  t.is(client.deadLetterCounts['mailbox-full'], 0);
  t.is(server.deadLetterCounts['mailbox-full'], 0);
});

test('what is sent past the window is a dead letter, here or there: memory stays bounded', async (t) => {
  const { server, client, peer } = await pair(t, { register: [Pressing, Doorkeeper] });
  const pressing = await peer.spawn(Pressing);
  const doors = await peer.spawn(Doorkeeper);
  pressing.tell('block', 'door');
  await until(async () => (await doors.ask('waiting', 'door')) === 1);
  for (let i = 0; i < laneWindow + 100; i++) pressing.tell('see', i);
  t.true(client.deadLetterCounts['mailbox-full'] >= 100, 'this side does not even send them');
  // A sender that does not keep to the window is stopped where its messages arrive.
  const { lane } = pressing as unknown as Ref;
  for (let i = 0; i < 200; i++) {
    lane!.inFlight = 0;
    pressing.tell('see', i);
  }
  await until(() => server.deadLetterCounts['mailbox-full'] >= 199);
  t.is(await doors.ask('waiting', 'door'), 1, 'and the wire goes on');
  t.true(server.host.cells.every(({ inbox }) => inbox.waiting <= laneWindow));
  doors.tell('open', 'door');
  await until(async () => (await pressing.ask('seen', undefined, { timeoutMs: 30_000 })).length >= laneWindow - 1);
});

test('groups of another node: join, publish, leave, and who is lost has left', async (t) => {
  const { server, client, peer } = await pair(t, { contexts: 1 }, { contexts: 1 });
  type Heard = { hear(what: string): void };
  const there = await server.spawn(Listener, undefined, { on: 'worker-1' });
  const here = await client.spawn(Listener, undefined, { on: 'worker-1' });
  const ours = server.group<Heard>('news');
  await ours.join(there);
  const theirs = peer.group<Heard>('news');
  await theirs.join(here);
  await theirs.join(here);
  t.is((await theirs.members()).length, 2);
  t.true((await theirs.members()).some((member) => member.equals(here)));
  t.true(theirs.publish('hear', 'from the client'));
  await theirs.ready();
  ours.publish('hear', 'from the server');
  for (const listener of [there, here]) {
    await until(async () => (await listener.ask('heard')).length === 2);
    t.deepEqual((await listener.ask('heard')).sort(), ['from the client', 'from the server']);
  }
  await theirs.leave(here);
  t.is(ours.members.length, 1);
  await theirs.join(here);
  await peer.register('abroad', here);
  t.true(server.lookup('abroad')?.equals(ours.members[1]));
  await t.throwsAsync(peer.register('abroad', there), { code: 'ERR_HEDDLE_NAME_IN_USE' });
  await t.throwsAsync(peer.register('', here), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  await client.close();
  await until(() => ours.members.length === 1 && server.lookup('abroad') === undefined);
  await until(() => server.host.watches.remoteCount === 1, 'the registry watches its own worker alone');
  t.is(server.cluster.peers.length, 0);
});

test('whatever a peer introduces or describes itself by, it is understood or refused', (t) => {
  const readers = [readIntroduction, readDescription, (bytes: Buffer) => checkDescription(bytes.toString())];
  const json = fc.json().map((text) => Buffer.from(text));
  const near = fc
    .record({
      version: fc.constantFrom<unknown>(1, 2, '1', null),
      node: fc.constantFrom<unknown>('a', '', 'x'.repeat(200), 7),
      place: fc.constantFrom<unknown>(0, 255, 256, -1, 1.5),
      nonce: fc.constantFrom<unknown>('00'.repeat(32), '', 'zz'.repeat(32)),
      hasSecret: fc.constantFrom<unknown>(true, 1),
      contexts: fc.constantFrom<unknown>([], [{ place: 0, name: 'main', portal: '' }], [null], 'x'),
      receptionist: fc.constantFrom<unknown>({ slot: 0, generation: 1 }, { slot: -1 }, null),
    })
    .map((value) => Buffer.from(JSON.stringify(value)));
  let understood = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        json,
        near,
      ),
      (bytes) => {
        for (const read of readers) {
          try {
            read(bytes);
            understood++;
          } catch (error) {
            if (!(error instanceof HeddleError && /^ERR_HEDDLE_(PROTOCOL|VERSION)$/.test(error.code))) throw error;
          }
        }
      },
    ),
    { numRuns: 3000 },
  );
  t.true(understood > 0);
});
