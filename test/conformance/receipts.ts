import type { Connection, Receipt } from '../../src/index.js';
import { type Bench, row } from './bench.js';
import type { Peer } from './peer.js';
import type { TestedTransport } from './transports.js';

/** Behaviour 4: receipts. */
export function registerReceipts(transport: TestedTransport): void {
  const messages = [
    ['its handler has returned', 'take', true],
    ['its handler has refused it', 'refuse', false],
    ['its handler has thrown', 'throw', false],
    ['its asynchronous handler has settled', 'later', true],
    ['its asynchronous handler has refused it', 'refuse-later', false],
    ['its asynchronous handler has failed', 'fail-later', false],
    ['its handler has kept it', 'keep', true],
  ] as const;
  for (const [title, value, accepted] of messages) {
    row(transport, `Behaviour 4 receipts: of a one-way message, when ${title}`, async (t, bench) => {
      const { peer, connection } = await receiptService(bench);
      const receipt = await connection.deliver(value);
      // The peer notes it before its handler returns; the note and the receipt come by different ways.
      t.is((await peer.log.until('returning')).value, value);
      t.deepEqual(receipt, { accepted });
      if (!accepted && value !== 'refuse' && value !== 'refuse-later') {
        t.like(await peer.log.until('message-error'), { status: 'handler', direction: 'in', kind: 'one-way' });
      }
    });

    row(transport, `Behaviour 4 receipts: of a request, when ${title}`, async (t, bench) => {
      const { connection } = await receiptService(bench);
      const order: string[] = [];
      const receipts: Receipt[] = [];
      const onReceipt = (receipt: Receipt) => {
        order.push('receipt');
        receipts.push(receipt);
      };
      const answered = new Promise<void>((resolve) => {
        const done = (what: string) => () => {
          order.push(what);
          resolve();
        };
        connection.requestWith(value, { onResponse: done('response'), onError: done('error') }, { onReceipt });
      });
      await answered;
      t.deepEqual(order, ['receipt', value === 'throw' || value === 'fail-later' ? 'error' : 'response']);
      t.deepEqual(receipts, [{ accepted }]);
    });
  }

  row(transport, 'Behaviour 4 receipts: each message has its own, in order', async (t, bench) => {
    const { connection } = await receiptService(bench);
    const got: string[] = [];
    const one = (name: string, value: string) =>
      new Promise<void>((resolve) => {
        connection.send(value, {
          onReceipt: ({ accepted }) => {
            got.push(`${name}:${accepted}`);
            resolve();
          },
        });
      });
    await Promise.all([one('a', 'take'), one('b', 'refuse'), one('c', 'take'), one('d', 'throw')]);
    t.deepEqual(got, ['a:true', 'b:false', 'c:true', 'd:false']);
  });

  row(
    transport,
    'Behaviour 4 receipts: when the connection ends first, the wait for the receipt ends too',
    async (t, bench) => {
      const { peer, connection } = await receiptService(bench);
      const delivery = connection.deliver('never');
      const requestReceipt = new Promise<Receipt>((resolve) => {
        connection.request('never', { onReceipt: resolve }).catch(() => {});
      });
      await peer.log.until('returning', 2);
      await connection.close();
      await t.throwsAsync(delivery, { code: 'ERR_HEDDLE_FLUSHED' });
      const receipt = await requestReceipt;
      t.false(receipt.accepted);
      t.is(receipt.error?.code, 'ERR_HEDDLE_FLUSHED');
    },
  );

  row(transport, 'Behaviour 4 receipts: send complete is told when a message has gone out', async (t, bench) => {
    const { connection } = await receiptService(bench);
    const sent: string[] = [];
    const session = bench.context.open(connection.session.uri);
    session.connection.send('take', { onSent: () => sent.push('queued before online') });
    t.deepEqual(sent, []);
    await session.connection.online;
    await session.connection.ready();
    connection.send('take', { onSent: () => sent.push('small') });
    connection.send(Buffer.alloc(300_000), { onSent: () => sent.push('large') });
    await connection.deliver('take');
    t.deepEqual(sent, ['queued before online', 'small', 'large']);
  });
}

/** A service that does what a message's value says, and a connection to it. */
async function receiptService(bench: Bench): Promise<{ peer: Peer; connection: Connection }> {
  const peer = await bench.peer();
  const uri = await peer.run(async ({ context, events, state, note, delay }, portal) => {
    const act = (message: import('../../src/index.js').Message, answer: (value: unknown) => void) => {
      const { value } = message;
      const finish = () => {
        if (value === 'refuse' || value === 'refuse-later') message.refuseReceipt();
        note('returning', { value });
        if (value === 'throw' || value === 'fail-later') throw new Error('no');
        return 'done';
      };
      if (value === 'never') {
        note('returning', { value });
        return new Promise(() => {});
      }
      if (String(value).endsWith('later')) return delay(5).then(finish);
      if (value === 'keep') {
        message.keep();
        setTimeout(() => answer('done'), 5);
      }
      return finish();
    };
    state.server = await context.listen(portal, {
      ...events,
      onRequest: (message) => act(message, (value) => message.respond(value)),
      onMessage: (message) => act(message, () => message.release()),
    });
    return state.server.uri as string;
  }, bench.transport.portal());
  return { peer, connection: (await bench.connect(uri)).connection };
}
