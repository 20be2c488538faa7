import type { Connection, Message, Server } from '../../src/index.js';
import { type Bench, row, turns } from './bench.js';
import type { TestedTransport } from './transports.js';

/** A service in a context of its own whose reception is suspended from the start; it notes what its handlers see. */
async function suspended(bench: Bench, options: { receiveDepthMessages?: number } = {}) {
  const peer = await bench.peer();
  const uri = await peer.run(
    async ({ context, events, note, state }, { portal, options }) => {
      const server = await context.listen(portal, {
        ...events,
        options,
        onMessage: (message) => note('message', { value: message.value }),
        onRequest: (message, connection) => {
          note('request', { value: message.value });
          if (message.value === 'suspend again') server.suspendReception();
          if (message.value === 'ask back') return connection.request('asked').then((answer) => answer.value);
          return message.value;
        },
      });
      server.suspendReception();
      state.server = server;
      return server.uri;
    },
    { portal: bench.transport.portal(), options },
  );
  const seen = () =>
    peer.log.entries.filter(({ type }) => type === 'message' || type === 'request').map((entry) => entry.value);
  const held = () =>
    peer.run(({ state }) => (state.server as Server).sessions[0]?.connections[0]?.heldMessages as number);
  const resume = () => peer.run(({ state }) => (state.server as Server).resumeReception());
  return { peer, uri, seen, held, resume };
}

async function untilHeld(held: () => Promise<number>, count: number): Promise<void> {
  while ((await held()) !== count) await turns(1);
}

