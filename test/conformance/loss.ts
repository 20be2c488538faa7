import type { Receipt } from '../../src/index.js';
import { row, slowness } from './bench.js';
import { recorder } from './event-log.js';
import type { TestedTransport } from './transports.js';

/** Loss of a context, and keepalive (behaviour 6). */
export function registerLoss(transport: TestedTransport): void {
  // Over shared memory the node tells what became of the context; a socket only says that it is gone.
  const lossCode = transport.sharesMemory ? 'ERR_HEDDLE_CONTEXT_LOST' : 'ERR_HEDDLE_DISCONNECTED';

  row(transport, 'Loss of a context: everyone who waits learns of it, with the cause', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.server = await context.listen(portal, {
        options: { receiveDepthMessages: 4 },
        onRequest: (message) => {
          message.keep();
          note('kept');
        },
        onMessage: (message) => {
          message.keep();
          note('kept');
          return new Promise(() => {});
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection, log } = await bench.connect(uri);
    const waiting = {
      request: connection.request('a'),
      receipt: connection.deliver('b'),
      requestReceipt: new Promise<Receipt>((resolve) => {
        connection.request('c', { onReceipt: () => {} }).catch(() => {});
        connection.request('d', { onReceipt: () => {} }).catch(() => {});
        connection.request('never sent', { onReceipt: resolve }).catch(() => {});
      }),
      ready: connection.ready(),
    };
    await peer.log.until('kept', 4);
    await peer.handle.terminate();
    for (const promise of [waiting.request, waiting.receipt]) {
      const error = await t.throwsAsync(promise, { code: 'ERR_HEDDLE_FLUSHED' });
      t.is((error.cause as { code?: string }).code, lossCode);
    }
    t.is((await waiting.requestReceipt).error?.code, 'ERR_HEDDLE_FLUSHED');
    await waiting.ready;
    await connection.session.ended;
    t.is(log.all('connection-disconnected')[0].code, lossCode);
    t.is(bench.context.connectionCount, 0);
  });

  row(transport, 'Loss of a context: in the middle of establishment', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.server = await context.listen(portal, {
        onSession: () => {
          note('asked');
          return new Promise(() => {});
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { log, handlers } = recorder();
    const session = bench.context.open(uri, handlers);
    await peer.log.until('asked');
    await peer.handle.terminate();
    await t.throwsAsync(session.connection.online, { code: lossCode });
    await session.ended;
    t.deepEqual(log.types, ['session-refused', 'connection-disconnected', 'connection-teardown', 'session-teardown']);
  });

  row(transport, 'Loss of a context: of a client, seen by the server; the portal serves others', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const client = await bench.peer();
    await client.run(async ({ context }, target) => {
      await context.connect(target);
    }, uri);
    const { connection } = await bench.connect(uri);
    await client.handle.terminate();
    t.is((await peer.log.until('connection-disconnected')).code, lossCode);
    await peer.log.until('session-teardown');
    t.is((await connection.request('served')).value, 'served');
    t.is(await peer.run(({ context }) => context.connectionCount), 1);
  });

  row(transport, 'Loss of a context: its address can be listened at again, and reached', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    await peer.handle.terminate();
    await connection.ended;
    await bench.echo({ uri });
    const { connection: again } = await bench.connect(uri);
    t.is((await again.request('back')).value, 'back');
  });

  const impatient = { keepaliveIdleMs: 60 * slowness, keepaliveIntervalMs: 60 * slowness, keepaliveProbes: 2 };

  row(transport, 'Behaviour 6 keepalive: a peer that is silent is found out', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const { connection, log } = await bench.connect(uri, { options: impatient });
    await connection.request('for as long as it takes');
    const unblock = await peer.block();
    const waiting = connection.request('nobody hears');
    const error = await t.throwsAsync(waiting, { code: 'ERR_HEDDLE_FLUSHED' });
    t.is((error.cause as { code?: string }).code, 'ERR_HEDDLE_PEER_SILENT');
    await connection.session.ended;
    t.like(log.all('connection-disconnected')[0], { code: 'ERR_HEDDLE_PEER_SILENT', state: 'disconnected' });
    await unblock();
    await peer.log.until('session-teardown');
    const { connection: again } = await bench.connect(uri);
    t.is((await again.request('awake')).value, 'awake');
  });

  row(transport, 'Behaviour 6 keepalive: an idle peer that answers probes stays', async (t, bench) => {
    const { uri } = await bench.echo();
    const { connection, log } = await bench.connect(uri, {
      options: { keepaliveIdleMs: 1, keepaliveIntervalMs: 250 * slowness, keepaliveProbes: 3 },
    });
    const before = connection.inbound.receivedRecords;
    // Pongs arrive although nobody sends a message.
    while (connection.inbound.receivedRecords < before + 10) await new Promise((resolve) => setTimeout(resolve, 5));
    t.is(connection.state, 'online');
    t.deepEqual(log.types, ['session-established', 'connection-established']);
    t.is(bench.context.statistics.messagesReceived, 0);
  });

  row(transport, 'Behaviour 6 keepalive: any traffic counts as life', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      state.server = await context.listen(portal, {
        onMessage: (_message, connection) => {
          const timer = setInterval(() => {
            if (connection.state === 'online') connection.send('life');
            else clearInterval(timer);
          }, 5);
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const idleMs = 100;
    // A probe needs a silence of its own between two looks. A machine that is busy elsewhere makes some: they are counted,
    // with the millisecond that a timer may be early. Otherwise there are none, and no probe is allowed.
    let allowedProbes = 0;
    let messages = 0;
    const begin = performance.now();
    let lastMs = begin;
    const options = { keepaliveIdleMs: idleMs, keepaliveIntervalMs: idleMs, keepaliveProbes: 1000 };
    let onEnough: (answeredProbes: number) => void = () => {};
    const enough = new Promise<number>((resolve) => {
      onEnough = resolve;
    });
    const { connection } = await bench.connect(uri, {
      options,
      onMessage: (_message, connection) => {
        const nowMs = performance.now();
        allowedProbes += Math.floor((nowMs - lastMs) / (idleMs - 1));
        lastMs = nowMs;
        messages++;
        if (messages >= 40 && nowMs - begin > 3 * idleMs) onEnough(connection.inbound.receivedRecords - messages);
      },
    });
    connection.send('begin');
    const answeredProbes = await Promise.race([enough, connection.ended.then(() => undefined)]);
    t.is(connection.state, 'online');
    t.true((answeredProbes as number) <= allowedProbes, `answered=${answeredProbes} allowed=${allowedProbes}`);
  });

  row(
    transport,
    'Behaviour 6 keepalive: can be turned on, off and changed while the connection runs',
    async (t, bench) => {
      const { peer, uri } = await bench.echo();
      const { connection } = await bench.connect(uri, { options: { ...impatient, keepaliveProbes: 0 } });
      const unblock = await peer.block();
      await new Promise((resolve) => setTimeout(resolve, 300));
      t.is(connection.state, 'online');
      connection.setOptions({ keepaliveProbes: 1, keepaliveIdleMs: 10, keepaliveIntervalMs: 10 });
      await connection.ended;
      t.is(connection.endError?.code, 'ERR_HEDDLE_PEER_SILENT');
      await unblock();
    },
  );
}
