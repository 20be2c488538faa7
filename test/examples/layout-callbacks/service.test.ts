import test from 'ava';
import { CallChannel } from '../../../examples/layout-callbacks/call-channel.js';
import { encodeFrame } from '../../../examples/layout-callbacks/call-frame.js';
import { WritesLostError } from '../../../examples/layout-callbacks/layout-client.js';
import {
  clientChannel,
  encodeSetup,
  serverChannel,
  type Welcome,
} from '../../../examples/layout-callbacks/protocol.js';
import type { Connection } from '../../../src/index.js';
import { portals, Store, until } from './support.js';

/** A client that says what a test wants it to, and keeps silent when it is called back. */
async function strangeClient(
  store: Store,
  clientId: string,
): Promise<{ connection: Connection; channel: CallChannel }> {
  const connection = await store.node.context.connect(store.server.uri, {
    privateData: encodeSetup({ clientId, incarnation: 'one' }),
    onMessage: (message, source) => channel?.receive(message, source),
  });
  const { sessionId } = JSON.parse(connection.session.peerPrivateData.toString()) as Welcome;
  const never = () => new Promise(() => {});
  const channel = new CallChannel(sessionId, clientChannel, { recall: never, granted: never, revoked: never });
  channel.attach(connection);
  return { connection, channel };
}

const whole = { file: 'f', start: 0, end: 4096 } as const;

