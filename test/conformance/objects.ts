import type { SessionTicket } from '../../src/index.js';
import { type Bench, row } from './bench.js';
import { recorder } from './event-log.js';
import type { TestedTransport } from './transports.js';

/** Objects: session, connection, link, portal, and what can be asked of them. */
export function registerObjects(transport: TestedTransport): void {
  row(transport, 'Objects connection: one per context per session, never two', async (t, bench) => {
    const { uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    const ticket = (connection.session as ReturnType<Bench['context']['open']>).ticket();
    await t.throwsAsync(bench.context.join(ticket), { code: 'ERR_HEDDLE_CONNECTION_EXISTS' });
    const other = await bench.threadPeer();
    const code = await other.run(async ({ context, events }, given: SessionTicket) => {
      await context.join(given, events);
      return context.join(given).catch((error: { code: string }) => error.code);
    }, ticket);
    t.is(code, 'ERR_HEDDLE_CONNECTION_EXISTS');
    t.is((await connection.request('still here')).value, 'still here');
  });

  row(
    transport,
    'Objects connection: index, addresses, state, free sends and user data can be queried',
    async (t, bench) => {
      const { peer, uri } = await bench.echo({
        connection: { receiveDepthMessages: 10, receiveDepthBytes: 10_000 },
      });
      const session = bench.context.open(uri, { options: { receiveDepthMessages: 20 } });
      const connection = session.connection;
      t.is(session.role, 'client');
      t.is(connection.session, session);
      t.is(connection.index, 0);
      t.is(connection.state, 'init');
      t.is(session.state, 'connect');
      t.is(connection.freeSendMessages, 0);
      t.is(connection.queuedMessages, 0);
      connection.userData = session;
      await connection.online;
      t.is(connection.userData, session);
      t.is(connection.state, 'online');
      t.is(session.state, 'online');
      t.deepEqual(session.connections, [connection]);
      t.is(connection.freeSendMessages, 10);
      t.is(connection.freeSendBytes, 10_000);
      t.not(connection.peerAddress, '');
      t.not(connection.localAddress, '');
      connection.send(Buffer.alloc(100));
      await peer.log.until('message');
      t.is(connection.freeSendMessages, 9);
      t.is(connection.freeSendBytes, 9_900);
      const seen = await peer.run(({ state }) => {
        const [theirs] = state.server.sessions;
        const [one] = theirs.connections;
        return { id: theirs.id, role: theirs.role, state: theirs.state, free: one.freeSendMessages, index: one.index };
      });
      t.deepEqual(seen, { id: session.id, role: 'server', state: 'online', free: 20, index: 0 });
    },
  );

  row(transport, 'Objects session: private data travels both ways, up to 3840 bytes', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.server = await context.listen(portal, {
        onSession: (request) => {
          note('asked', {
            bytes: request.privateData.length,
            first: request.privateData[0],
            address: request.peerAddress,
          });
          request.accept({ privateData: Buffer.alloc(3840, 2) });
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri, { privateData: Buffer.alloc(3840, 1) });
    const asked = await peer.log.until('asked');
    t.is(asked.bytes, 3840);
    t.is(asked.first, 1);
    t.not(asked.address, '');
    t.deepEqual(connection.session.peerPrivateData, Buffer.alloc(3840, 2));
    t.deepEqual(
      await peer.run(({ state }) => Array.from(state.server.sessions[0].peerPrivateData as Buffer)),
      Array.from(Buffer.alloc(3840, 1)),
    );
  });

  row(transport, 'Objects session: private data past 3840 bytes is refused on either side', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.server = await context.listen(portal, {
        onSession: (request) => {
          for (const answer of [
            () => request.accept({ privateData: Buffer.alloc(3841) }),
            () => request.reject('no', Buffer.alloc(3841)),
          ]) {
            try {
              answer();
            } catch (error) {
              note('refused', { code: (error as { code: string }).code });
            }
          }
          request.accept();
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    t.throws(() => bench.context.open(uri, { privateData: Buffer.alloc(3841) }), {
      code: 'ERR_HEDDLE_INVALID_ARGUMENT',
    });
    t.is(bench.context.connectionCount, 0);
    await bench.connect(uri);
    await peer.log.until('refused', 2);
    t.deepEqual(
      peer.log.all('refused').map((entry) => entry.code),
      ['ERR_HEDDLE_INVALID_ARGUMENT', 'ERR_HEDDLE_INVALID_ARGUMENT'],
    );
  });

  row(
    transport,
    'Objects link: shared by every session of a context to a portal, and lingers for reuse',
    async (t, bench) => {
      const { uri } = await bench.echo();
      const first = (await bench.connect(uri)).connection;
      const second = (await bench.connect(uri)).connection;
      const { link } = first;
      t.truthy(link);
      t.is(second.link, link);
      await first.close();
      t.true(link!.isOpen);
      t.is((await second.request(1)).value, 1);
      await second.close();
      t.true(link!.isOpen);
      const third = (await bench.connect(uri)).connection;
      t.is(third.link, link);
      t.is((await third.request(2)).value, 2);
    },
  );

  row(transport, 'Objects portal: listening twice at an address is refused', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    // On the same host, which the test itself need not be on.
    const neighbour = await bench.peer();
    for (const listener of [neighbour, peer]) {
      const code = await listener.run(
        ({ context }, taken) => context.listen(taken).catch((error: { code: string }) => error.code),
        uri,
      );
      t.is(code, 'ERR_HEDDLE_ADDRESS_IN_USE');
    }
    await peer.run(({ state }) => state.server.close());
    t.is(await neighbour.run(async ({ context }, free) => (await context.listen(free)).uri, uri), uri);
  });

  row(transport, 'Objects portal: an address that no transport understands is refused', async (t, bench) => {
    for (const uri of ['', 'nonsense', 'carrier-pigeon://roof', `${transport.name}:`]) {
      await t.throwsAsync(bench.context.connect(uri), { code: 'ERR_HEDDLE_INVALID_URI' }, uri);
      await t.throwsAsync(bench.context.listen(uri), { code: 'ERR_HEDDLE_INVALID_URI' }, uri);
    }
  });

  row(
    transport,
    'Objects context: can be polled by hand, and waited for',
    async (t, bench) => {
      const { uri } = await bench.echo();
      const connecting = bench.context.connect(uri);
      let records = 0;
      const poll = async () => {
        await bench.context.waitForWork(1_000);
        records += bench.context.poll();
      };
      let connected = false;
      void connecting.then(() => {
        connected = true;
      });
      while (!connected) await poll();
      const connection = await connecting;
      let answer: unknown;
      void connection.request('by hand').then((response) => {
        answer = response.value;
      });
      while (answer === undefined) await poll();
      t.is(answer, 'by hand');
      // Records of tcp come in callbacks of the event loop, whoever polls.
      if (transport.sharesMemory) t.true(records >= 2);
      // A wire may have something of its own to do yet, which is no record. It comes to an end.
      while (await bench.context.waitForWork(1)) bench.context.poll();
      t.pass();
    },
    { contextOptions: { manualPolling: true } },
  );

  row(transport, 'Objects context: a service can be reached from the context that it runs in', async (t, bench) => {
    const { log, handlers } = recorder();
    const server = await bench.context.listen(transport.portal(), {
      onRequest: (message) => message.value + 1,
      ...handlers,
    });
    const { connection } = await bench.connect(server.uri);
    t.is((await connection.request(1)).value, 2);
    await connection.close();
    await log.until('session-teardown');
    t.is(bench.context.connectionCount, 0);
    await server.close();
  });

  row(
    transport,
    'Statistics: messages and bytes each way, by kind, delays, connections and user counters',
    async (t, bench) => {
      const { peer, uri } = await bench.echo();
      const before = bench.context.statistics;
      const { connection } = await bench.connect(uri);
      const bytes = Buffer.alloc(100);
      for (let index = 0; index < 200; index++) connection.send(bytes, { more: index < 199 });
      for (let index = 0; index < 3; index++) await connection.request(bytes);
      const after = bench.context.statistics;
      t.is(after.messagesSent - before.messagesSent, 203);
      t.is(after.oneWaysSent - before.oneWaysSent, 200);
      t.is(after.requestsSent - before.requestsSent, 3);
      t.is(after.responsesReceived - before.responsesReceived, 3);
      t.is(after.bytesSent - before.bytesSent, 20_300);
      t.is(after.bytesReceived - before.bytesReceived, 300);
      t.is(after.connectionsOpen, 1);
      t.true(after.linkOccupancyBytesHighWater >= 100 * 60, 'a batch was on its way when one of it was timed');
      const theirs = await peer.handle.statistics();
      t.is(theirs.messagesReceived, 203);
      t.is(theirs.bytesReceived, 20_300);
      t.is(theirs.oneWaysReceived, 200);
      t.is(theirs.requestsReceived, 3);
      t.is(theirs.responsesSent, 3);
      t.true(theirs.queueingDelay.count >= 3, 'one of 64 messages has its way timed');
      t.true(theirs.handlerTime.count >= 1, 'and its handler');
      const counter = bench.context.counter('orders');
      counter.add(7);
      t.is(bench.context.statistics.userCounters.orders, 7);
      await peer.run(({ context }) => context.counter('theirs').add(2));
      t.is((await peer.handle.statistics()).userCounters.theirs, 2);
      await connection.close();
      t.is(bench.context.statistics.connectionsOpen, 0);
      t.is(bench.context.statistics.connectionsOpened, after.connectionsOpened);
    },
  );
}
