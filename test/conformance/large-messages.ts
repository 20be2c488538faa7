import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import type { Message, SharedBuffer } from '../../src/index.js';
import { collectGarbage } from '../support/garbage.js';
import { row } from './bench.js';
import type { TestedTransport } from './transports.js';

const mebibyte = 1024 * 1024;

/** Behaviour 9: large messages. */
export function registerLargeMessages(transport: TestedTransport): void {
  row(
    transport,
    'Behaviour 9 large messages: sizes around the inline limit, 1 MiB and 5 MiB, both ways',
    async (t, bench) => {
      const { uri } = await bench.echo();
      const { connection } = await bench.connect(uri);
      for (const size of [8_191, 8_192, 8_193, 65_536, 131_072, mebibyte - 1, mebibyte, mebibyte + 1, 5 * mebibyte]) {
        const bytes = Buffer.alloc(size);
        for (let index = 0; index < size; index += 997) bytes[index] = index % 251;
        bytes[size - 1] = 77;
        const response = await connection.request(bytes);
        t.is(response.length, size);
        t.true(response.data.equals(bytes), `size=${size}`);
        const text = 'x'.repeat(size);
        const encoded = await connection.request(text);
        t.true(encoded.value === text, `text of size=${size}`);
      }
      // Nobody sent a SharedBuffer, so nobody has one to release.
      t.is(bench.context.memory.buffersHeld, 0);
    },
  );

  row(transport, 'Behaviour 9 large messages: a SharedBuffer is gone from the sender', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      state.server = await context.listen(portal, {
        onRequest: (message) => {
          const buffer = message.takeBuffer()!;
          buffer.bytes[0]++;
          message.respond(buffer);
          let code = '';
          try {
            buffer.bytes;
          } catch (error) {
            code = (error as { code: string }).code;
          }
          state.code = code;
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    for (const size of [100_000, 3 * mebibyte]) {
      const buffer = bench.context.allocate(size);
      buffer.bytes.fill(41);
      const answering = connection.request(buffer);
      t.false(buffer.isHeld);
      t.throws(() => buffer.bytes, { code: 'ERR_HEDDLE_BUFFER_MOVED' });
      t.throws(() => buffer.release(), { code: 'ERR_HEDDLE_BUFFER_MOVED' });
      t.throws(() => connection.send(buffer), { code: 'ERR_HEDDLE_BUFFER_MOVED' });
      const response = await answering;
      t.is(response.length, size);
      t.is(response.data[0], 42);
      t.is(response.data[size - 1], 41);
      response.release();
      t.is(await peer.run(({ state }) => state.code), 'ERR_HEDDLE_BUFFER_MOVED');
    }
    // Without shared memory only the bytes go.
    t.is(bench.context.statistics.sharedBuffersMoved, transport.sharesMemory ? 2 : 0);
    const small = bench.context.allocate(10);
    connection.send(small);
    t.throws(() => small.bytes, { code: 'ERR_HEDDLE_BUFFER_MOVED' });
    t.is(bench.context.memory.buffersHeld, 0);
    t.is(await peer.run(({ context }) => context.memory.buffersHeld), 0);
  });

  row(transport, 'Behaviour 9 large messages: no bytes at all, beside a header of any length', async (t, bench) => {
    const peer = await bench.peer();
    const options = { inlineLimitBytes: 64 };
    const uri = await peer.run(
      async ({ context, state }, { portal, options }) => {
        state.server = await context.listen(portal, {
          options,
          onRequest: (message) => {
            const { length, header } = message;
            message.respond(length === 0 ? context.allocate(0) : Buffer.alloc(0), { header });
          },
        });
        return state.server.uri as string;
      },
      { portal: transport.portal(), options },
    );
    const { connection } = await bench.connect(uri, { options });
    for (const payload of [() => bench.context.allocate(0), () => Buffer.alloc(0), () => Buffer.alloc(1)]) {
      for (const headerBytes of [0, 1, 1000]) {
        const header = Buffer.alloc(headerBytes, headerBytes & 0xff);
        const response = await connection.request(payload(), { header });
        t.is(response.length, 0);
        t.deepEqual(response.header, header);
        response.release();
      }
    }
    t.is(bench.context.memory.buffersHeld, 0);
    t.is(await peer.run(({ context }) => context.memory.buffersHeld), 0);
  });

  row(transport, "Behaviour 9 large messages: takeBuffer makes the buffer the receiver's", async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.server = await context.listen(portal, {
        onMessage: (message) => {
          state.buffer = message.takeBuffer();
          note('taken', { again: message.takeBuffer() === undefined, length: state.buffer.length });
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    await connection.deliver(Buffer.alloc(mebibyte, 5));
    t.like(await peer.log.until('taken'), { again: true, length: mebibyte });
    t.deepEqual(
      await peer.run(({ state }) => [state.buffer.isHeld, state.buffer.bytes[1000], state.buffer.bytes.at(-1)]),
      [true, 5, 5],
    );
    await peer.run(({ state }) => state.buffer.release());
    t.is(await peer.run(({ context }) => context.memory.buffersHeld), 0);
  });

  row(transport, 'Behaviour 9 large messages: the receiver picks where the data lands', async (t, bench) => {
    const { uri } = await bench.echo();
    const target = Buffer.alloc(2 * mebibyte);
    const pooled: SharedBuffer[] = [];
    const asked: [string, number][] = [];
    let pick: 'bytes' | 'buffer' | 'short' | 'junk' | 'throw' | 'none' = 'bytes';
    const { connection } = await bench.connect(uri, {
      onAssignBuffer: ({ kind, lengthBytes }) => {
        asked.push([kind, lengthBytes]);
        switch (pick) {
          case 'bytes':
            return target;
          case 'buffer':
            pooled.push(bench.context.allocate(lengthBytes + 10));
            return pooled.at(-1);
          case 'short':
            return Buffer.alloc(3);
          case 'junk':
            return new ArrayBuffer(lengthBytes) as never;
          case 'throw':
            throw new Error('no idea');
          default:
            return undefined;
        }
      },
    });
    const sent = Buffer.alloc(mebibyte, 3);
    let response = await connection.request(sent);
    t.is(response.length, mebibyte);
    t.true(target.subarray(0, mebibyte).equals(sent));
    t.is(target[mebibyte], 0);
    t.is(response.takeBuffer(), undefined);
    pick = 'buffer';
    response = await connection.request(sent);
    t.true(response.data.equals(sent));
    t.is(response.takeBuffer(), pooled[0]);
    pooled[0].release();
    t.deepEqual(asked, [
      ['response', mebibyte],
      ['response', mebibyte],
    ]);
    for (const mistake of ['short', 'junk', 'throw'] as const) {
      pick = mistake;
      response = await connection.request(sent);
      t.true(response.data.equals(sent), 'a mistake is reported, and the pool gives the buffer');
      response.release();
    }
    t.is(bench.reports.all('report').length, 3);
    pick = 'none';
    response = await connection.request(sent);
    t.true(response.data.equals(sent));
    response.release();
    t.is(asked.length, 6);
    t.is((await connection.request('small')).value, 'small');
    t.is(asked.length, 6, 'small messages need no place');
    t.is(bench.context.memory.buffersHeld, 0);
  });

  row(transport, 'Behaviour 9 large messages: a response lands where its requester offers', async (t, bench) => {
    const { uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    const sent = Buffer.alloc(mebibyte, 6);
    const offered = bench.context.allocate(mebibyte + 10);
    const offers = [offered, Buffer.alloc(mebibyte + 10)];
    for (const responseBuffer of offers) {
      const place = () => (Buffer.isBuffer(responseBuffer) ? responseBuffer : responseBuffer.bytes);
      place().fill(1);
      const response = await connection.request(sent, { responseBuffer });
      t.is(response.length, mebibyte);
      t.true(response.data.equals(sent));
      t.true(place().subarray(0, mebibyte).equals(sent));
      t.is(place()[mebibyte], 1, 'not further than the response goes');
      t.is(response.takeBuffer(), undefined);
      response.release();
      place().fill(2);
      const requested = await new Promise<boolean>((resolve, reject) => {
        const onResponse = ({ data }: Message) => resolve(data.equals(sent));
        connection.requestWith(sent, { onResponse, onError: reject }, { responseBuffer });
      });
      t.true(requested);
      t.true(place().subarray(0, mebibyte).equals(sent), "it is still the requester's");
    }
    offered.bytes.fill(3);
    const longer = await connection.request(Buffer.alloc(2 * mebibyte, 7), { responseBuffer: offered });
    t.is(longer.length, 2 * mebibyte);
    t.is(longer.data.at(-1), 7);
    t.is(offered.bytes[0], 3, 'too short for this response');
    longer.release();
    const answering = connection.request(sent, { responseBuffer: offered });
    offered.release();
    const elsewhere = await answering;
    t.true(elsewhere.data.equals(sent), 'what was given back too early is not used');
    elsewhere.release();
    t.is((await connection.request('not harmed')).value, 'not harmed');
    t.is(bench.context.memory.buffersHeld, 0);
  });

  row(
    transport,
    "Behaviour 9 large messages: what is lent for a response is nobody else's until the data is there",
    async (t, bench) => {
      const { uri } = await bench.echo();
      const { connection } = await bench.connect(uri);
      const size = 8 * mebibyte;
      const sent = Buffer.alloc(size, 6);
      const lent = bench.context.allocate(size);
      const seen = lent.bytes;
      seen.fill(1);
      let isAnswered = false;
      const answering = connection.request(sent, { responseBuffer: lent, timeoutMs: 60_000 }).finally(() => {
        isAnswered = true;
      });
      // Given back as soon as the first bytes have come.
      while (seen[0] === 1 && !isAnswered) await setImmediate();
      lent.release();
      const stranger = bench.context.allocate(size);
      stranger.bytes.fill(9);
      const response = await answering;
      let found: unknown;
      try {
        found = response.data.equals(sent);
      } catch (error) {
        // It was all there before the buffer was given back.
        found = (error as { code?: string }).code;
      }
      t.true(found === true || found === 'ERR_HEDDLE_BUFFER_RELEASED', String(found));
      t.true(stranger.bytes.equals(Buffer.alloc(size, 9)));
      stranger.release();
      const given = await connection.request(sent, { responseBuffer: bench.context.allocate(size) });
      collectGarbage();
      // What was collected is told in a later turn.
      await setImmediate();
      const another = bench.context.allocate(size);
      another.bytes.fill(9);
      t.true(given.data.equals(sent), 'a response keeps where it lies from being collected');
      another.release();
      // The other side ends while data is on its way.
      const last = bench.context.allocate(size);
      last.bytes.fill(1);
      const failing = connection.request(sent, { responseBuffer: last });
      const failed = t.throwsAsync(failing, { code: 'ERR_HEDDLE_FLUSHED' });
      connection.destroy();
      await failed;
      t.true(last.isHeld);
      last.release();
      // Over rdma its memory is held until no data can come any more.
      for (let tries = 0; bench.context.memory.buffersHeld > 1 && tries < 1000; tries++) await delay(5);
      t.is(bench.context.memory.buffersHeld, 1, 'that of the response which was spared by the garbage collector');
    },
  );

  row(transport, 'Behaviour 9 large messages: a message that was released has nothing to show', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      state.server = await context.listen(portal, {
        onRequest: (message) => {
          const buffer = context.allocate(message.length);
          buffer.bytes.set(message.data);
          return buffer;
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    const secret = 'of another message';
    for (const size of [100, 3000, 100_000]) {
      const response = await connection.request(Buffer.alloc(size, 3));
      const other = await connection.request(Buffer.from(secret));
      response.release();
      // What came in the record, over a wire, stays as long as the message's object; it is never another message's.
      t.true(response.data.every((byte) => byte === 3));
      if (transport.sharesMemory) t.is(response.length, 0);
      t.is(response.header.length, 0);
      t.is(other.data.toString(), secret);
      other.release();
    }
    t.is(bench.context.memory.buffersHeld, 0);
  });

  row(transport, 'Behaviour 9 large messages: kept ones hold their memory until released', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, note }, portal) => {
      state.kept = [];
      state.server = await context.listen(portal, {
        onMessage: (message) => {
          state.kept.push(message.keep());
          note('kept');
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    for (let fill = 1; fill <= 3; fill++) connection.send(Buffer.alloc(200_000, fill), { header: Buffer.from([fill]) });
    await peer.log.until('kept', 3);
    t.deepEqual(
      await peer.run(({ state }) =>
        state.kept.map((message: import('../../src/index.js').Message) => [
          message.header[0],
          message.data[0],
          message.data.at(-1),
          message.length,
        ]),
      ),
      [
        [1, 1, 1, 200_000],
        [2, 2, 2, 200_000],
        [3, 3, 3, 200_000],
      ],
    );
    t.is(await peer.run(({ context }) => context.memory.buffersHeld), 3);
    await peer.run(({ state }) => {
      for (const message of state.kept) message.release();
    });
    t.is(await peer.run(({ context }) => context.memory.buffersHeld), 0);
  });

  row(
    transport,
    "Behaviour 9 large messages: a receiver out of memory loses that message's connection alone",
    async (t, bench) => {
      const { peer, uri } = await bench.echo(
        transport.sharesMemory ? {} : { context: { slabLimitBytes: 2 * mebibyte } },
      );
      const { connection } = await bench.connect(uri);
      const other = await bench.connect(uri);
      if (transport.sharesMemory) {
        // Over shared memory the sender's buffer moves: the receiver needs none of its own.
        const response = await connection.request(Buffer.alloc(5 * mebibyte));
        t.is(response.length, 5 * mebibyte);
        response.release();
      } else {
        const error = await t.throwsAsync(connection.request(Buffer.alloc(5 * mebibyte)));
        t.is((error as { code?: string }).code, 'ERR_HEDDLE_FLUSHED');
        await connection.ended;
        t.is((await peer.log.until('connection-error')).code, 'ERR_HEDDLE_OUT_OF_MEMORY');
      }
      t.is((await other.connection.request('not harmed')).value, 'not harmed');
    },
  );

  row(transport, 'Behaviour 9 large messages: the inline limit can be moved', async (t, bench) => {
    const { uri } = await bench.echo();
    let large = 0;
    const { connection } = await bench.connect(uri, {
      options: { inlineLimitBytes: 100 },
      onAssignBuffer: () => {
        large++;
        return undefined;
      },
    });
    const ask = async (size: number) => {
      const response = await connection.request(Buffer.alloc(size, 1));
      t.is(response.length, size);
      response.release();
    };
    // Responses follow the server's own limit.
    await ask(5_000);
    t.is(large, 0);
    await ask(9_000);
    t.is(large, 1);
    connection.setOptions({ inlineLimitBytes: 0 });
    await ask(1);
    connection.setOptions({ inlineLimitBytes: 60_000 });
    await ask(50_000);
    t.is(large, 2);
  });

  row(transport, 'Behaviour 9 large messages: many in flight both ways leave no memory behind', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    const sizes = Array.from({ length: 200 }, (_, index) => (index * 7_919) % 300_000);
    const responses = await Promise.all(sizes.map((size) => connection.request(Buffer.alloc(size, size % 256))));
    for (const [index, response] of responses.entries()) {
      t.is(response.length, sizes[index]);
      if (sizes[index] > 0) t.is(response.data.at(-1), sizes[index] % 256);
      response.release();
    }
    t.is(bench.context.memory.buffersHeld, 0);
    t.is(await peer.run(({ context }) => context.memory.buffersHeld), 0);
  });
}