for (const transport of ['shm', 'tcp', 'rdma'] as const) {
  test(`a layout is called back on the client's own connection, its writes come first, over ${transport}`, async (t) => {
    await Store.run(t, portals[transport](), {}, async (store) => {
      const [writer, reader] = [await store.client('writer'), await store.client('reader')];
      await writer.write('f', 10, Buffer.from('fresh'));
      await writer.read('f', 0, 100);
      await writer.read('f', 0, 100);
      t.is(writer.counts.layoutGets, 1);
      t.is(writer.counts.cacheHits, 1, 'the second time');
      t.is((await reader.read('f', 10, 5)).toString(), 'fresh');
      t.is(writer.counts.recalls, 1);
      t.is(store.server.counts.recalled, 1);
      t.is(writer.layouts, 0);
      // Reading is shared: nobody is called back.
      t.is((await writer.read('f', 10, 5)).toString(), 'fresh');
      t.is(store.server.counts.recalled, 1);
      // Other ranges are nobody's business.
      await writer.write('f', 8192, Buffer.from('elsewhere'));
      t.is(store.server.counts.recalled, 1);
      t.is(store.node.context.statistics.connectionsOpen, 4, 'one connection for each client, both ends here');
    });
  });

  test(`a lost connection costs a session nothing, over ${transport}`, async (t) => {
    await Store.run(t, portals[transport](), {}, async (store) => {
      const [one, other] = [await store.client('one'), await store.client('other')];
      await one.write('f', 0, Buffer.from('kept'));
      one.session.dropConnection();
      await one.write('f', 4, Buffer.from(' on'));
      await until(() => one.session.reconnects === 1);
      one.session.dropConnection();
      t.is((await other.read('f', 0, 7)).toString(), 'kept on');
      await until(() => one.session.reconnects === 2);
      t.is(one.session.lostSessions, 0);
      await one.sync();
    });
  });

  test(`a client that does not answer loses its layout in time, and is fenced off, over ${transport}`, async (t) => {
    await Store.run(t, portals[transport](), { leaseMs: 100, recallTimeoutMs: 100 }, async (store) => {
      const { channel, connection } = await strangeClient(store, 'mute');
      t.deepEqual(await channel.call('layout-get', { ...whole, id: 1, mode: 'write' }), { granted: true });
      await channel.call('write', { id: 1, start: 0, bytes: Buffer.from('early') });
      const other = await store.client('other');
      await other.write('f', 0, Buffer.from('later'));
      t.like(store.server.counts, { recalled: 1, revoked: 1 });
      await t.throwsAsync(channel.call('write', { id: 1, start: 0, bytes: Buffer.from('too late') }), {
        code: 'no-layout',
      });
      await t.throwsAsync(channel.call('read', { id: 1, start: 0, end: 10 }), { code: 'no-layout' });
      t.is(store.server.counts.fenced, 2);
      t.is((await other.read('f', 0, 8)).toString(), 'later\0\0\0');
      channel.close();
      await connection.close();
    });
  });

  test(`bad input harms its sender and nobody else, over ${transport}`, async (t) => {
    await Store.run(t, portals[transport](), { leaseMs: 50, maximumLayoutsPerClient: 2 }, async (store) => {
      const good = await store.client('good');
      await good.write('f', 0, Buffer.from('good'));
      const { context } = store.node;

      for (const privateData of ['', 'no json', 'null', '{"clientId":"../x","incarnation":"a"}', '{"clientId":"x"}']) {
        await t.throwsAsync(context.connect(store.server.uri, { privateData: Buffer.from(privateData) }), {
          code: 'ERR_HEDDLE_REJECTED',
          message: /bad-introduction/,
        });
      }
      await t.throwsAsync(
        context.connect(store.server.uri, {
          privateData: encodeSetup({ clientId: 'good', incarnation: 'forged', sessionId: 1 }),
        }),
        { code: 'ERR_HEDDLE_REJECTED', message: /bad-session/ },
      );

      const { channel, connection } = await strangeClient(store, 'bad');
      const bad = (procedure: string, args: unknown, code = 'bad-argument') =>
        t.throwsAsync(channel.call(procedure, args), { code }, `${procedure} ${JSON.stringify(args)}`);
      await bad('unknown', {}, 'no-such-procedure');
      await bad('toString', {}, 'no-such-procedure');
      await bad('layout-get', undefined);
      await bad('layout-get', { ...whole, id: 'x', mode: 'read' });
      await bad('layout-get', { ...whole, id: 1, mode: 'both' });
      await bad('layout-get', { ...whole, id: 1, mode: 'read', start: 1 });
      await bad('layout-get', { ...whole, id: 1, mode: 'read', end: 2 ** 50 });
      await bad('layout-get', { ...whole, id: 1, mode: 'read', start: 8192 });
      for (const file of ['../etc/passwd', '.hidden', '', 'a/b', 7]) {
        await bad('layout-get', { ...whole, id: 1, mode: 'read', file });
      }
      await bad('read', { id: 1, start: 0, end: 1 }, 'no-layout');
      t.deepEqual(await channel.call('layout-get', { ...whole, file: 'g', id: 1, mode: 'read' }), { granted: true });
      await bad('layout-get', { ...whole, file: 'g', id: 1, mode: 'read' });
      await bad('read', { id: 1, start: 0, end: 4097 }, 'no-layout');
      await bad('write', { id: 1, start: 0, bytes: Buffer.from('x') });
      await bad('write', { id: 1, start: 0, bytes: 'text' });
      await bad('write', { id: 1, start: -1, bytes: Buffer.from('x') });
      await channel.call('layout-get', { ...whole, file: 'h', id: 2, mode: 'read' });
      await bad('layout-get', { ...whole, file: 'i', id: 3, mode: 'read' }, 'too-many-layouts');

      // Wrong slots, sequences and sessions are answered, and run nothing.
      const base = {
        isReply: false,
        status: 'ok',
        cachesReply: true,
        xid: 99,
        sequence: 1,
        slot: 9,
        highestSlot: 9,
      } as const;
      const { run } = store.server.channelCounts('bad')!;
      for (const wrong of [
        { sessionId: channel.sessionId, slot: 99, highestSlot: 99 },
        { sessionId: channel.sessionId, sequence: 5 },
        { sessionId: channel.sessionId + 1 },
        { sessionId: channel.sessionId, isReply: true },
      ]) {
        connection.send({ procedure: 'renew' }, { header: encodeFrame({ ...base, ...wrong }) });
      }
      await channel.call('renew', {});
      t.is(store.server.channelCounts('bad')!.run, run + 1);
      t.is(store.server.channelCounts('bad')!.unknownReplies, 1);
      await until(() => channel.counts.unknownReplies === 3);

      // What is no frame at all ends the connection.
      connection.send('nonsense', { header: Buffer.from('not a frame') });
      await connection.ended;
      t.is((await good.read('f', 0, 4)).toString(), 'good');
      channel.close();
      await until(() => store.server.clients === 1);
      t.is(store.server.counts.expiredClients, 1);
    });
  });
}

