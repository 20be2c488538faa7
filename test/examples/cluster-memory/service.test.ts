import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import test from 'ava';
import {
  headerBytes,
  inMessage,
  kinds,
  readMessage,
  writeMessage,
} from '../../../examples/cluster-memory/page-message.js';
import type { Connection } from '../../../src/index.js';
import { isStored, MemoryBench, pageBytes, pageOf, shouldBeOneSided, store, turn, until } from './support.js';

for (const transport of ['shm', 'tcp', 'rdma'] as const) {
  test.serial(`pages are stored, evicted to disk, and come back as they were, over ${transport}`, async (t) => {
    await MemoryBench.run(t, transport, { cachePages: 16 }, async ({ server, pager }) => {
      const [one, other] = [await pager(1), await pager(2)];
      t.is(one.isOneSided, shouldBeOneSided(one), 'where the wire has it');
      for (let number = 0; number < 60; number++) {
        await store(one, number);
        await store(other, number, 1);
      }
      for (let number = 0; number < 60; number++) {
        t.true(await isStored(one, number));
        t.true(await isStored(other, number, 1));
      }
      await store(one, 3, 2);
      t.true(await isStored(one, 3, 2));
      t.true(server.counts.hits > 0);
      t.true(server.counts.loads > 60, 'most come from the disk');
      t.true(server.pages.evictions > 60);
      t.is(server.counts.oneSided > 0, shouldBeOneSided(one));
      t.is(server.counts.corrupt, 0);
    });
  });

  test.serial(
    `a page that finds no room gets a negative answer, and one that is not there none, over ${transport}`,
    async (t) => {
      await MemoryBench.run(t, transport, { cachePages: 4, diskPages: 6 }, async ({ server, pager }) => {
        const [one, hasty] = [await pager(1), await pager(2, { timeoutMs: 200 })];
        for (let number = 0; number < 6; number++) await store(one, number);
        for (let round = 0; round < 10; round++) t.false(await one.pageOut(99, pageOf(99)));
        t.true(server.counts.refused >= 10);
        for (let number = 0; number < 6; number++) t.true(await isStored(one, number), 'nothing was given up for it');
        await store(one, 0, 1);
        one.discard(1);
        await store(one, 99);
        t.true(await isStored(one, 0, 1));
        const { unknown } = server.counts;
        await t.throwsAsync(hasty.pageIn(1234, Buffer.alloc(pageBytes)), { code: 'timeout' });
        t.is(server.counts.unknown, unknown + 1);
        t.is(hasty.pending, 0);
      });
    },
  );

  test.serial(`a full queue of critical events suspends reception; nothing is lost, over ${transport}`, async (t) => {
    const events = { critical: 2, hints: 1 };
    await MemoryBench.run(t, transport, { cachePages: 32, events }, async ({ server, pager }) => {
      const one = await pager(1, { transfers: 64 });
      let foundSuspended = 0;
      const onTaken = server.onTaken.bind(server);
      server.onTaken = () => {
        if (server.isSuspended) foundSuspended++;
        onTaken();
      };
      for (let number = 0; number < 200; number++) await store(one, number);
      const order = Array.from({ length: 200 }, (_, index) => (index * 37) % 200);
      const read = await Promise.all(order.map((number) => isStored(one, number)));
      t.true(read.every((isRight) => isRight));
      t.true(server.counts.suspensions > 0, 'reception was suspended');
      t.true(foundSuspended >= server.counts.suspensions, 'until the daemon had taken events');
      t.false(server.isSuspended, 'and resumed');
      // The client's transfers that had been let in before, and wait for memory, lead to one event each when they get it.
      t.true(server.events.criticalHighWater <= 2 + 64, `${server.events.criticalHighWater} events waited`);
      t.true(server.events.droppedHints > 0, 'hints were dropped, and counted');
    });
  });

  test.serial(`what is of an earlier life is fenced off, over ${transport}`, async (t) => {
    await MemoryBench.run(t, transport, {}, async ({ server, pager }) => {
      const before = await pager(7);
      await store(before, 1);
      const after = await pager(7);
      t.is(server.pages.countOf(7), 0, 'its pages went with it');
      await t.throwsAsync(before.pageIn(1, Buffer.alloc(pageBytes)), { code: 'fenced' });
      await t.throwsAsync(before.pageIn(1, Buffer.alloc(pageBytes)), { code: 'fenced' }, 'for good');
      t.is(server.counts.stale, 1);
      await store(after, 1);
      t.true(await isStored(after, 1));
      await t.throwsAsync(before.flush(), { message: /fenced/ });
      t.is(server.clients, 1);
    });
  });

  test.serial(
    `a flush goes by the control path, and leaves all of a client's pages on disk, over ${transport}`,
    async (t) => {
      await MemoryBench.run(t, transport, { cachePages: 128 }, async ({ server, pager, path }) => {
        const [one, other] = [await pager(1), await pager(2)];
        for (let number = 0; number < 40; number++) await store(one, number);
        await store(other, 0);
        t.is(await one.flush(), 40);
        t.is(server.pages.dirty, 1, "the other's");
        t.is(await one.flush(), 0);
        const file = await open(path);
        t.true((await file.stat()).size >= 40 * pageBytes);
        await file.close();
      });
    },
  );

  test.serial(`bad input harms its sender and nobody else, over ${transport}`, async (t) => {
    await MemoryBench.run(t, transport, { maximumClients: 2 }, async ({ server, system, pager }) => {
      const good = await pager(1);
      await store(good, 1);
      const { context } = system.node;
      const introduce = (privateData: string) =>
        context.connect(server.uri, { codec: 'compact', privateData: Buffer.from(privateData) });
      for (const wrong of ['', 'null', '{}', '{"clientId":-1,"pageBytes":512}', '{"clientId":"1","pageBytes":512}']) {
        await t.throwsAsync(introduce(wrong), { code: 'ERR_HEDDLE_REJECTED' });
      }
      await t.throwsAsync(introduce('{"clientId":9,"pageBytes":4096}'), { message: /pageBytes=512/ });

      const replies: string[] = [];
      const bad: Connection = await context.connect(server.uri, {
        codec: 'compact',
        privateData: Buffer.from(JSON.stringify({ clientId: 9, pageBytes })),
        onMessage: ({ data }) => void replies.push(readMessage(data, pageBytes)!.status),
      });
      await t.throwsAsync(introduce('{"clientId":10,"pageBytes":512}'), { message: /too-many-clients/ });
      const { clientSession, serverSession } = JSON.parse(bad.session.peerPrivateData.toString());
      const base = {
        kind: kinds.pageOut,
        status: 'ok',
        requestId: 1,
        clientId: 9,
        clientSession,
        serverSession,
      } as const;
      const send = (changes: object, page: Uint8Array = Buffer.alloc(0)) => {
        const bytes = Buffer.alloc(headerBytes + page.length);
        writeMessage(bytes, { ...base, page: 5, checksum: 0, arenaSlot: inMessage, ...changes });
        bytes.set(page, headerBytes);
        bad.send(bytes);
      };
      send({}); // no page with it
      send({ arenaSlot: 3 }); // no arena
      send({ checksum: crc32(pageOf(5)) + 1 }, pageOf(5)); // damaged on the way
      send({ clientId: 1 }); // somebody else's name
      send({ serverSession: serverSession + 1 }); // an earlier server
      await until(() => replies.length === 5);
      t.deepEqual(replies, ['corrupt', 'corrupt', 'corrupt', 'lost', 'lost']);
      t.is(server.counts.stale, 2);
      t.is(server.pages.countOf(9), 0);
      for (const value of [undefined, { arena: 'nonsense', slots: 4 }, { arena: null, slots: -1 }]) {
        await t.throwsAsync(bad.request(value));
      }
      bad.send(Buffer.from('nonsense'));
      await bad.ended;
      await until(() => server.clients === 1);

      const control = await context.connect(JSON.parse(bad.session.peerPrivateData.toString()).controlUri, {
        codec: 'compact',
      });
      for (const value of [undefined, {}, { operation: 'flush', clientId: 1 }]) {
        await t.throwsAsync(control.request(value), { message: /fenced/ });
      }
      await control.close();
      t.true(await isStored(good, 1));
    });
  });

  test.serial(`on shutdown the server serves until all have acknowledged or gone, over ${transport}`, async (t) => {
    await MemoryBench.run(t, transport, { cachePages: 8 }, async ({ server, system, pager }) => {
      const [one, other] = [await pager(1), await pager(2)];
      for (let number = 0; number < 30; number++) await store(one, number);
      let hasEnded = false;
      const ended = server.shutdown().then(() => {
        hasEnded = true;
      });
      await Promise.all([one.shutdown, other.shutdown]);
      await t.throwsAsync(pager(3), { message: /shutting-down/ });
      for (let number = 0; number < 30; number++) t.true(await isStored(one, number), 'from disk, too');
      await store(one, 31);
      t.like(await server.device.ask('status'), { isOpen: true });
      one.acknowledgeShutdown();
      for (let count = 0; count < 20; count++) await turn();
      t.false(hasEnded, 'there is another one');
      await other.close();
      await ended;
      t.is(system.actorCounts.disk, 0);
    });
  });
}

