import { row, turns } from './bench.js';
import type { TestedTransport } from './transports.js';

/** Behaviour 8: batching. */
export function registerBatching(transport: TestedTransport): void {
  row(transport, 'Behaviour 8 batching: the receiver is told whether more of the batch follows', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    for (let index = 0; index < 9; index++) connection.send(index, { more: index % 3 !== 2 });
    // The hint travels with every kind of message, queued and large ones too.
    connection.send(Buffer.alloc(100_000), { more: true });
    connection.send('header', { more: true, header: Buffer.from('h') });
    connection.send('last');
    await peer.log.until('message', 12);
    t.deepEqual(
      peer.log.all('message').map((entry) => entry.more),
      [true, true, false, true, true, false, true, true, false, true, true, false],
    );
  });

  row(transport, 'Behaviour 8 batching: a batch is published once, other messages one by one', async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    await turns(5);
    const publishes = () => bench.context.statistics.publishes;
    const before = publishes();
    connection.send(1, { more: true });
    connection.send(Buffer.of(2), { more: true });
    t.is(publishes(), before);
    connection.send(3);
    t.is(publishes(), before + 1);
    connection.send(Buffer.of(4));
    connection.send(5, { header: Buffer.from('h') });
    t.is(publishes(), before + 3);
    await peer.log.until('message', 5);
    await turns(5);
    const beforeLast = publishes();
    connection.send(6, { more: true });
    t.is(publishes(), beforeLast);
    // An incomplete batch is published when the turn ends.
    await peer.log.until('message', 6);
    t.true(publishes() > beforeLast);
  });

  row(
    transport,
    'Behaviour 8 batching: nothing of a batch is seen before its last message, and then all of it at once',
    async (t, bench) => {
      const got: string[] = [];
      const server = await bench.context.listen(transport.portal(), {
        onMessage: (message) => {
          got.push(message.value);
        },
      });
      const peer = await bench.threadPeer();
      const connecting = peer.run(async ({ context, state }, uri) => {
        state.connection = await context.connect(uri);
      }, server.uri);
      let connected = false;
      void connecting.then(() => {
        connected = true;
      });
      const poll = async () => {
        await bench.context.waitForWork(20);
        return bench.context.poll();
      };
      while (!connected) await poll();
      const gate = new Int32Array(new SharedArrayBuffer(8));
      const sending = peer.run(({ state }, gate) => {
        const sendBatch = (names: string[]) => {
          for (const name of names) state.connection.send(name, { more: true });
        };
        sendBatch(['a', 'b', 'c']);
        // The thread stops in the middle of its turn, where nothing but the last message can make the batch visible.
        Atomics.store(gate, 0, 1);
        Atomics.wait(gate, 1, 0);
        state.connection.send('d');
      }, gate);
      while (Atomics.load(gate, 0) === 0) await turns(1);
      for (let look = 0; look < 20; look++) {
        await turns(1);
        bench.context.poll();
      }
      t.deepEqual(got, []);
      Atomics.store(gate, 1, 1);
      Atomics.notify(gate, 1);
      let polls = 0;
      while (got.length === 0) {
        await poll();
        polls++;
      }
      t.deepEqual(got, ['a', 'b', 'c', 'd']);
      t.true(polls > 0);
      let sent = false;
      void sending.then(() => {
        sent = true;
      });
      while (!sent) await poll();
    },
    { contextOptions: { manualPolling: true } },
  );

  row(
    transport,
    'Behaviour 8 batching: a batch without a last message goes out when the turn ends',
    async (t, bench) => {
      const { peer, uri } = await bench.echo();
      const { connection } = await bench.connect(uri);
      for (let index = 0; index < 5; index++) connection.send(index, { more: true });
      await peer.log.until('message', 5);
      connection.send('flushed by hand', { more: true });
      connection.flush();
      t.is((await peer.log.until('message', 6)).value, 'flushed by hand');
    },
  );

  row(transport, 'Behaviour 8 batching: a batch longer than any frame or ring goes through', async (t, bench) => {
    const { peer, uri } = await bench.echo({ connection: { receiveDepthMessages: 500 } });
    const { connection } = await bench.connect(uri, { options: { sendQueueDepthMessages: 5_000 } });
    for (let index = 0; index < 3_000; index++) connection.send(Buffer.alloc(700, index), { more: true });
    connection.send('last');
    await peer.log.until('message', 3_001);
    t.true(
      peer.log
        .all('message')
        .slice(0, 3_000)
        .every((entry, index) => entry.more && entry.value[0] === index % 256),
    );
    t.false(peer.log.all('message')[3_000].more);
  });

  row(
    transport,
    'Behaviour 8 batching: batches of two connections, of every form and many lengths, arrive whole and in order',
    async (t, bench) => {
      const { peer, uri } = await bench.echo();
      const connections = [(await bench.connect(uri)).connection, (await bench.connect(uri)).connection];
      const count = 2_000;
      const forms = [
        (name: string) => Buffer.from(name),
        (name: string) => name,
        (name: string, index: number) => Buffer.from(name.padEnd(index % 300, '.')),
        (name: string) => ({ name }),
        (name: string, index: number) => name.padEnd(index * 5, '.'),
      ];
      const nameIn = (value: unknown): string => {
        if (value instanceof Uint8Array) return nameIn(Buffer.from(value).toString());
        return typeof value === 'string' ? value.replace(/\.+$/, '') : (value as { name: string }).name;
      };
      const { oneWaysSent } = bench.context.statistics;
      for (let index = 0; index < count; index++) {
        // Long stretches on one of them, and turns at the two.
        const from = index % 400 < 300 ? Math.floor(index / 50) % 2 : index % 2;
        const payload = forms[(index >> 2) % forms.length](`${from}:${index}`, index);
        const more = index < count - 2 && index % 97 !== 0;
        if (connections[from].send(payload, { more })) continue;
        connections[from].flush();
        await connections[from].ready();
      }
      for (const connection of connections) connection.flush();
      await peer.log.until('message', count);
      const names = peer.log.all('message').map((entry) => nameIn(entry.value));
      for (const from of ['0', '1']) {
        const indexes = names.filter((name) => name.startsWith(`${from}:`)).map((name) => Number(name.slice(2)));
        t.true(indexes.length > 500);
        t.true(indexes.every((each, at) => at === 0 || each > indexes[at - 1]));
      }
      t.is(new Set(names).size, count);
      t.is(bench.context.statistics.oneWaysSent - oneWaysSent, count);
    },
  );

  row(transport, 'Behaviour 8 batching: requests and responses can be batched', async (t, bench) => {
    const { uri } = await bench.echo();
    const { connection } = await bench.connect(uri);
    const requests = Array.from({ length: 50 }, (_, index) => connection.request(index, { more: index < 49 }));
    t.deepEqual(
      (await Promise.all(requests)).map((response) => response.value),
      Array.from({ length: 50 }, (_, index) => index),
    );
  });
}