test('callbacks that find no slot at the client are dropped, counted, sent again, and each runs once', async (t) => {
  const slow = { ...serverChannel.caller, retransmitMs: 10 };
  const channel = { ...serverChannel, caller: { ...slow, slots: 4 } };
  await Store.run(t, portals.shm(), { channel }, async (store) => {
    const callee = { sessionSlots: 4, requestSlots: 1, whenNoSlot: { kind: 'drop' } } as const;
    const holder = await store.client('holder', { channel: { ...clientChannel, callee } });
    const other = await store.client('other');
    const files = Array.from({ length: 30 }, (_, number) => `file-${number}`);
    for (const file of files) await holder.write(file, 0, Buffer.from(file));
    const read = await Promise.all(files.map((file) => other.read(file, 0, file.length)));
    t.deepEqual(read.map(String), files);
    const counts = holder.session.counts!;
    t.true(counts.dropped > 0, 'the table has one slot');
    t.is(counts.run, 30, 'one recall for each file');
    t.is(holder.counts.recalls, 30);
    const server = store.server.channelCounts('holder')!;
    t.true(server.retransmissions >= counts.dropped);
    t.true(server.waitedForSlot > 0, 'the server has four slots');
    t.is(store.server.counts.revoked, 0);
  });
});

test('with slots beyond the table nothing is dropped', async (t) => {
  // What is sent again takes a slot as well: here nothing is, however busy the machine.
  const channel = { ...serverChannel, caller: { ...serverChannel.caller, retransmitMs: 30_000 } };
  await Store.run(t, portals.shm(), { channel }, async (store) => {
    const callee = { sessionSlots: 4, requestSlots: 1, whenNoSlot: { kind: 'allocate', maximum: 3 } } as const;
    const holder = await store.client('holder', { channel: { ...clientChannel, callee } });
    const other = await store.client('other');
    const files = Array.from({ length: 30 }, (_, number) => `file-${number}`);
    for (const file of files) await holder.write(file, 0, Buffer.from(file));
    await Promise.all(files.map((file) => other.read(file, 0, 4)));
    t.like(holder.session.counts, { dropped: 0, run: 30 });
    t.true(holder.session.counts!.allocatedHighWater > 0);
  });
});

test('a name is of one client at a time, and who starts anew under it takes nothing over', async (t) => {
  await Store.run(t, portals.shm(), {}, async (store) => {
    const before = await store.client('same');
    await before.write('f', 0, Buffer.from('before'));
    await t.throwsAsync(store.client('same', { reconnectMs: 20 }), { code: 'server-lost', message: /client-in-use/ });
    t.is(store.server.layouts, 1);
    before.vanish();
    const after = await store.client('same');
    t.is(store.server.layouts, 0, 'free at once: the client is here, and has nothing');
    t.is((await after.read('f', 0, 6)).toString(), '\0'.repeat(6));
    await t.throwsAsync(before.close(), { instanceOf: WritesLostError, message: /f\[0, 6\)/ });
  });
});

test('a server that closes lets calls finish, and its clients learn what they have lost', async (t) => {
  await Store.run(t, portals.shm(), {}, async (store) => {
    const client = await store.client('client', { reconnectMs: 50 });
    await client.write('f', 0, Buffer.from('synced'));
    await client.sync();
    await client.write('f', 0, Buffer.from('cached'));
    await store.server.close();
    await until(() => client.session.lostSessions === 1);
    await t.throwsAsync(client.sync(), { instanceOf: WritesLostError });
    await t.throwsAsync(client.read('f', 0, 6), { code: 'server-lost' });
  });
});