test.serial("what the disk gives back changed is nobody's: it is not given out", async (t) => {
  await MemoryBench.run(t, 'shm', { cachePages: 4 }, async ({ server, pager, path }) => {
    const one = await pager(1);
    for (let number = 0; number < 12; number++) await store(one, number);
    await one.flush();
    const file = await open(path, 'r+');
    for (let slot = 0; slot < 12; slot++)
      await file.write(Buffer.from([0xff, 0xff, 0xff]), 0, 3, slot * pageBytes + 100);
    await file.close();
    // Which are in the cache is a matter of time. They are asked for first: a page that is loaded takes the place of one.
    const isCached = (number: number) => server.pages.find(1, number)!.cacheSlot >= 0;
    const numbers = Array.from({ length: 12 }, (_, number) => number);
    const [cached, others] = [numbers.filter(isCached), numbers.filter((number) => !isCached(number))];
    t.is(cached.length, 4);
    const results = await Promise.allSettled([...cached, ...others].map((number) => isStored(one, number)));
    const lost = results.filter((result) => result.status === 'rejected');
    t.is(lost.length, 8, 'four are in the cache');
    for (const { reason } of lost as PromiseRejectedResult[]) t.is(reason.code, 'lost');
    t.is(server.counts.corrupt, 8);
    await store(one, others[0]!, 1);
    t.true(await isStored(one, others[0]!, 1), 'and its room is free');
  });
});

