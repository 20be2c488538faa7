import type { ClientSession, Message, SessionTicket } from '../../src/index.js';
import { type Bench, row, slowness } from './bench.js';
import { recorder } from './event-log.js';
import type { Peer } from './peer.js';
import type { TestedTransport } from './transports.js';

/** Behaviour 1 and 2: establishment, and the states of sessions and connections. */
export function registerEstablishment(transport: TestedTransport): void {
  row(
    transport,
    'Behaviour 1 establishment: accept; events and states are those of the checklist',
    async (t, bench) => {
      const { peer, uri } = await bench.echo();
      const { connection, log } = await bench.connect(uri);
      const brief = (entries: typeof log.entries) => entries.map(({ type, state }) => [type, state]);
      const established = [
        ['session-established', 'online'],
        ['connection-established', 'online'],
      ];
      t.deepEqual(brief(log.entries), established);
      await peer.log.until('connection-established');
      t.deepEqual(brief(peer.log.entries), established);
      await connection.close();
      t.is(connection.state, 'closed');
      t.is(connection.session.state, 'closed');
      await connection.session.ended;
      await peer.log.until('session-teardown');
      t.deepEqual(brief(log.entries.slice(2)), [
        ['connection-closed', 'closed'],
        ['connection-teardown', 'closed'],
        ['session-teardown', 'closed'],
      ]);
      t.deepEqual(brief(peer.log.entries.slice(2)), brief(log.entries.slice(2)));
    },
  );

  row(transport, 'Behaviour 1 establishment: sends before online are queued and go out in order', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const session = bench.context.open(uri);
    const { connection } = session;
    for (let index = 0; index < 50; index++) t.false(connection.send(index));
    const response = connection.request('and a request');
    connection.send(Buffer.alloc(20_000, 7));
    t.is(connection.queuedMessages, 52);
    t.is((await response).value, 'and a request');
    await peer.log.until('message', 51);
    t.deepEqual(
      peer.log
        .all('message')
        .slice(0, 50)
        .map((entry) => entry.value),
      Array.from({ length: 50 }, (_, index) => index),
    );
    t.is(peer.log.all('message')[50].value.length, 20_000);
    t.is(connection.queuedMessages, 0);
  });

  row(transport, 'Behaviour 1 establishment: sends after the end fail at once', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const { connection: closed } = await bench.connect(uri);
    await closed.close();
    t.throws(() => closed.send(1), { code: 'ERR_HEDDLE_CLOSED' });
    await t.throwsAsync(closed.request(1), { code: 'ERR_HEDDLE_CLOSED' });
    await t.throwsAsync(closed.deliver(1), { code: 'ERR_HEDDLE_CLOSED' });
    const { connection: lost } = await bench.connect(uri);
    await peer.handle.terminate();
    await lost.ended;
    t.is(lost.state, 'disconnected');
    t.throws(() => lost.send(1), { code: 'ERR_HEDDLE_DISCONNECTED' });
    await t.throwsAsync(lost.request(1), { code: 'ERR_HEDDLE_DISCONNECTED' });
    await lost.ready();
    t.is(await lost.cancel(1), 'not-found');
  });

  row(transport, 'Behaviour 1 establishment: connecting to nowhere is refused', async (t, bench) => {
    const uri = transport.nowhere();
    const { log, handlers } = recorder();
    const session = bench.context.open(uri, handlers);
    const queued = session.connection.request('to nobody');
    await t.throwsAsync(session.connection.online, { code: 'ERR_HEDDLE_REFUSED' });
    await t.throwsAsync(queued, { code: 'ERR_HEDDLE_FLUSHED' });
    await session.ended;
    t.deepEqual(log.types, ['session-refused', 'connection-disconnected', 'connection-teardown', 'session-teardown']);
    t.is(log.entries[0].state, 'refused');
    t.is(session.state, 'closed');
    t.is(bench.context.connectionCount, 0);
  });

  row(
    transport,
    'Behaviour 1 establishment: a session that nobody decides ends at its connect timeout',
    async (t, bench) => {
      const peer = await bench.peer();
      const uri = await peer.run(async ({ context, state, note, events }, portal) => {
        state.server = await context.listen(portal, {
          ...events,
          onSession: (request) => {
            if (String(request.privateData) === 'decide') return request.accept();
            state.request = request;
            note('asked');
            return new Promise(() => {});
          },
        });
        return state.server.uri as string;
      }, transport.portal());
      // The link is there then: all of the time is the session's.
      const decided = await bench.connect(uri, { privateData: Buffer.from('decide') });
      await decided.connection.close();
      const session = bench.context.open(uri, { options: { connectTimeoutMs: 200 * slowness } });
      await t.throwsAsync(session.connection.online, { code: 'ERR_HEDDLE_TIMEOUT' });
      t.is(peer.log.all('asked').length, 1);
      // A decision that comes too late leaves no half of a session behind.
      await peer.run(({ state }) => state.request.accept());
      await peer.log.until('session-teardown', 2);
      t.is(await peer.run(({ context }) => context.connectionCount), 0);
    },
  );

  row(
    transport,
    'Behaviour 1 establishment: closing before the session is decided leaves nothing behind',
    async (t, bench) => {
      const peer = await bench.peer();
      const uri = await peer.run(async ({ context, state, note, events }, portal) => {
        state.server = await context.listen(portal, {
          ...events,
          onSession: (request) => {
            note('asked');
            return new Promise((resolve) => {
              state.decide = resolve;
              state.request = request;
            });
          },
        });
        return state.server.uri as string;
      }, transport.portal());
      const { log, handlers } = recorder();
      const session = bench.context.open(uri, handlers);
      const queued = session.connection.request(1);
      await peer.log.until('asked');
      await Promise.all([session.close(), t.throwsAsync(queued, { code: 'ERR_HEDDLE_FLUSHED' })]);
      t.deepEqual(log.types, ['connection-closed', 'connection-teardown', 'session-teardown']);
      await t.throwsAsync(session.connection.online, { code: 'ERR_HEDDLE_CLOSED' });
      await peer.run(({ state }) => state.decide());
      await peer.log.until('session-teardown');
      t.is(await peer.run(({ context }) => context.connectionCount), 0);
    },
  );

  row(transport, 'Behaviour 1 reject: reason and private data reach the client', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      state.server = await context.listen(portal, {
        onSession: (request) => request.reject(`not for ${request.privateData}`, Buffer.from('try tomorrow')),
      });
      return state.server.uri as string;
    }, transport.portal());
    const { log, handlers } = recorder();
    const session = bench.context.open(uri, { ...handlers, privateData: Buffer.from('you') });
    await t.throwsAsync(session.connection.online, { code: 'ERR_HEDDLE_REJECTED', message: /not for you/ });
    await session.ended;
    t.deepEqual(log.types, ['session-rejected', 'connection-disconnected', 'connection-teardown', 'session-teardown']);
    t.like(log.entries[0], { state: 'rejected', reason: 'not for you', privateData: 'try tomorrow' });
    t.is(await peer.run(({ context }) => context.connectionCount), 0);
  });

  row(
    transport,
    'Behaviour 1 accept: without a decision a session is accepted, also later; a failing handler rejects',
    async (t, bench) => {
      const peer = await bench.peer();
      const uri = await peer.run(async ({ context, state, delay }, portal) => {
        state.server = await context.listen(portal, {
          onSession: async (request) => {
            await delay(5);
            if (String(request.privateData) === 'fail') throw new Error('out of order');
          },
          onRequest: () => 'accepted',
        });
        return state.server.uri as string;
      }, transport.portal());
      const { connection } = await bench.connect(uri);
      t.is((await connection.request(0)).value, 'accepted');
      await t.throwsAsync(bench.context.connect(uri, { privateData: Buffer.from('fail') }), {
        code: 'ERR_HEDDLE_REJECTED',
      });
      t.regex((await peer.log.until('report')).message, /out of order/);
    },
  );

  row(transport, 'Behaviour 1 accept: a session is decided once', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.server = await context.listen(portal, {
        onSession: (request) => {
          request.accept();
          for (const again of [() => request.accept(), () => request.reject('no'), () => request.redirect('shm://x')]) {
            try {
              again();
            } catch (error) {
              note('twice', { code: (error as { code: string }).code });
            }
          }
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    await bench.connect(uri);
    await peer.log.until('twice', 3);
    t.deepEqual(
      peer.log.all('twice').map((entry) => entry.code),
      Array(3).fill('ERR_HEDDLE_INVALID_STATE'),
    );
  });

  row(transport, 'Behaviour 1 accept with portals: connection k goes to portals[k mod n]', async (t, bench) => {
    const { uri, servers } = await portalService(bench, 2);
    const session = bench.context.open(uri, { privateData: Buffer.from('from the client') });
    // Handed out while the session is still being set up.
    const ticket = session.ticket();
    const joiners = await Promise.all([1, 2, 3].map(() => bench.threadPeer()));
    const joined = await Promise.all(joiners.map((joiner) => joinAndAsk(joiner, ticket)));
    const lead = { index: 0, portal: (await (await session.connection.online).request('where')).value as number };
    const everyone = [lead, ...joined].sort((one, other) => one.index - other.index);
    t.deepEqual(everyone, [
      { index: 0, portal: 0 },
      { index: 1, portal: 1 },
      { index: 2, portal: 0 },
      { index: 3, portal: 1 },
    ]);
    for (const server of servers) {
      t.deepEqual(
        await server.run(({ state }) =>
          state.server.sessions.map((one: ClientSession) => [
            one.id,
            one.connections.length,
            String(one.peerPrivateData),
          ]),
        ),
        [[session.id, 2, 'from the client']],
      );
    }
    t.is(String(session.peerPrivateData), 'from the service');
    await session.close();
    t.is(session.state, 'closed');
    const [rest] = await Promise.all(
      joiners.map((joiner) => joiner.run(async ({ state }) => String((await state.connection.request('where')).value))),
    );
    t.truthy(rest, 'the other connections of the session go on without the lead');
  });

  row(
    transport,
    'Behaviour 1 accept with portals: joining a session of one portal, and of one that is closing',
    async (t, bench) => {
      const { peer, uri } = await bench.echo();
      const { connection } = await bench.connect(uri, { privateData: Buffer.from('x') });
      const ticket = (connection.session as ClientSession).ticket();
      const joiner = await bench.threadPeer();
      t.is(
        await joiner.run(async ({ context, state, events }, given: SessionTicket) => {
          state.connection = await context.join(given, events);
          return (await state.connection.request('joined')).value as string;
        }, ticket),
        'joined',
      );
      t.is(await peer.run(({ state }) => state.server.sessions.length), 1);
      t.is(await peer.run(({ state }) => state.server.sessions[0].connections.length), 2);
      await peer.run(({ state }) => state.server.close());
      await connection.ended;
      await joiner.log.until('session-teardown');
      t.is(peer.log.all('connection-teardown').length, 2);
      t.is(peer.log.all('session-teardown').length, 1);
      const late = await bench.threadPeer();
      const code = await late.run(
        ({ context }, given: SessionTicket) => context.join(given).catch((error: { code: string }) => error.code),
        ticket,
      );
      t.is(code, 'ERR_HEDDLE_REFUSED');
    },
  );

  row(
    transport,
    'Behaviour 1 accept with portals: who joins a session that is never established is refused',
    async (t, bench) => {
      const session = bench.context.open(transport.nowhere());
      const ticket = session.ticket();
      await t.throwsAsync(session.connection.online);
      const joiner = await bench.threadPeer();
      const code = await joiner.run(
        ({ context }, given: SessionTicket) => context.join(given).catch((error: { code: string }) => error.code),
        ticket,
      );
      t.is(code, 'ERR_HEDDLE_REFUSED');
    },
  );

  row(transport, 'Behaviour 1 redirect: a chain is followed, past a first service that is dead', async (t, bench) => {
    const { uri: last } = await bench.echo();
    const middle = await bench.peer();
    const redirect = (
      { context, state }: Parameters<Parameters<Peer['run']>[0]>[0],
      terms: { portal: string; to: string[] },
    ) =>
      context.listen(terms.portal, { onSession: (request) => request.redirect(...terms.to) }).then((server) => {
        state[terms.portal] = server;
        return server.uri;
      });
    const second = await middle.run(redirect, { portal: transport.portal(), to: [transport.nowhere(), last] });
    const first = await bench.context.listen(transport.portal(), { onSession: (request) => request.redirect(second) });
    const { connection, log } = await bench.connect(first.uri);
    t.is((await connection.request('found')).value, 'found');
    t.is(connection.session.uri, last);
    t.deepEqual(log.types, [
      'session-redirected',
      'session-redirected',
      'session-established',
      'connection-established',
    ]);
    t.is(log.entries[0].state, 'redirected');
    t.deepEqual(log.entries[0].services, [second]);
    t.is(await middle.run(({ context }) => context.connectionCount), 0);
  });

  row(transport, 'Behaviour 1 redirect: to services that are all dead is refused', async (t, bench) => {
    const services = [transport.nowhere(), transport.nowhere()];
    const server = await bench.context.listen(transport.portal(), {
      onSession: (request) => request.redirect(...services),
    });
    await t.throwsAsync(bench.context.connect(server.uri), { code: 'ERR_HEDDLE_REFUSED' });
    t.is(bench.context.connectionCount, 0);
  });

  row(transport, 'Behaviour 1 redirect: a loop ends', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.server = await context.listen(portal, {
        onSession: (request) => {
          note('asked');
          request.redirect(state.server.uri);
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    await t.throwsAsync(bench.context.connect(uri), { code: 'ERR_HEDDLE_REFUSED', message: /maximumRedirects/ });
    await peer.log.until('asked', 9);
    t.is(peer.log.all('asked').length, 9);
  });

  row(transport, 'Behaviour 1 establishment: both sides must use the same codec', async (t, bench) => {
    const { uri } = await bench.echo({ context: { codec: 'json' } });
    await t.throwsAsync(bench.context.connect(uri), { code: 'ERR_HEDDLE_REFUSED', message: /codec=json.*codec=/ });
    const other = await bench.peer({ codec: 'json' });
    const value = await other.run(async ({ context }, target) => {
      const connection = await context.connect(target);
      return (await connection.request({ same: [1, 'codec'] })).value as unknown;
    }, uri);
    t.deepEqual(value, { same: [1, 'codec'] });
  });

  row(transport, 'Behaviour 1 establishment: a service may have another codec than its context', async (t, bench) => {
    const peer = await bench.peer({ codec: 'json' });
    const uri = await peer.run(async ({ context, state }, portal) => {
      const handlers = { onRequest: (message: Message) => message.value as unknown };
      state.server = await context.listen(portal, { codec: 'compact', ...handlers });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    const value = { aMap: new Map([['only compact', 1n]]), long: 'x'.repeat(100_000) };
    t.deepEqual((await connection.request(value)).value, value);
    await connection.close();
    await t.throwsAsync(bench.context.connect(uri, { codec: 'json' }), {
      code: 'ERR_HEDDLE_REFUSED',
      message: /codec=compact.*codec=json/,
    });
    await t.throwsAsync(bench.context.connect(uri, { codec: 'nobody' }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    await t.throwsAsync(bench.context.listen(transport.portal(), { codec: 'nobody' }), {
      code: 'ERR_HEDDLE_INVALID_ARGUMENT',
    });
  });
}

/** A service whose lead context hands out the portals of `count` others, each of which tells its number when asked. */
async function portalService(bench: Bench, count: number): Promise<{ uri: string; servers: Peer[] }> {
  const servers = await Promise.all(Array.from({ length: count }, () => bench.peer()));
  const portals = await Promise.all(
    servers.map((server, number) =>
      server.run(
        async ({ context, state, events }, terms) => {
          state.server = await context.listen(terms.portal, { ...events, onRequest: () => terms.number });
          return state.server.uri as string;
        },
        { portal: bench.transport.portal(), number },
      ),
    ),
  );
  const lead = await bench.peer();
  const uri = await lead.run(
    async ({ context, state, delay }, terms) => {
      state.server = await context.listen(terms.portal, {
        onSession: async (request) => {
          await delay(30);
          request.accept({ portals: terms.portals, privateData: Buffer.from('from the service') });
        },
      });
      return state.server.uri as string;
    },
    { portal: bench.transport.portal(), portals },
  );
  return { uri, servers };
}

function joinAndAsk(joiner: Peer, ticket: SessionTicket): Promise<{ index: number; portal: number }> {
  return joiner.run(async ({ context, state, events }, given: SessionTicket) => {
    state.connection = await context.join(given, events);
    const response = await state.connection.request('where');
    return { index: state.connection.index as number, portal: response.value as number };
  }, ticket);
}
