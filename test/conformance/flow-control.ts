import type { Message } from '../../src/index.js';
import { type Bench, row, turns } from './bench.js';
import type { Peer } from './peer.js';
import type { TestedTransport } from './transports.js';

/** Behaviour 5: flow control. */
export function registerFlowControl(transport: TestedTransport): void {
  row(
    transport,
    'Behaviour 5 flow control: a receiver that keeps messages stops the sender; release resumes it',
    async (t, bench) => {
      const { peer, uri } = await hoarder(bench, { receiveDepthMessages: 4 });
      const { connection } = await bench.connect(uri);
      const placed: boolean[] = [];
      for (let index = 0; index < 6; index++) placed.push(connection.send(index));
      t.deepEqual(placed, [true, true, true, true, false, false]);
      t.is(connection.freeSendMessages, 0);
      t.is(connection.queuedMessages, 2);
      t.is(bench.context.statistics.sendQueueLength, 2);
      await peer.log.until('kept', 4);
      let ready = false;
      void connection.ready().then(() => {
        ready = true;
      });
      await turns(50);
      t.is(peer.log.all('kept').length, 4);
      t.false(ready);
      // One message is less than half the depth: the sender is told with the second.
      await peer.run(({ state }) => state.release(1));
      await turns(50);
      t.is(peer.log.all('kept').length, 4);
      await peer.run(({ state }) => state.release(1));
      await peer.log.until('kept', 6);
      await connection.ready();
      t.true(ready);
      const { sendQueueLength, sendQueueLengthHighWater } = bench.context.statistics;
      t.is(sendQueueLength, 0);
      t.is(sendQueueLengthHighWater, 2);
      t.deepEqual(
        peer.log.all('kept').map((entry) => entry.value),
        [0, 1, 2, 3, 4, 5],
      );
      t.true(bench.context.statistics.creditStalls > 0);
      t.true(bench.context.statistics.creditsInUseMessagesHighWater >= 4);
    },
  );

  row(transport, 'Behaviour 5 flow control: credits in bytes', async (t, bench) => {
    const { peer, uri } = await hoarder(bench, { receiveDepthBytes: 10_000 });
    const { connection } = await bench.connect(uri);
    t.true(connection.send(Buffer.alloc(6_000)));
    t.is(connection.freeSendBytes, 4_000);
    t.false(connection.send(Buffer.alloc(6_000)));
    // Behind it, in order, although it would fit.
    t.false(connection.send(Buffer.alloc(1)));
    await peer.log.until('kept');
    await turns(50);
    t.is(peer.log.all('kept').length, 1);
    await peer.run(({ state }) => state.release(1));
    await peer.log.until('kept', 3);
    await peer.run(({ state }) => state.release(2));
    const { connection: other } = await bench.connect(uri);
    for (let index = 0; index < 100; index++) {
      other.send(Buffer.alloc(5_000));
      await peer.log.until('kept', 4 + index);
      await peer.run(({ state }) => state.release(1));
    }
    t.is(other.queuedMessages, 0);
  });

  row(transport, 'Behaviour 5 flow control: headers count', async (t, bench) => {
    const { uri } = await hoarder(bench, { receiveDepthBytes: 10_000 });
    const { connection } = await bench.connect(uri);
    connection.send(Buffer.alloc(100), { header: Buffer.alloc(50) });
    t.is(connection.freeSendBytes, 10_000 - 150);
  });

  row(transport, 'Behaviour 5 flow control: past the depth of the send queue a send is refused', async (t, bench) => {
    const { uri } = await hoarder(bench, { receiveDepthMessages: 1 });
    const { connection } = await bench.connect(uri, {
      options: { sendQueueDepthMessages: 3, sendQueueDepthBytes: 10_000 },
    });
    connection.send('taken');
    for (let index = 0; index < 3; index++) t.false(connection.send(index));
    t.throws(() => connection.send('one too many'), { code: 'ERR_HEDDLE_SEND_QUEUE_FULL', message: /ready\(\)/ });
    await t.throwsAsync(connection.request('one too many'), { code: 'ERR_HEDDLE_SEND_QUEUE_FULL' });
    t.is(connection.queuedMessages, 3);
    connection.setOptions({ sendQueueDepthMessages: 10 });
    connection.send(Buffer.alloc(9_000));
    t.throws(() => connection.send(Buffer.alloc(2_000)), { code: 'ERR_HEDDLE_SEND_QUEUE_FULL' });
    t.throws(() => connection.send('x'.repeat(2_000)), { code: 'ERR_HEDDLE_SEND_QUEUE_FULL' }, 'values count too');
    t.is(connection.queuedMessages, 4);
  });

  row(transport, 'Behaviour 5 flow control: before online the send queue has its depth too', async (t, bench) => {
    const { uri } = await bench.echo();
    const { connection } = bench.context.open(uri, { options: { sendQueueDepthMessages: 2 } });
    connection.send(1);
    connection.send(2);
    t.throws(() => connection.send(3), { code: 'ERR_HEDDLE_SEND_QUEUE_FULL' });
    await connection.ready();
    t.is((await connection.request('works')).value, 'works');
  });

  row(
    transport,
    "Behaviour 5 flow control: a message larger than the peer's byte depth fails alone",
    async (t, bench) => {
      const { uri } = await bench.echo({ connection: { receiveDepthBytes: 50_000 } });
      const session = bench.context.open(uri);
      // Before the peer's depth is known it can only come back later.
      const early = session.connection.request(Buffer.alloc(50_001));
      const after = session.connection.request('behind it');
      await t.throwsAsync(early, { code: 'ERR_HEDDLE_MESSAGE_TOO_LARGE', message: /receiveDepthBytes=50000/ });
      t.is((await after).value, 'behind it');
      const { connection } = session;
      t.throws(() => connection.send(Buffer.alloc(50_001)), { code: 'ERR_HEDDLE_MESSAGE_TOO_LARGE' });
      t.is((await connection.request(Buffer.alloc(50_000))).value.length, 50_000);
      const buffer = bench.context.allocate(60_000);
      t.throws(() => connection.send(buffer), { code: 'ERR_HEDDLE_MESSAGE_TOO_LARGE' });
      t.true(buffer.isHeld, "what was not sent is still the sender's");
      buffer.release();
    },
  );

  row(
    transport,
    'Behaviour 5 flow control: a response that is too large for the requester becomes an error',
    async (t, bench) => {
      const peer = await bench.peer();
      const uri = await peer.run(async ({ context, state }, portal) => {
        state.server = await context.listen(portal, {
          onRequest: (message) => {
            if (message.value !== 'later') return Buffer.alloc(20_000);
            return Promise.resolve(Buffer.alloc(20_000));
          },
        });
        return state.server.uri as string;
      }, transport.portal());
      const { connection } = await bench.connect(uri, { options: { receiveDepthBytes: 10_000 } });
      for (const value of ['now', 'later']) {
        await t.throwsAsync(connection.request(value), {
          code: 'ERR_HEDDLE_REMOTE',
          message: /receiveDepthBytes=10000/,
        });
      }
      t.is(connection.state, 'online');
    },
  );

  row(
    transport,
    "Behaviour 5 flow control: both sides hold each other's requests to the depth, and can still answer",
    async (t, bench) => {
      const depth = { receiveDepthMessages: 5 };
      const { peer, uri } = await hoarder(bench, depth);
      const kept: Message[] = [];
      const { connection } = await bench.connect(uri, {
        options: depth,
        onRequest: (message) => {
          kept.push(message.keep());
        },
      });
      const mine = Array.from({ length: 10 }, (_, index) => connection.request(index));
      const theirs = peer.run(async ({ state }) => {
        const [back] = state.server.sessions[0].connections;
        const responses = await Promise.all(Array.from({ length: 10 }, (_, index) => back.request(index)));
        return responses.map((response: Message) => response.value as number);
      });
      await peer.log.until('kept', 5);
      while (kept.length < 5) await turns(1);
      t.is(connection.freeSendMessages, 0);
      for (let answered = 0; answered < 10; answered++) {
        while (kept.length === 0) await turns(1);
        const message = kept.shift()!;
        message.respond(message.value * 2);
        await peer.log.until('kept', answered + 1);
        await peer.run(({ state }) => {
          const message = state.kept.shift();
          message.respond(message.value * 3);
        });
      }
      t.deepEqual(
        (await Promise.all(mine)).map((response) => response.value),
        Array.from({ length: 10 }, (_, index) => index * 3),
      );
      t.deepEqual(
        await theirs,
        Array.from({ length: 10 }, (_, index) => index * 2),
      );
    },
  );

  row(
    transport,
    'Behaviour 5 flow control: responses that are kept stop the answers, not the requests',
    async (t, bench) => {
      const { uri } = await bench.echo();
      const { connection } = await bench.connect(uri, { options: { receiveDepthMessages: 2 } });
      const kept: Message[] = [];
      const waiter = {
        onResponse: (message: Message) => {
          kept.push(message.keep());
        },
        onError: (error: Error) => t.fail(error.message),
      };
      for (let index = 0; index < 5; index++) connection.requestWith(index, waiter);
      while (kept.length < 2) await turns(1);
      await turns(50);
      t.is(kept.length, 2);
      for (let released = 0; released < 5; released++) {
        while (kept.length <= released) await turns(1);
        kept[released].release();
      }
      t.deepEqual(
        kept.map((message) => message.serial),
        [1, 2, 3, 4, 5],
      );
    },
  );

  row(
    transport,
    'Behaviour 5 flow control: many more messages than credits go through, both ways at once',
    async (t, bench) => {
      const depth = { receiveDepthMessages: 7, receiveDepthBytes: 5_000, sendQueueDepthMessages: 100_000 };
      const { uri } = await bench.echo({ connection: depth });
      const { connection } = await bench.connect(uri, { options: depth });
      const responses = await Promise.all(Array.from({ length: 2_000 }, (_, index) => connection.request({ index })));
      t.deepEqual(
        responses.map((response) => response.value.index),
        Array.from({ length: 2_000 }, (_, index) => index),
      );
      t.is(connection.queuedMessages, 0);
    },
  );

  row(
    transport,
    'Behaviour 5 flow control: a wire without room holds messages back and loses none',
    async (t, bench) => {
      const { peer, uri } = await bench.echo({
        connection: { receiveDepthMessages: 100_000, receiveDepthBytes: 2 ** 28 },
      });
      const { connection } = await bench.connect(uri, {
        options: { sendQueueDepthMessages: 100_000, sendQueueDepthBytes: 2 ** 28 },
      });
      // The peer's thread is blocked while more is sent than its ring, or socket, holds.
      const unblock = await peer.block();
      const bytes = Buffer.alloc(8_000);
      for (let index = 0; index < 3_000; index++) {
        bytes.writeInt32LE(index);
        connection.send(bytes);
      }
      t.true(connection.queuedMessages > 0);
      await unblock();
      await connection.ready();
      await peer.log.until('message', 3_000);
      t.true(peer.log.all('message').every((entry, index) => Buffer.from(entry.value).readInt32LE() === index));
    },
  );
}

/** A service that keeps what it gets, until the test says how many to release. */
async function hoarder(bench: Bench, options: Record<string, number>): Promise<{ peer: Peer; uri: string }> {
  const peer = await bench.peer();
  const uri = await peer.run(
    async ({ context, events, state, note }, terms) => {
      state.kept = [];
      state.release = (count: number) => {
        for (const message of state.kept.splice(0, count)) message.release();
      };
      const keep = (message: Message) => {
        state.kept.push(message.keep());
        note('kept', { value: typeof message.value === 'number' ? message.value : undefined });
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
