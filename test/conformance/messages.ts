import { type HeddleError, RemoteError, segments } from '../../src/index.js';
import { row, turns } from './bench.js';
import type { TestedTransport } from './transports.js';

/** Messages: values, headers, segments, errors, answering later, both sides asking. */
export function registerMessages(transport: TestedTransport): void {
  row(transport, 'Messages: values and raw bytes of every kind come back as they were', async (t, bench) => {
    const { uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    const values = [
      null,
      true,
      0,
      -1,
      2 ** 53,
      1.5,
      '',
      'text',
      'ü'.repeat(5_000),
      [],
      [1, [2]],
      {},
      { a: { b: [1, 'c', null] } },
      new Date(0),
      new Map([[1, 'one']]),
      new Set([1]),
      12345678901234567890n,
    ];
    for (const value of values) t.deepEqual((await connection.request(value)).value, value);
    t.is((await connection.request(undefined)).value, undefined);
    for (const length of [0, 1, 7, 8, 9, 1000]) {
      const bytes = Buffer.alloc(length, length);
      const response = await connection.request(bytes);
      t.deepEqual(response.value, bytes);
      t.deepEqual(response.data, bytes);
    }
  });

  row(transport, 'Messages: a value that cannot be encoded fails alone, on either side', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      state.server = await context.listen(portal, {
        onRequest: (message) => {
          if (message.value === 'fine') return 'fine';
          if (message.value === 'later') return Promise.resolve(() => {});
          return () => {};
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    t.throws(() => connection.send(() => {}), { code: 'ERR_HEDDLE_CODEC' });
    await t.throwsAsync(connection.request({ f: () => {} }), { code: 'ERR_HEDDLE_CODEC' });
    for (const value of ['now', 'later']) {
      const error = await t.throwsAsync<RemoteError>(connection.request(value), { code: 'ERR_HEDDLE_REMOTE' });
      t.is(error.remoteCode, 'ERR_HEDDLE_CODEC');
    }
    t.is((await connection.request('fine')).value, 'fine');
  });

  row(
    transport,
    'Messages: what sends or polls while it is encoded is refused, and harms nothing',
    async (t, bench) => {
      const { uri } = await bench.echo();
      const { connection } = await bench.connect(uri);
      const acts = [
        () => connection.send('inner'),
        () => connection.send(Buffer.alloc(8)),
        () => connection.request('inner'),
        () => bench.context.poll(),
      ];
      for (const fields of [0, 500]) {
        // With many fields it does not fit where it was expected to, and takes the other way.
        const rest = Object.fromEntries(Array.from({ length: fields }, (_, i) => [`field-${i}`, 'x'.repeat(20)]));
        for (const act of acts) {
          const failing = {
            get inner() {
              return act();
            },
          };
          if (act !== acts[2]) t.throws(() => connection.send(failing), { code: 'ERR_HEDDLE_CODEC' });
          const codes: string[] = [];
          const patient = {
            get inner() {
              try {
                const settled = act();
                if (settled instanceof Promise) settled.catch((error) => codes.push(error.code));
              } catch (error) {
                codes.push((error as HeddleError).code);
              }
              return 1;
            },
          };
          const value = Object.defineProperties(patient, Object.getOwnPropertyDescriptors(rest));
          t.deepEqual((await connection.request(value)).value, { inner: 1, ...rest });
          t.true(codes.length > 0 && codes.every((code) => code === 'ERR_HEDDLE_CODEC'), String(codes));
        }
      }
      t.is((await connection.request('still there')).value, 'still there');
    },
  );

  row(
    transport,
    'Messages: a getter that closes the connection ends it as ever, and the message is sent or refused',
    async (t, bench) => {
      const { uri } = await bench.echo();
      const { connection, log } = await bench.connect(uri);
      await connection.request('warm');
      let closed: Promise<void> | undefined;
      const value = {
        get inner() {
          closed ??= connection.close();
          return 1;
        },
      };
      const outcome = await connection.request(value).then(
        (response) => response.value,
        (error: HeddleError) => error.code,
      );
      t.true(
        typeof outcome === 'string' ? outcome.startsWith('ERR_HEDDLE_') : (outcome as { inner: number }).inner === 1,
      );
      await closed;
      t.is(log.all('connection-teardown').length, 1);
      const next = await bench.connect(uri);
      t.is((await next.connection.request('next')).value, 'next');
    },
  );

  row(transport, 'Messages: headers travel beside the data, both ways', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      state.server = await context.listen(portal, {
        onRequest: (message) => {
          message.respond(message.data, { header: Buffer.from(message.header).reverse() });
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    for (const headerBytes of [0, 1, 8, 13, 4096]) {
      for (const dataBytes of [0, 5, 9_000, 100_000]) {
        const header = Buffer.from(Array.from({ length: headerBytes }, (_, index) => index));
        const data = Buffer.alloc(dataBytes, 9);
        const response = await connection.request(data, { header });
        t.deepEqual(response.header, Buffer.from(header).reverse());
        t.true(response.data.equals(data));
        response.release();
      }
    }
    const longest = { header: Buffer.alloc(4097) };
    t.throws(() => connection.send('x', longest), { code: 'ERR_HEDDLE_MESSAGE_TOO_LARGE', message: /4096/ });
  });

  row(transport, 'Messages: 255 vectors of 1 KiB', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, heddle }, portal) => {
      state.server = await context.listen(portal, {
        onRequest: (message) => heddle.segments(...message.segments.reverse()),
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    const pieces = Array.from({ length: 255 }, (_, index) => Buffer.alloc(1024, index));
    const response = await connection.request(segments(...pieces));
    t.is(response.segments.length, 255);
    t.true(response.segments.every((piece, index) => piece.equals(pieces[254 - index])));
    response.release();
    for (const some of [[], [Buffer.alloc(0)], [Buffer.from('a'), Buffer.alloc(0), Buffer.from('bc')]]) {
      const small = await connection.request(segments(...some));
      t.deepEqual(small.segments, some.reverse());
    }
    t.deepEqual((await connection.request(Buffer.from('one piece'))).segments, [Buffer.from('one piece')]);
  });

  row(transport, 'Messages: the bytes are taken at the call', async (t, bench) => {
    const { uri } = await bench.echo({ connection: { receiveDepthMessages: 1 } });
    const { connection } = await bench.connect(uri);
    const bytes = Buffer.alloc(100, 1);
    const header = Buffer.alloc(3, 1);
    const responses = [1, 2, 3].map((fill) => {
      bytes.fill(fill);
      return connection.request(bytes, { header });
    });
    bytes.fill(9);
    t.deepEqual(
      (await Promise.all(responses)).map((response) => response.data[0]),
      [1, 2, 3],
    );
  });

  row(transport, 'Errors: class, message, code and stack of what a handler threw', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state, heddle }, portal) => {
      state.server = await context.listen(portal, {
        onRequest: (message) => {
          class OrderError extends TypeError {
            readonly code = 'E_ORDER';
          }
          switch (message.value) {
            case 'throw':
              throw new OrderError('out of stock');
            case 'reject':
              return Promise.reject(new OrderError('out of stock'));
            case 'respond':
              message.respondError(new OrderError('out of stock'));
              return undefined;
            case 'heddle':
              throw new heddle.HeddleError('ERR_HEDDLE_REJECTED', 'by the service');
            case 'huge':
              throw new Error('x'.repeat(100_000));
            case 'nothing':
              return Promise.reject(undefined);
            default:
              throw 'a string';
          }
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri, { options: { receiveDepthBytes: 4096 } });
    for (const way of ['throw', 'reject', 'respond']) {
      const error = await t.throwsAsync(connection.request(way), {
        instanceOf: RemoteError,
        code: 'ERR_HEDDLE_REMOTE',
      });
      t.is(error.remoteName, 'OrderError');
      t.is(error.remoteCode, 'E_ORDER');
      t.is(error.message, 'OrderError: out of stock');
      t.regex(error.remoteStack ?? '', /out of stock\n\s+at /);
      t.regex(error.stack ?? '', /at the other side:/);
    }
    const coded = await t.throwsAsync(connection.request('heddle'), { instanceOf: RemoteError });
    t.is(coded.remoteCode, 'ERR_HEDDLE_REJECTED');
    t.is(coded.remoteName, 'HeddleError');
    t.regex((await t.throwsAsync(connection.request('huge'))).message, /^Error: xxxx/);
    await t.throwsAsync(connection.request('nothing'), { code: 'ERR_HEDDLE_REMOTE' });
    await t.throwsAsync(connection.request('string'), { code: 'ERR_HEDDLE_REMOTE', message: /a string/ });
    t.true((await peer.handle.statistics()).handlerErrors >= 5);
  });

  row(transport, 'Errors: a request to a side without a handler is answered with an error', async (t, bench) => {
    const server = await bench.context.listen(transport.portal());
    const { connection } = await bench.connect(server.uri);
    await t.throwsAsync(connection.request(1), { code: 'ERR_HEDDLE_REMOTE', message: /onRequest/ });
    t.true(connection.send('nobody listens'));
    t.deepEqual(await connection.deliver('nobody listens'), { accepted: true });
  });

  row(transport, 'Calls keep: a request is kept and answered later from a timer, in any order', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      const kept: import('../../src/index.js').Message[] = [];
      state.server = await context.listen(portal, {
        onRequest: (message) => {
          kept.push(message.keep());
          if (kept.length === 10) {
            setTimeout(() => {
              for (const one of kept.splice(0).reverse()) one.respond([one.value, one.data.length]);
            }, 5);
          }
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri);
    const order: number[] = [];
    const responses = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        connection.request(index).then((response) => {
          order.push(index);
          return response.value;
        }),
      ),
    );
    t.deepEqual(
      responses.map(([value]) => value),
      Array.from({ length: 10 }, (_, index) => index),
    );
    t.deepEqual(
      order,
      Array.from({ length: 10 }, (_, index) => 9 - index),
    );
  });

  row(transport, 'Calls request: both sides ask each other at once, and from inside of handlers', async (t, bench) => {
    const peer = await bench.peer();
    const uri = await peer.run(async ({ context, state }, portal) => {
      state.server = await context.listen(portal, {
        onRequest: async (message, connection) => {
          const value = message.value as number;
          return value === 0 ? 'bottom' : (await connection.request(value - 1)).value;
        },
      });
      return state.server.uri as string;
    }, transport.portal());
    const { connection } = await bench.connect(uri, {
      onRequest: async (message, own) =>
        message.value === 0 ? 'bottom' : (await own.request(message.value - 1)).value,
    });
    const mine = Promise.all([10, 11, 12].map((depth) => connection.request(depth)));
    const theirs = peer.run(async ({ state }) => {
      const [back] = state.server.sessions[0].connections;
      const responses = await Promise.all([10, 11, 12].map((depth) => back.request(depth)));
      return responses.map((response: { value: string }) => response.value);
    });
    t.deepEqual(
      (await mine).map((response) => response.value),
      ['bottom', 'bottom', 'bottom'],
    );
    t.deepEqual(await theirs, ['bottom', 'bottom', 'bottom']);
  });

  row(
    transport,
    'Behaviour 10 order: messages reach the handler in the order sent, small ones behind large ones too',
    async (t, bench) => {
      const { peer, uri } = await bench.echo();
      const { connection } = await bench.connect(uri);
      const sizes = Array.from({ length: 60 }, (_, index) => [10, 1_000_000, 9_000, 0, 8_192, 200_000][index % 6]);
      for (const [index, size] of sizes.entries()) {
        const bytes = Buffer.alloc(size + 4, index);
        bytes.writeInt32LE(index);
        connection.send(bytes);
        connection.send(index);
      }
      await connection.request('after all of them');
      const got = peer.log.all('message');
      t.is(got.length, 120);
      for (const [index, size] of sizes.entries()) {
        const bytes = Buffer.from(got[2 * index].value);
        t.is(bytes.readInt32LE(), index);
        t.is(bytes.length, size + 4);
        t.true(bytes.subarray(4).every((byte) => byte === index));
        t.is(got[2 * index + 1].value, index);
      }
      t.true(got.every((entry, index) => entry.serial === index + 1));
      await turns(1);
    },
  );
}
