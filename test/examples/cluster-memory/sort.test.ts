import test from 'ava';
import { externalSort } from '../../../examples/cluster-memory/external-sort.js';
import { PagedMemory } from '../../../examples/cluster-memory/paged-memory.js';
import type { RemotePager } from '../../../examples/cluster-memory/remote-pager.js';
import { Random } from '../../sim/random.js';
import { MemoryBench, pageBytes } from './support.js';

for (const transport of ['shm', 'tcp'] as const) {
  test(`numbers that fit nowhere but on the disk are sorted as in memory, over ${transport}`, async (t) => {
    await MemoryBench.run(t, transport, { cachePages: 24 }, async ({ server, pager }) => {
      for (let seed = 1; seed <= 4; seed++) {
        const random = new Random(seed);
        const pages = random.integer(1, 150);
        const memory = new PagedMemory(await pager(seed), random.integer(4, 12));
        const expected = new Float64Array((pages * pageBytes) / 8).map(() => random.next() * 2 - 1);
        const bytesOf = (page: number) => new Uint8Array(expected.buffer, page * pageBytes, pageBytes);
        for (let page = 0; page < pages; page++) await memory.withPage(page, true, (bytes) => bytes.set(bytesOf(page)));
        const runs = { runPages: random.integer(1, 8), fanIn: random.integer(2, 5) };
        const sorted = await externalSort(memory, { firstPage: 0, pages }, pages, runs);
        expected.sort();
        let equal = 0;
        for (let page = 0; page < pages; page++) {
          if (await memory.withPage(sorted.firstPage + page, false, (bytes) => bytes.equals(bytesOf(page)))) equal++;
        }
        t.is(equal, pages, `seed ${seed}: ${pages} pages, ${JSON.stringify(runs)}`);
        t.true(memory.residentPages <= 12);
      }
      t.true(server.counts.loads > 0, 'some came from the disk');
      t.is(server.counts.corrupt, 0);
    });
  });
}

test('paged memory keeps what is written at random, with few frames and many at once', async (t) => {
  await MemoryBench.run(t, 'shm', { cachePages: 16 }, async ({ pager }) => {
    const memory = new PagedMemory(await pager(1), 5);
    const model = new Map<number, number>();
    const random = new Random(7);
    for (let round = 0; round < 40; round++) {
      const pages = new Set(Array.from({ length: 12 }, () => random.integer(0, 39)));
      await Promise.all(
        [...pages].map((page) => {
          const value = random.integer(1, 255);
          if (random.chance(0.5)) {
            model.set(page, value);
            return memory.withPage(page, true, (bytes) => void bytes.fill(value));
          }
          if (random.chance(0.2)) memory.prefetch((page + 1) % 40);
          const expected = model.get(page) ?? 0;
          return memory.withPage(page, false, (bytes) => t.true(bytes.every((byte) => byte === expected)));
        }),
      );
    }
  });
});

test('pages that could not be fetched leave every frame free, and none with two pages', async (t) => {
  let isAway = false;
  const pages = new Map<number, Buffer>();
  const pager = {
    pageBytes,
    pageOut: async (page: number, bytes: Buffer) => {
      pages.set(page, Buffer.from(bytes));
      return true;
    },
    pageIn: async (page: number, target: Buffer) => {
      if (isAway) throw new Error('the server has gone');
      target.set(pages.get(page)!);
    },
  } as unknown as RemotePager;
  const memory = new PagedMemory(pager, 3);
  for (let page = 0; page < 20; page++) await memory.withPage(page, true, (bytes) => void bytes.fill(page));
  isAway = true;
  const use = (page: number) => memory.withPage(page, false, (bytes) => t.true(bytes.every((byte) => byte === page)));
  // Several want each page, and some ask again as soon as they hear of the failure.
  const asked = Array.from({ length: 60 }, (_, number) => use(number % 5).catch(() => use((number % 5) + 5)));
  for (const result of await Promise.allSettled(asked)) t.is(result.status, 'rejected');
  t.is(memory.residentPages, 0);
  isAway = false;
  await Promise.all(Array.from({ length: 60 }, (_, number) => use(number % 20)));
  t.is(memory.residentPages, 3);
});
