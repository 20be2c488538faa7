import test from 'ava';
import fc from 'fast-check';
import { EventQueue, type StorageEvent } from '../../../examples/cluster-memory/event-queue.js';
import {
  headerBytes,
  kinds,
  readMessage,
  statuses,
  writeMessage,
} from '../../../examples/cluster-memory/page-message.js';
import { type Page, PageTable } from '../../../examples/cluster-memory/page-table.js';
import { Random } from '../../sim/random.js';

const event = (id: number): StorageEvent => ({ id, kind: 'load', cacheSlot: id, diskSlot: id, checksum: 0 });

test('critical events are never dropped and come first, hints are dropped and counted', (t) => {
  const queue = new EventQueue({ critical: 2, hints: 1 });
  t.true(queue.offer(event(1)));
  t.false(queue.offer(event(2)));
  t.is(queue.droppedHints, 1);
  queue.put(event(3));
  t.false(queue.isFull);
  queue.put(event(4));
  t.true(queue.isFull);
  queue.put(event(5));
  t.is(queue.length, 4, 'what a request led to that was let in before');
  t.deepEqual(
    queue.take(2).map(({ id }) => id),
    [3, 4],
  );
  t.true(queue.isDrained);
  queue.putBack([event(3), event(4)]);
  t.true(queue.isFull);
  t.deepEqual(
    queue.take(9).map(({ id }) => id),
    [3, 4, 5, 1],
  );
  t.is(queue.criticalHighWater, 3);
});

test('a message is read as it was written, and nothing else is one', (t) => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(
      fc.record({
        kind: fc.constantFrom(...Object.values(kinds)),
        status: fc.constantFrom(...statuses),
        requestId: word,
        clientId: word,
        clientSession: word,
        serverSession: word,
        page: word,
        checksum: word,
        arenaSlot: word,
      }),
      (message) => {
        const bytes = Buffer.alloc(headerBytes + 16);
        writeMessage(bytes, message);
        t.deepEqual(readMessage(bytes, 16), message);
        t.deepEqual(readMessage(bytes.subarray(0, headerBytes), 16), message);
        t.is(readMessage(bytes.subarray(0, headerBytes - 1), 16), undefined);
        t.is(readMessage(bytes, 17), undefined);
      },
    ),
  );
  for (const [kind, status] of [
    [0, 0],
    [9, 0],
    [1, statuses.length],
  ] as const) {
    t.is(readMessage(Buffer.from([kind, status, ...Array(30).fill(0)]), 16), undefined);
  }
});

test('over random work no slot of the cache or the disk is lost, or given out twice', (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const cacheSlots = random.integer(1, 8);
    const diskSlots = random.integer(4, 20);
    const table = new PageTable(cacheSlots, diskSlots);
    const all = new Set<Page>();
    const storing: Page[] = [];
    const busy: Page[] = [];
    for (let step = 0; step < 200; step++) {
      const page = table.make(random.integer(1, 3), random.integer(0, 9));
      all.add(page);
      const action = random.integer(0, 6);
      if (page.isBusy) {
        if (action === 0) table.drop(page);
        continue;
      }
      const isHere = page.cacheSlot >= 0;
      if (action <= 1) {
        if (table.reserve(page)) table.written(page, step);
        else if (page.version === 0) table.drop(page);
      } else if (action === 2 && !isHere && page.version > 0 && table.reserve(page)) {
        t.true(page.diskSlot >= 0, `seed ${seed}: a page that is neither here nor on disk`);
        page.isBusy = true;
        busy.push(page);
      } else if (action === 3) storing.push(...table.toStore(random.integer(1, 3)));
      else if (action === 4 && storing.length > 0) table.stored(storing.shift()!, random.chance(0.8));
      else if (action === 5 && busy.length > 0) {
        const loaded = busy.shift()!;
        table.free(loaded);
        if (!loaded.isDropped) table.loaded(loaded);
      } else if (action === 6 && random.chance(0.3)) table.drop(page);
      else if (page.version === 0) table.drop(page);

      const inUse = [...all].filter((one) => one.cacheSlot >= 0).map((one) => one.cacheSlot);
      t.is(new Set(inUse).size, inUse.length, `seed ${seed}: a cache slot has two pages`);
      t.is(inUse.length + table.freeCacheSlots, cacheSlots, `seed ${seed}: a cache slot is lost`);
      const onDisk = [...all].filter((one) => one.diskSlot >= 0).map((one) => one.diskSlot);
      t.is(new Set(onDisk).size, onDisk.length, `seed ${seed}: a disk slot has two pages`);
    }
    for (const page of storing) table.stored(page, true);
    for (const page of busy) table.free(page);
    for (const client of [1, 2, 3]) table.dropAllOf(client);
    t.is(table.freeCacheSlots, cacheSlots);
    t.is(table.cached, 0);
  }
});