/** Reception that a side suspends and resumes. */
export function registerSuspending(transport: TestedTransport): void {
  row(transport, 'Suspending reception: what arrives waits, and is delivered in order', async (t, bench) => {
    const { uri, seen, held, resume } = await suspended(bench);
    const { connection } = await bench.connect(uri);
    connection.send('a');
    const answers = [connection.request('b'), connection.request(Buffer.alloc(100_000, 7))];
    connection.send({ large: 'x'.repeat(50_000) });
    connection.send('c');
    await untilHeld(held, 5);
    await turns(20);
    t.deepEqual(seen(), []);
    await resume();
    t.is((await answers[0]!).value, 'b');
    t.true(((await answers[1]!).value as Buffer).equals(Buffer.alloc(100_000, 7)));
    t.is((await connection.request('d')).value, 'd');
    t.deepEqual(
      seen().map((value) => (typeof value === 'string' ? value : 'large')),
      ['a', 'b', 'large', 'large', 'c', 'd'],
    );
    t.is(await held(), 0);
    t.is(bench.reports.entries.length, 0);
  });

  row(transport, 'Suspending reception: a handler may suspend again in the midst of resuming', async (t, bench) => {
    const { uri, seen, held, resume } = await suspended(bench);
    const { connection } = await bench.connect(uri);
    connection.send(1);
    const answer = connection.request('suspend again');
    connection.send(2);
    connection.send(3);
    await untilHeld(held, 4);
    await resume();
    t.is((await answer).value, 'suspend again');
    t.deepEqual(seen(), [1, 'suspend again']);
    connection.send(4);
    await untilHeld(held, 3);
    await resume();
    await connection.request('end');
    t.deepEqual(seen(), [1, 'suspend again', 2, 3, 4, 'end']);
  });

  row(
    transport,
    'Suspending reception: what waits holds its credits, and no more than the depth gathers',
    async (t, bench) => {
      const { peer, uri, held, resume } = await suspended(bench, { receiveDepthMessages: 8 });
      const { connection } = await bench.connect(uri);
      for (let index = 0; index < 20; index++) connection.send(index);
      await untilHeld(held, 8);
      await turns(20);
      t.is(await held(), 8);
      t.is(connection.queuedMessages, 12);
      await resume();
      await peer.log.until('message', 20);
      t.deepEqual(
        peer.log.all('message').map(({ value }) => value),
        Array.from({ length: 20 }, (_, index) => index),
      );
    },
  );

  row(
    transport,
    'Suspending reception: responses still arrive, and receipts wait for the handler',
    async (t, bench) => {
      const { peer, uri, held, resume } = await suspended(bench);
      const { connection } = await bench.connect(uri, { onRequest: ({ value }) => `answer to ${value}` });
      let receipts = 0;
      connection.send('x', { onReceipt: () => receipts++ });
      await untilHeld(held, 1);
      const answer = await peer.run(async ({ state }) => {
        const [back] = (state.server as Server).sessions[0]!.connections as [Connection];
        return (await back.request('question')).value as string;
      });
      t.is(answer, 'answer to question');
      t.is(receipts, 0);
      await resume();
      while (receipts === 0) await turns(1);
      t.is((await connection.request('ask back')).value, 'answer to asked');
    },
  );

  row(transport, 'Suspending reception: one connection alone', async (t, bench) => {
    const { uri } = await bench.echo();
    const messages: unknown[] = [];
    const onMessage = ({ value }: Message) => void messages.push(value);
    const { connection } = await bench.connect(uri, { onMessage });
    connection.suspendReception();
    t.true(connection.isReceptionSuspended);
    t.is((await connection.request('the other way')).value, 'the other way');
    connection.resumeReception();
    t.false(connection.isReceptionSuspended);
    t.is(connection.heldMessages, 0);
  });

  row(transport, 'Suspending reception: a cancel takes a request out that no handler has seen', async (t, bench) => {
    const { uri, seen, held, resume } = await suspended(bench);
    const { connection } = await bench.connect(uri);
    const abort = new AbortController();
    const cancelled = connection.request('never seen', { signal: abort.signal });
    const answered = connection.request('seen');
    await untilHeld(held, 2);
    abort.abort();
    await t.throwsAsync(cancelled, { code: 'ERR_HEDDLE_CANCELLED' });
    await untilHeld(held, 1);
    await resume();
    t.is((await answered).value, 'seen');
    t.deepEqual(seen(), ['seen']);
  });

  row(
    transport,
    "Suspending reception: the peer's close waits until its messages have been delivered",
    async (t, bench) => {
      const { peer, uri, seen, held, resume } = await suspended(bench);
      const { connection } = await bench.connect(uri);
      connection.send('last words');
      const answer = connection.request('a question');
      await untilHeld(held, 2);
      const closed = connection.close();
      await turns(50);
      t.is(peer.log.all('connection-closed').length, 0);
      await resume();
      await closed;
      t.is((await answer).value, 'a question');
      await peer.log.until('session-teardown');
      t.deepEqual(seen(), ['last words', 'a question']);
    },
  );

  row(
    transport,
    'Suspending reception: what waits is let go when this side closes, or the peer is lost',
    async (t, bench) => {
      const { peer, uri, seen, held } = await suspended(bench);
      const { connection } = await bench.connect(uri);
      const flushed = [
        t.throwsAsync(connection.request(bench.context.allocate(200_000)), { code: 'ERR_HEDDLE_FLUSHED' }),
        t.throwsAsync(connection.request('small'), { code: 'ERR_HEDDLE_FLUSHED' }),
      ];
      await untilHeld(held, 2);
      await peer.run(({ state }) => (state.server as Server).sessions[0]!.close());
      await Promise.all(flushed);
      await connection.ended;

      const { connection: second } = await bench.connect(uri);
      const lost = t.throwsAsync(second.request(bench.context.allocate(200_000)), { code: 'ERR_HEDDLE_FLUSHED' });
      await untilHeld(held, 1);
      second.destroy();
      await lost;
      await peer.log.until('session-teardown', 2);
      t.deepEqual(seen(), []);
      // Everything that waited gave its memory back.
      const used = await peer.run(({ context }) => context.memory);
      t.like(used, { buffersHeld: 0 });
      t.like(bench.context.memory, { buffersHeld: 0 });
      t.deepEqual(peer.log.all('leak'), []);
    },
  );
}
