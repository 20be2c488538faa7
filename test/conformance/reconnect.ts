import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOptions, Receipt } from '../../src/index.js';
import { type Bench, row, slowness } from './bench.js';
import { recorder } from './event-log.js';
import type { Peer } from './peer.js';
import type { CuttableWire, TestedTransport } from './transports.js';

const reconnecting = { reconnectTimeoutMs: 10_000 * slowness, reconnectDelayMs: 5 };

/** Behaviour 7: reconnect. */
export function registerReconnect(transport: TestedTransport): void {
  row(
    transport,
    'Behaviour 7 reconnect: together with keepalive: a peer that was silent is taken up again',
    async (t, bench) => {
      const { peer, uri } = await counting(bench, reconnecting);
      const idleMs = 50 * slowness;
      const { connection, log } = await bench.connect(uri, {
        options: { ...reconnecting, keepaliveIdleMs: idleMs, keepaliveIntervalMs: idleMs, keepaliveProbes: 2 },
      });
      t.is((await connection.request(1)).value, 1);
      const unblock = await peer.block();
      const waiting = connection.request(2);
      t.is((await log.until('connection-reconnecting')).code, 'ERR_HEDDLE_PEER_SILENT');
      t.is(connection.state, 'established');
      await unblock();
      t.is((await waiting).value, 2);
      t.is((await connection.request(3)).value, 3);
      t.deepEqual(await handled(peer), [1, 2, 3]);
      t.deepEqual(log.types, [
        'session-established',
        'connection-established',
        'connection-reconnecting',
        'connection-reconnected',
      ]);
      await connection.close();
    },
  );

  row(transport, 'Behaviour 7 reconnect: a context that is gone for good is given up', async (t, bench) => {
    const { peer, uri } = await counting(bench, reconnecting);
    const { connection, log } = await bench.connect(uri, {
      options: { reconnectTimeoutMs: 150, reconnectDelayMs: 10 },
    });
    await peer.handle.terminate();
    await connection.session.ended;
    t.deepEqual(log.types.slice(2), [
      'connection-reconnecting',
      'connection-disconnected',
      'connection-teardown',
      'session-teardown',
    ]);
    t.regex(log.all('connection-disconnected')[0].message, /reconnectTimeoutMs=150/);
  });

  row(
    transport,
    'Behaviour 7 reconnect: another server at the address refuses what it does not know',
    async (t, bench) => {
      const { peer, uri } = await counting(bench, reconnecting);
      const { connection, log } = await bench.connect(uri, { options: reconnecting });
      const waiting = connection.request('keep');
      await peer.log.until('kept');
      const refused = t.throwsAsync(waiting, { code: 'ERR_HEDDLE_FLUSHED' });
      await peer.handle.terminate();
      await log.until('connection-reconnecting');
      await counting(bench, reconnecting, uri);
      await refused;
      await connection.session.ended;
      t.is(log.all('connection-disconnected')[0].code, 'ERR_HEDDLE_REFUSED');
      const { connection: anew } = await bench.connect(uri);
      t.is((await anew.request(1)).value, 1);
    },
  );

  row(transport, 'Behaviour 7 reconnect: not without both sides wanting it', async (t, bench) => {
    const { peer, uri } = await counting(bench, {});
    const { connection, log } = await bench.connect(uri, { options: reconnecting });
    await peer.handle.terminate();
    await connection.session.ended;
    t.deepEqual(log.types.slice(2), ['connection-disconnected', 'connection-teardown', 'session-teardown']);
  });

  const { wire: makeWire } = transport;
  if (makeWire === undefined) return;

  const wired = async (bench: Bench, options: Partial<ConnectionOptions> = {}) => {
    const { peer, uri } = await counting(bench, { ...reconnecting, ...options });
    const wire = await makeWire(uri);
    bench.t.teardown(() => wire.close());
    const { connection, log } = await bench.connect(wire.uri, { options: { ...reconnecting, ...options } });
    return { peer, uri, wire, connection, log };
  };

  row(
    transport,
    'Behaviour 7 reconnect: in-flight requests are answered once, handlers run once, order is kept',
    async (t, bench) => {
      const { peer, wire, connection, log } = await wired(bench);
      const answers: number[] = [];
      const requests: Promise<unknown>[] = [];
      for (let round = 0; round < 10; round++) {
        for (let index = 0; index < 100; index++) {
          const number = round * 100 + index;
          requests.push(connection.request(number).then((response) => answers.push(response.value)));
        }
        // The cut falls anywhere: before, amid or after what has just been sent.
        if (round % 2 === 0) wire.cut();
        else wire.cutAfterBytes(700);
        await log.until('connection-reconnected', round + 1);
      }
      await Promise.all(requests);
      const inOrder = Array.from({ length: 1_000 }, (_, index) => index);
      t.deepEqual(await handled(peer), inOrder);
      t.deepEqual(answers, inOrder);
      t.is(log.all('connection-reconnecting').length, 10);
      t.is(connection.state, 'online');
      await connection.close();
      await peer.log.until('session-teardown');
      t.is(peer.log.all('connection-reconnected').length, 10);
      if (transport.cutLosesData) t.true(bench.context.statistics.messagesResent > 0);
    },
  );

  row(
    transport,
    'Behaviour 7 reconnect: a large message that is cut in the middle arrives whole, and once',
    async (t, bench) => {
      const { peer, wire, connection, log } = await wired(bench);
      const bytes = Buffer.alloc(3_000_000);
      for (let index = 0; index < bytes.length; index += 4) bytes.writeUInt32LE(index, index);
      wire.cutAfterBytes(1_000_000);
      const sent: string[] = [];
      const request = connection.request(bytes, { onSent: () => sent.push('large') });
      connection.send('behind it');
      const response = await request;
      t.true(response.data.equals(bytes));
      response.release();
      t.is(log.all('connection-reconnected').length, 1);
      t.deepEqual(await handled(peer), [3_000_000, 'behind it']);
      t.deepEqual(sent, ['large']);
      await connection.close();
      await peer.log.until('session-teardown');
      t.is(bench.context.memory.buffersHeld, 0);
      t.is(await peer.run(({ context }) => context.memory.buffersHeld), 0);
    },
  );

  row(transport, 'Behaviour 7 reconnect: receipts and one-way messages too, each once', async (t, bench) => {
    const { peer, wire, connection, log } = await wired(bench);
    const deliveries: Promise<unknown>[] = [];
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < 20; index++) deliveries.push(connection.deliver(round * 20 + index));
      wire.cut();
      await log.until('connection-reconnected', round + 1);
    }
    t.is((await Promise.all(deliveries)).length, 100);
    t.deepEqual(
      await handled(peer),
      Array.from({ length: 100 }, (_, index) => index),
    );
  });

  row(transport, 'Behaviour 7 reconnect: credits are neither lost nor gained', async (t, bench) => {
    const depth = { receiveDepthMessages: 8, receiveDepthBytes: 50_000 };
    const { peer, wire, connection, log } = await wired(bench, depth);
    for (let round = 0; round < 10; round++) {
      const requests = Array.from({ length: 30 }, (_, index) => connection.request(Buffer.alloc(10_000, index)));
      wire.cutAfterBytes(25_000);
      await Promise.all(requests);
    }
    t.is(connection.state, 'online');
    t.is((await handled(peer)).length, 300);
    t.true(log.all('connection-reconnected').length > 0);
    t.true(connection.freeSendMessages <= 8 && connection.freeSendBytes <= 50_000);
    await connection.close();
  });

  row(transport, 'Behaviour 7 reconnect: sends wait while there is no wire', async (t, bench) => {
    const { peer, wire, connection, log } = await wired(bench);
    wire.refuse(true);
    wire.cut();
    await log.until('connection-reconnecting');
    t.false(connection.send('meanwhile'));
    const request = connection.request('asked meanwhile');
    t.is(connection.queuedMessages, 2);
    wire.refuse(false);
    t.is((await request).value, 'asked meanwhile');
    t.deepEqual(await handled(peer), ['meanwhile', 'asked meanwhile']);
  });

  if (transport.cutLosesData) {
    // Where data goes beside the wire that is cut, all of it may get through, and the close, too.
    row(
      transport,
      'Behaviour 7 reconnect: none; a wire that is lost while closing is told as lost',
      async (t, bench) => {
        for (const reconnectTimeoutMs of [0, 10_000]) {
          const { peer, wire, connection, log } = await wired(bench, { reconnectTimeoutMs });
          for (let index = 0; index < 10; index++) connection.send(Buffer.alloc(30_000, index));
          wire.cutAfterBytes(40_000);
          await connection.close();
          const ends = log.types.slice(2).filter((type) => type !== 'message-error');
          t.deepEqual(ends, ['connection-disconnected', 'connection-teardown', 'session-teardown']);
          const [{ code, message }] = log.all('connection-disconnected');
          t.is(code, 'ERR_HEDDLE_DISCONNECTED');
          t.regex(message, /while the connection was closing: what was sent last may not have arrived/);
          t.true((await handled(peer)).length < 10);
          t.throws(() => connection.send(1), { code: 'ERR_HEDDLE_DISCONNECTED' });
        }
      },
    );
  }

  row(transport, 'Behaviour 7 reconnect: none; what is cut in the middle comes back, once', async (t, bench) => {
    const { wire, connection, log } = await wired(bench, { reconnectTimeoutMs: 0 });
    const told: string[] = [];
    const large = (name: string) => ({
      context: name,
      onSent: () => told.push(`${name} sent`),
      onReceipt: ({ accepted }: Receipt) => told.push(`${name} accepted=${accepted}`),
    });
    wire.cutAfterBytes(1_000_000);
    connection.send(Buffer.alloc(8_000_000), large('first'));
    connection.send(Buffer.alloc(8_000_000), large('second'));
    await connection.session.ended;
    for (const { context, status } of log.all('message-error')) told.push(`${context} ${status}`);
    t.is(told.filter((what) => what.includes('accepted=')).length, 2);
    const fates = told.filter((what) => !what.includes('accepted=')).sort();
    // Where the data goes beside the wire that is cut, the first may have got through.
    if (fates[0] === 'first sent' && !transport.cutLosesData) fates[0] = 'first flushed';
    t.deepEqual(fates, ['first flushed', 'second flushed']);
    // Until nothing of it can be under way any more.
    for (let tries = 0; bench.context.memory.buffersHeld > 0 && tries < 1000; tries++) await delay(5);
    t.is(bench.context.memory.buffersHeld, 0);
  });

  row(transport, 'Behaviour 7 reconnect: is given up after reconnectTimeoutMs, on both sides', async (t, bench) => {
    const { peer, uri } = await counting(bench, { reconnectTimeoutMs: 100 });
    const wire = await makeWire(uri);
    t.teardown(() => wire.close());
    const { connection, log } = await bench.connect(wire.uri, {
      options: { reconnectTimeoutMs: 100, reconnectDelayMs: 5 },
    });
    wire.refuse(true);
    const waiting = connection.request('keep');
    await peer.log.until('kept');
    wire.cut();
    await t.throwsAsync(waiting, { code: 'ERR_HEDDLE_FLUSHED' });
    await connection.session.ended;
    await peer.log.until('session-teardown');
    for (const side of [log, peer.log]) {
      t.deepEqual(
        side.types.filter((type) => type.startsWith('connection')),
        ['connection-established', 'connection-reconnecting', 'connection-disconnected', 'connection-teardown'],
      );
      t.like(side.all('connection-disconnected')[0], {
        code: 'ERR_HEDDLE_DISCONNECTED',
        causeCode: 'ERR_HEDDLE_DISCONNECTED',
      });
    }
  });

  row(transport, 'Behaviour 7 reconnect: closing while there is no wire ends both sides', async (t, bench) => {
    const { peer, wire, connection, log } = await wired(bench, { reconnectTimeoutMs: 200 });
    wire.refuse(true);
    wire.cut();
    await log.until('connection-reconnecting');
    connection.send('never sent');
    await connection.close();
    t.deepEqual(log.types.slice(3), ['connection-closed', 'message-error', 'connection-teardown', 'session-teardown']);
    await peer.log.until('session-teardown');
  });

  row(
    transport,
    'Behaviour 7 reconnect: a connection beside it that does not want it is ended alone',
    async (t, bench) => {
      const { wire, connection, log } = await wired(bench);
      const { handlers, log: otherLog } = recorder();
      const other = await bench.context.connect(wire.uri, handlers);
      t.is(other.link, connection.link);
      wire.cut();
      await other.ended;
      t.true(otherLog.types.includes('connection-disconnected'));
      await log.until('connection-reconnected');
      t.is((await connection.request('goes on')).value, 'goes on');
    },
  );
}

/** A service that notes what it handles, in order, and answers with it; `keep` is never answered. */
async function counting(
  bench: Bench,
  options: Partial<ConnectionOptions>,
  portal = bench.transport.portal(),
): Promise<{ peer: Peer; uri: string; wire?: CuttableWire }> {
  const peer = await bench.peer();
  const uri = await peer.run(
    async ({ context, events, state, note }, terms) => {
      state.handled = [];
      const handle = (message: import('../../src/index.js').Message) => {
        const { value } = message;
        if (value === 'keep') {
          message.keep();
          note('kept');
          return undefined;
        }
        state.handled.push(value instanceof Uint8Array ? value.length : value);
        return value;
      };
      state.server = await context.listen(terms.portal, {
        ...events,
        options: terms.options,
        onRequest: handle,
        onMessage: handle,
      });
      return state.server.uri as string;
    },
    { portal, options },
  );
  return { peer, uri };
}

function handled(peer: Peer): Promise<unknown[]> {
  return peer.run(({ state }) => state.handled as unknown[]);
}
