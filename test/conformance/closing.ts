import type { ClientSession, Message } from '../../src/index.js';
import { type Bench, row } from './bench.js';
import { describeError, type EventLog, recorder } from './event-log.js';
import type { Peer } from './peer.js';
import type { TestedTransport } from './transports.js';

const hugeTimeoutMs = 2 ** 31 - 1;
const closedInOrder = ['connection-closed', 'connection-teardown', 'session-teardown'];

/** Behaviour 3: closing. Its time limit is set so high that nothing but the closing itself can end a connection. */
export function registerClosing(transport: TestedTransport): void {
  const patient = { closeTimeoutMs: hugeTimeoutMs };

  row(transport, 'Behaviour 3 closing: idle, from the client: no timer is waited for', async (t, bench) => {
    const { peer, uri } = await bench.echo({ connection: patient });
    const { connection, log } = await bench.connect(uri, { options: patient });
    await connection.close();
    await peer.log.until('session-teardown');
    t.deepEqual(ending(log), closedInOrder);
    t.deepEqual(ending(peer.log), closedInOrder);
    t.false(log.all('connection-closed')[0].byPeer);
    t.true(peer.log.all('connection-closed')[0].byPeer);
    t.is(bench.context.connectionCount, 0);
    t.is(await peer.run(({ context }) => context.connectionCount), 0);
    await connection.close();
  });

  row(transport, 'Behaviour 3 closing: idle, from the server', async (t, bench) => {
    const { peer, uri } = await bench.echo({ connection: patient });
    const { connection, log } = await bench.connect(uri, { options: patient });
    await peer.run(({ state }) => state.server.sessions[0].close());
    await connection.session.ended;
    t.deepEqual(ending(log), closedInOrder);
    t.true(log.all('connection-closed')[0].byPeer);
    t.deepEqual(ending(peer.log), closedInOrder);
    t.throws(() => connection.send(1), { code: 'ERR_HEDDLE_CLOSED' });
  });

  row(transport, 'Behaviour 3 closing: both sides at once, many times over', async (t, bench) => {
    const { peer, uri } = await bench.echo({ connection: patient });
    for (let round = 1; round <= 20; round++) {
      const { connection, log } = await bench.connect(uri, { options: patient });
      const theirs = peer.run(({ state }) => state.server.sessions[0]?.close());
      await Promise.all([connection.close(), theirs, connection.ended]);
      await peer.log.until('session-teardown', round);
      t.deepEqual(ending(log), closedInOrder);
    }
    t.deepEqual(ending(peer.log), Array(20).fill(closedInOrder).flat());
  });

  row(transport, 'Behaviour 3 closing: sends everything that is queued before the fin', async (t, bench) => {
    const { peer, uri } = await bench.echo({ connection: { ...patient, receiveDepthMessages: 4 } });
    const { connection, log } = await bench.connect(uri, { options: patient });
    for (let index = 0; index < 100; index++) connection.send(index);
    connection.send(Buffer.alloc(100_000, 1));
    t.true(connection.queuedMessages > 0);
    const closing = connection.close();
    t.is(connection.state, 'fin-wait-1');
    t.throws(() => connection.send('too late'), { code: 'ERR_HEDDLE_CLOSED' });
    await closing;
    await peer.log.until('session-teardown');
    t.deepEqual(ending(log), closedInOrder);
    const values = peer.log.all('message').map((entry) => entry.value);
    t.deepEqual(
      values.slice(0, 100),
      Array.from({ length: 100 }, (_, index) => index),
    );
    t.is(values[100].length, 100_000);
    t.true(peer.log.types.lastIndexOf('message') < peer.log.types.indexOf('connection-closed'));
  });

  row(transport, 'Behaviour 3 closing: what the other side has queued still arrives', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(
      async ({ context, events, state }, { portal, options }) => {
        state.server = await context.listen(portal, {
          ...events,
          options,
          onMessage: (_message, connection) => {
            for (let index = 0; index < 100; index++) connection.send(index);
          },
        });
        return state.server.uri as string;
      },
      { portal: transport.portal(), options: patient },
    );
    const got: number[] = [];
    const { connection, log } = await bench.connect(uri, {
      options: { ...patient, receiveDepthMessages: 4 },
      onMessage: (message) => {
        got.push(message.value);
      },
    });
    connection.send('go');
    await connection.close();
    t.is(got.length, 100);
    t.deepEqual(ending(log), closedInOrder);
    await peer.log.until('session-teardown');
    t.deepEqual(ending(peer.log), closedInOrder);
  });

  for (const closer of ['client', 'server'] as const) {
    row(
      transport,
      `Behaviour 3 closing: unanswered requests are flushed once each, the ${closer} closing`,
      async (t, bench) => {
        const { peer, uri } = await keeper(bench);
        const { log, handlers } = recorder();
        const kept: Message[] = [];
        const { connection } = await bench.connect(uri, {
          ...handlers,
          options: patient,
          onRequest: (message) => {
            kept.push(message.keep());
          },
        });
        for (let index = 0; index < 5; index++) {
          connection.request(index).catch((error) => log.add({ type: 'flushed', ...describeError(error) }));
        }
        const theirs = peer.run(async ({ state, note, describeError }) => {
          const [connection] = state.server.sessions[0].connections;
          const request = connection.request('to the client');
          request.catch((error: unknown) => note('flushed', describeError(error)));
        });
        await Promise.all([peer.log.until('kept', 5), theirs]);
        while (kept.length === 0) await new Promise((resolve) => setImmediate(resolve));
        if (closer === 'client') await connection.close();
        else await peer.run(({ state }) => state.server.sessions[0].close());
        await Promise.all([connection.session.ended, peer.log.until('session-teardown'), peer.log.until('flushed')]);
        await log.until('flushed', 5);
        t.deepEqual(ending(log), closedInOrder);
        t.is(log.all('flushed').length, 5);
        for (const entry of log.all('flushed'))
          t.like(entry, { code: 'ERR_HEDDLE_FLUSHED', causeCode: 'ERR_HEDDLE_CLOSED' });
        t.is(peer.log.all('flushed').length, 1);
        t.like(peer.log.all('flushed')[0], { code: 'ERR_HEDDLE_FLUSHED', causeCode: 'ERR_HEDDLE_CLOSED' });
      },
    );
  }

  row(
    transport,
    'Behaviour 3 closing: order of events: end, message errors, connection teardown, session teardown',
    async (t, bench) => {
      const { peer, uri } = await keeper(bench, { receiveDepthMessages: 2 });
      const { log, handlers } = recorder();
      const { connection } = await bench.connect(uri, handlers);
      const waiter = {
        onResponse: () => log.add({ type: 'response' }),
        onError: (error: Error) => log.add({ type: 'request-error', ...describeError(error) }),
      };
      connection.requestWith('kept', waiter);
      connection.requestWith('kept', waiter);
      connection.requestWith('waits for credits', waiter);
      connection.send('unsent', { context: 'mine' });
      await peer.log.until('kept', 2);
      await peer.handle.terminate();
      await connection.session.ended;
      t.deepEqual(ending(log), [
        'connection-disconnected',
        'request-error',
        'message-error',
        'request-error',
        'request-error',
        'connection-teardown',
        'session-teardown',
      ]);
      t.like(log.all('message-error')[0], {
        status: 'flushed',
        direction: 'out',
        kind: 'one-way',
        context: 'mine',
        code: 'ERR_HEDDLE_FLUSHED',
      });
      t.is(connection.state, 'disconnected');
    },
  );

  row(
    transport,
    'Behaviour 3 closing: answering after the end is discarded, answering twice is an error',
    async (t, bench) => {
      const { peer, uri } = await keeper(bench);
      const { connection } = await bench.connect(uri);
      const answered = connection.request('first');
      connection.request('second').catch(() => {});
      await peer.log.until('kept', 2);
      await peer.run(({ state, note }) => {
        state.kept[0].respond('once');
        for (const again of [() => state.kept[0].respond('twice'), () => state.kept[0].respondError(new Error())]) {
          try {
            again();
          } catch (error) {
            note('twice', { code: (error as { code: string }).code });
          }
        }
      });
      t.is((await answered).value, 'once');
      await peer.log.until('twice', 2);
      for (const entry of peer.log.all('twice')) t.is(entry.code, 'ERR_HEDDLE_ALREADY_ANSWERED');
      await connection.close();
      await peer.log.until('session-teardown');
      await peer.run(({ state }) => state.kept[1].respond('nobody waits', { context: 'my answer' }));
      t.like(await peer.log.until('message-error'), {
        status: 'discarded',
        direction: 'out',
        kind: 'response',
        code: 'ERR_HEDDLE_DISCARDED',
        context: 'my answer',
        payload: 'nobody waits',
      });
      const code = await peer.run(({ state }) => {
        try {
          state.kept[1].respond('again');
          return 'no error';
        } catch (error) {
          return (error as { code: string }).code;
        }
      });
      t.is(code, 'ERR_HEDDLE_ALREADY_ANSWERED');
    },
  );

  row(transport, 'Behaviour 3 closing: a kept request learns of the end by its signal', async (t, bench) => {
    const { peer, uri } = await keeper(bench);
    const { connection } = await bench.connect(uri);
    connection.request('kept').catch(() => {});
    await peer.log.until('kept');
    await connection.close();
    t.is((await peer.log.until('aborted')).code, 'ERR_HEDDLE_FLUSHED');
  });

  row(transport, 'Behaviour 3 closing: a peer that never finishes is given up at closeTimeoutMs', async (t, bench) => {
    const { peer, uri } = await keeper(bench, { receiveDepthMessages: 1 });
    const { connection, log } = await bench.connect(uri, { options: { closeTimeoutMs: 50 } });
    connection.send('kept by the peer, which has no room for more');
    connection.send('never sent');
    await connection.close();
    t.deepEqual(ending(log), ['connection-closed', 'message-error', 'connection-teardown', 'session-teardown']);
    await peer.log.until('session-teardown');
    t.is(await peer.run(({ context }) => context.connectionCount), 0);
  });

  row(transport, 'Behaviour 3 closing: destroy ends both sides at once', async (t, bench) => {
    const { peer, uri } = await keeper(bench, { receiveDepthMessages: 1 });
    const { connection, log } = await bench.connect(uri, { options: patient });
    const other = await bench.connect(uri);
    connection.request('kept').catch(() => {});
    connection.send('never sent');
    await peer.log.until('kept');
    connection.destroy();
    t.deepEqual(ending(log), ['connection-closed', 'message-error', 'connection-teardown', 'session-teardown']);
    await peer.log.until('session-teardown');
    t.deepEqual(ending(peer.log), ['connection-disconnected', 'connection-teardown', 'session-teardown']);
    t.is((await other.connection.request('answer')).value, 'answer', 'others on the same link are not harmed');
  });

  row(
    transport,
    'Behaviour 3 closing: a server that stops closes all sessions, and refuses new ones',
    async (t, bench) => {
      const { peer, uri } = await bench.echo({ connection: patient });
      const connections = await Promise.all([1, 2, 3].map(() => bench.connect(uri)));
      const serverClosing = peer.run(({ state }) => state.server.close());
      await Promise.all(connections.map(({ connection }) => connection.ended));
      await serverClosing;
      for (const { log } of connections) t.deepEqual(ending(log), closedInOrder);
      await t.throwsAsync(bench.context.connect(uri), { code: 'ERR_HEDDLE_REFUSED' });
    },
  );

  row(transport, 'Behaviour 3 closing: a context that stops closes its sessions gracefully', async (t, bench) => {
    const { peer, uri } = await bench.echo({ connection: patient });
    const { connection, log } = await bench.connect(uri, { options: patient });
    const end = await peer.handle.stop();
    await connection.session.ended;
    t.is(end.reason, 'stopped');
    t.deepEqual(ending(log), closedInOrder);
  });

  row(transport, 'Behaviour 3 closing: a session ends after its last connection', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    const joiner = await bench.threadPeer();
    await joiner.run(async ({ context, state, events }, ticket) => {
      state.connection = await context.join(ticket, events);
    }, (connection.session as ClientSession).ticket());
    await connection.close();
    await peer.log.until('connection-teardown');
    t.deepEqual(peer.log.all('session-teardown'), []);
    await joiner.run(({ state }) => state.connection.close());
    await peer.log.until('session-teardown');
    t.deepEqual(ending(peer.log), [
      'connection-closed',
      'connection-teardown',
      'connection-closed',
      'connection-teardown',
      'session-teardown',
    ]);
  });

  row(transport, 'Behaviour 3 closing: a callback that throws is reported, and harms nothing', async (t, bench) => {
    const { uri } = await bench.echo();
    const connection = await bench.context.connect(uri, {
      onEvent: () => {
        throw new Error('my mistake');
      },
    });
    connection.send(1, {
      onSent: () => {
        throw new Error('my mistake');
      },
    });
    t.is((await connection.request(1)).value, 1);
    await connection.close();
    await connection.session.ended;
    // Two events at the beginning, the message, three events at the end.
    t.is(bench.reports.all('report').length, 6);
    t.regex(bench.reports.entries[0].message, /my mistake/);
  });
}

/** The events from the first that says that something ended or went wrong. */
function ending(log: EventLog): string[] {
  const beginnings = ['session-established', 'connection-established', 'message', 'kept', 'flushed', 'aborted'];
  return log.types.filter((type) => !beginnings.includes(type));
}

/** A service that keeps every message but the request `answer`. */
async function keeper(bench: Bench, options: Record<string, number> = {}): Promise<{ peer: Peer; uri: string }> {
  const peer = await bench.peer();
  const uri = await peer.run(
    async ({ context, events, state, note, describeError }, terms) => {
      state.kept = [];
      const keep = (message: Message) => {
        if (message.value === 'answer') return 'answer';
        state.kept.push(message.keep());
        message.signal.addEventListener('abort', () => note('aborted', describeError(message.signal.reason)));
        note('kept');
        return undefined;
      };
      state.server = await context.listen(terms.portal, {
        ...events,
        options: terms.options,
        onRequest: keep,
        onMessage: keep,
      });
      return state.server.uri as string;
    },
    { portal: bench.transport.portal(), options },
  );
  return { peer, uri };
}
