import type { CancelAnswer, Message } from '../../src/index.js';
import { type Bench, row, slowness, turns } from './bench.js';
import type { Peer } from './peer.js';
import type { TestedTransport } from './transports.js';

/** Cancel and deadlines. */
export function registerCancelling(transport: TestedTransport): void {
  row(transport, 'Calls cancel: answers cancelled, failed and not-found', async (t, bench) => {
    const { peer, uri } = await cancellable(bench);
    const { connection } = await bench.connect(uri);
    const outcomes: string[] = [];
    const waiter = {
      onResponse: (message: Message) => outcomes.push(message.value),
      onError: (error: Error) => outcomes.push((error as { code?: string }).code ?? ''),
    };
    const stoppable = connection.requestWith('stoppable', waiter);
    const stubborn = connection.requestWith('stubborn', waiter);
    await peer.log.until('kept', 2);
    const both = connection.cancel(stoppable);
    t.is(await connection.cancel(stoppable), 'cancelled', 'asking twice gets one answer');
    t.is(await both, 'cancelled');
    t.deepEqual(outcomes, ['ERR_HEDDLE_CANCELLED']);
    t.is(peer.log.all('aborted').length, 1);
    t.is(await connection.cancel(stubborn), 'failed');
    await peer.run(({ state }) => state.kept.get('stubborn').respond('finished all the same'));
    while (outcomes.length < 2) await turns(1);
    t.is(outcomes[1], 'finished all the same');
    t.is(await connection.cancel(stubborn), 'not-found');
    t.is(await connection.cancel(12345), 'not-found');
  });

  row(transport, 'Calls cancel: a request that waits for credits is cancelled here', async (t, bench) => {
    const { peer, uri } = await cancellable(bench, { receiveDepthMessages: 1 });
    const { connection } = await bench.connect(uri);
    connection.request('stoppable').catch(() => {});
    let error: { code?: string } | undefined;
    const waiting = connection.requestWith('never sent', {
      onResponse: () => {},
      onError: (given) => {
        error = given;
      },
    });
    t.is(connection.queuedMessages, 1);
    t.is(await connection.cancel(waiting), 'cancelled');
    t.is(error?.code, 'ERR_HEDDLE_CANCELLED');
    t.is(connection.queuedMessages, 0);
    await peer.log.until('kept');
    t.is(peer.log.all('kept').length, 1);
  });

  row(transport, 'Calls cancel: what is no id is no request of anybody', async (t, bench) => {
    const { peer, uri } = await cancellable(bench);
    const { connection } = await bench.connect(uri);
    const outcomes: string[] = [];
    const id = connection.requestWith('stoppable', {
      onResponse: () => {},
      onError: (error) => outcomes.push(error.code),
    });
    await peer.log.until('kept');
    for (const wrong of [null, undefined, String(id), id + 0.5, id + 2 ** 32, BigInt(id), Symbol('id'), Number.NaN]) {
      t.is(await connection.cancel(wrong as never), 'not-found', String(wrong));
    }
    t.is(peer.log.all('aborted').length, 0);
    t.is(await connection.cancel(id), 'cancelled');
    t.deepEqual(outcomes, ['ERR_HEDDLE_CANCELLED']);
  });

  row(
    transport,
    "Calls cancel: a large request's data stays with its handler until that has ended",
    async (t, bench) => {
      const peer = await bench.peer();
      const uri = await peer.run(async ({ context, state, note }, portal) => {
        state.server = await context.listen(portal, {
          onRequest: async (message) => {
            const { signal, data } = message;
            note('begun');
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
            // Memory of the same size, which another part of the program gets meanwhile.
            const another = context.allocate(data.length);
            another.bytes.fill(1);
            data.fill(7);
            const others = another.bytes.findIndex((byte) => byte !== 1);
            another.release();
            note('found', { own: message.data[0], length: message.data.length, others });
          },
        });
        return state.server.uri as string;
      }, transport.portal());
      const { connection } = await bench.connect(uri);
      const giveUp = new AbortController();
      const answering = connection.request(Buffer.alloc(100_000, 5), { signal: giveUp.signal });
      await peer.log.until('begun');
      giveUp.abort();
      await t.throwsAsync(answering, { code: 'ERR_HEDDLE_CANCELLED' });
      t.like(await peer.log.until('found'), { own: 7, length: 100_000, others: -1 });
      t.is(await peer.run(({ context }) => context.memory.buffersHeld), 0);
    },
  );

  row(transport, 'Calls cancel: onCancel decides', async (t, bench) => {
    const { peer, uri } = await cancellable(bench, {}, true);
    const { connection } = await bench.connect(uri);
    const ids = ['yes', 'no'].map((value) =>
      connection.requestWith(value, { onResponse: () => {}, onError: () => {} }),
    );
    await peer.log.until('kept', 2);
    const answers: CancelAnswer[] = [];
    for (const id of ids) answers.push(await connection.cancel(id));
    t.deepEqual(answers, ['cancelled', 'failed']);
    // The peer's log comes by a way of its own, and may be later than its answers.
    await peer.log.until('asked', 2);
    t.deepEqual(
      peer.log.all('asked').map((entry) => entry.value),
      ['yes', 'no'],
    );
  });

  row(transport, 'Calls cancel: by an AbortSignal, at once, and the peer is told', async (t, bench) => {
    const { peer, uri } = await cancellable(bench);
    const { connection } = await bench.connect(uri);
    const controller = new AbortController();
    const receipts: boolean[] = [];
    const request = connection.request('stoppable', {
      signal: controller.signal,
      onReceipt: ({ accepted }) => receipts.push(accepted),
    });
    await peer.log.until('kept');
    const reason = new Error('changed my mind');
    controller.abort(reason);
    const error = await t.throwsAsync(request, { code: 'ERR_HEDDLE_CANCELLED' });
    t.is(error.cause, reason);
    t.is((await peer.log.until('aborted')).code, 'ERR_HEDDLE_CANCELLED');
    t.is(receipts.length, 1);
    await t.throwsAsync(connection.request('x', { signal: controller.signal }), { code: 'ERR_HEDDLE_CANCELLED' });
    const unused = new AbortController();
    t.is((await connection.request('answer', { signal: unused.signal })).value, 'answer');
    unused.abort();
    t.is((await connection.request('answer')).value, 'answer');
  });

  row(transport, 'Calls cancel: ends with the connection', async (t, bench) => {
    const { peer, uri } = await cancellable(bench);
    const { connection } = await bench.connect(uri);
    const id = connection.requestWith('stubborn', { onResponse: () => {}, onError: () => {} });
    await peer.log.until('kept');
    const cancelling = connection.cancel(id);
    connection.destroy();
    t.is(await cancelling, 'not-found');
  });

  row(transport, 'Deadlines: ERR_HEDDLE_TIMEOUT, and the late response returns its credits', async (t, bench) => {
    const { peer, uri } = await cancellable(bench);
    const { connection } = await bench.connect(uri, { options: { receiveDepthMessages: 1 } });
    for (let round = 1; round <= 3; round++) {
      await t.throwsAsync(connection.request('stubborn', { timeoutMs: 5 }), { code: 'ERR_HEDDLE_TIMEOUT' });
      await peer.log.until('kept', round);
      await peer.run(({ state }) => state.kept.get('stubborn').respond('late'));
    }
    // Each late response took the one credit that there is for responses.
    t.is((await connection.request('answer')).value, 'answer');
    await peer.run(async ({ state, context }) => {
      const [connection] = state.server.sessions[0].connections;
      await connection.ready();
      return context.connectionCount;
    });
    t.is(await peer.run(({ state }) => state.server.sessions[0].connections[0].queuedMessages), 0);
  });

  row(transport, 'Deadlines: a request that was never sent is not sent after its deadline', async (t, bench) => {
    const { peer, uri } = await cancellable(bench, { receiveDepthMessages: 1 });
    const { connection } = await bench.connect(uri, { options: { requestTimeoutMs: 20 } });
    const first = connection.request('stubborn', { timeoutMs: Infinity });
    await t.throwsAsync(connection.request('too late'), { code: 'ERR_HEDDLE_TIMEOUT' });
    t.is(connection.queuedMessages, 0);
    await peer.log.until('kept');
    await peer.run(({ state }) => state.kept.get('stubborn').respond('done'));
    t.is((await first).value, 'done');
    t.is((await connection.request('answer', { timeoutMs: 10_000 * slowness })).value, 'answer');
    t.is(peer.log.all('kept').length, 1);
    for (const timeoutMs of [0, -1, Number.NaN]) {
      await t.throwsAsync(connection.request('x', { timeoutMs }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    }
  });
}

/** A service that keeps requests; `stoppable` ones listen for a cancel. */
async function cancellable(
  bench: Bench,
  options: Record<string, number> = {},
  decides = false,
): Promise<{ peer: Peer; uri: string }> {
  const peer = await bench.peer();
  const uri = await peer.run(
    async ({ context, events, state, note, describeError }, terms) => {
      state.kept = new Map();
      state.server = await context.listen(terms.portal, {
        ...events,
        options: terms.options,
        onRequest: (message) => {
          const { value } = message;
          if (value === 'answer') return value;
          state.kept.set(value, message.keep());
          if (value === 'stoppable') {
            message.signal.addEventListener('abort', () => note('aborted', describeError(message.signal.reason)));
          }
          note('kept', { value });
          return undefined;
        },
        ...(terms.decides
          ? {
              onCancel: (message: Message) => {
                note('asked', { value: message.value });
                return message.value === 'yes';
              },
            }
          : {}),
      });
      return state.server.uri as string;
    },
    { portal: bench.transport.portal(), options, decides },
  );
  return { peer, uri };
}