test.serial('a disk that takes nothing: pages are refused when the cache is full, and a flush says so', async (t) => {
  await MemoryBench.run(t, 'shm', { cachePages: 4, path: '/dev/full' }, async ({ server, pager }) => {
    const one = await pager(1);
    for (let number = 0; number < 4; number++) await store(one, number);
    for (let round = 0; round < 5; round++) t.false(await one.pageOut(4, pageOf(4)));
    await t.throwsAsync(one.flush(), { message: /the disk does not take the pages/ });
    for (let number = 0; number < 4; number++) t.true(await isStored(one, number), 'what is in memory is there still');
    t.is(server.pages.dirty, 4);
    t.like(
      await server.device.ask('status'),
      { isOpen: true, opened: 1 },
      'neither the device nor its owner has failed',
    );
  });
});

test.serial('a flush covers what was stored before it, and does not wait for what comes after', async (t) => {
  await MemoryBench.run(t, 'tcp', { cachePages: 64 }, async ({ server, pager }) => {
    const one = await pager(1);
    for (let number = 0; number < 40; number++) await store(one, number);
    let isFlushed = false;
    const flushed = one.flush().then((pages) => {
      isFlushed = true;
      return pages;
    });
    for (let version = 1; !isFlushed; version++) await store(one, version % 40, version);
    t.true((await flushed) > 0);
    t.is(server.pages.count, 40);
  });
});
