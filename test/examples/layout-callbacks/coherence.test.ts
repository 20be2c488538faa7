import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { LayoutClient } from '../../../examples/layout-callbacks/layout-client.js';
import { Random } from '../../sim/random.js';
import { isLinearizable, type TimedOperation } from './linearizability.js';
import { portals, Store } from './support.js';

const files = ['warp', 'weft'];
const fileBytes = 48 * 1024;

for (const transport of ['shm', 'tcp', 'rdma'] as const) {
  test(`several clients, one operation after another, see what a plain array sees, over ${transport}`, async (t) => {
    const seeds = { shm: 50, tcp: 12, rdma: 8 }[transport];
    await Store.run(t, portals[transport](), {}, async (store) => {
      let reconnects = 0;
      for (let seed = 1; seed <= seeds; seed++) {
        const random = new Random(seed);
        const names = files.map((file) => `${file}-${seed}`);
        const model = new Map(names.map((name) => [name, Buffer.alloc(fileBytes)]));
        const clients: LayoutClient[] = [];
        for (const name of ['a', 'b', 'c']) {
          clients.push(await store.client(`${name}-${seed}`, { cacheBytes: random.pick([8, 64, 1024]) * 1024 }));
        }
        for (let step = 0; step < 40; step++) {
          const client = random.pick(clients);
          const name = random.pick(names);
          const start = random.integer(0, fileBytes - 1);
          const length = random.integer(1, Math.min(12 * 1024, fileBytes - start));
          const expected = model.get(name)!;
          if (random.chance(0.05)) client.session.dropConnection();
          if (random.chance(0.1)) await client.sync();
          else if (random.chance(0.5)) {
            const bytes = Buffer.alloc(length, random.integer(1, 255));
            await client.write(name, start, bytes);
            bytes.copy(expected, start);
          } else {
            const read = await client.read(name, start, length);
            if (!read.equals(expected.subarray(start, start + length))) {
              t.fail(`seed ${seed}, step ${step}: ${name} from ${start}, ${length} bytes, is not what was written`);
              return;
            }
          }
        }
        for (const client of clients) {
          await client.close();
          reconnects += client.session.reconnects;
        }
        for (const [name, expected] of model) {
          const stored = await readFile(join(store.folder, name)).catch(() => Buffer.alloc(0));
          t.true(Buffer.concat([stored, Buffer.alloc(fileBytes)], fileBytes).equals(expected), `seed ${seed}: ${name}`);
        }
      }
      t.true(store.server.counts.recalled > seeds, 'the clients were in each other’s way');
      t.true(reconnects > seeds / 4, 'connections were lost');
      t.is(store.server.counts.revoked, 0);
    });
  });

  test(`several clients at once: what they see could have come one after another, over ${transport}`, async (t) => {
    const seeds = { shm: 80, tcp: 15, rdma: 8 }[transport];
    const cells = 3;
    await Store.run(t, portals[transport](), {}, async (store) => {
      for (let seed = 1; seed <= seeds; seed++) {
        const random = new Random(seed);
        const clients = await Promise.all(['a', 'b', 'c'].map((name) => store.client(`${name}-${seed}`)));
        const history: TimedOperation[] = [];
        let time = 0;
        let stamp = 0;
        const work = async (client: LayoutClient) => {
          for (let step = 0; step < 8; step++) {
            const first = random.integer(0, cells - 1);
            const count = random.integer(1, cells - first);
            const itsCells = Array.from({ length: count }, (_, index) => first + index);
            const calledAt = ++time;
            if (random.chance(0.1)) client.session.dropConnection();
            if (random.chance(0.5)) {
              const values = itsCells.map(() => ++stamp);
              // Cells that share a block and cells that do not: 3000 bytes apart.
              const bytes = Buffer.alloc(3000 * (count - 1) + 4);
              for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 3000 * index);
              await client.write(`cells-${seed}`, 3000 * first, bytes);
              history.push({ kind: 'write', cells: itsCells, values, calledAt, endedAt: ++time });
            } else {
              const bytes = await client.read(`cells-${seed}`, 3000 * first, 3000 * (count - 1) + 4);
              const values = itsCells.map((_, index) => bytes.readUInt32LE(3000 * index));
              history.push({ kind: 'read', cells: itsCells, values, calledAt, endedAt: ++time });
            }
          }
        };
        await Promise.all(clients.map(work));
        t.true(isLinearizable(history, cells), `seed ${seed}`);
        await Promise.all(clients.map((client) => client.close()));
      }
      t.true(store.server.counts.recalled > seeds);
    });
  });

  test(`updates are not lost, whoever makes them, over ${transport}`, async (t) => {
    await Store.run(t, portals[transport](), {}, async (store) => {
      const clients = await Promise.all(['a', 'b', 'c', 'd'].map((name) => store.client(name)));
      const increment = (bytes: Buffer) => {
        bytes.writeUInt32LE(bytes.readUInt32LE() + 1);
        return bytes;
      };
      await Promise.all(
        clients.map(async (client) => {
          for (let count = 0; count < 50; count++) await client.update('counter', 8, 4, increment);
        }),
      );
      t.is((await clients[0]!.read('counter', 8, 4)).readUInt32LE(), 200);
    });
  });
}

test('the check of histories finds those that are impossible', (t) => {
  const write = { kind: 'write', cells: [0], values: [1], calledAt: 1, endedAt: 2 } as const;
  const stale = { kind: 'read', cells: [0], values: [0], calledAt: 3, endedAt: 4 } as const;
  t.false(isLinearizable([write, stale], 1));
  t.true(isLinearizable([write, { ...stale, calledAt: 1 }], 1), 'at the same time');
  t.true(isLinearizable([write, { ...stale, values: [1] }], 1));
  const torn = [
    { kind: 'write', cells: [0, 1], values: [1, 2], calledAt: 1, endedAt: 9 },
    { kind: 'read', cells: [0, 1], values: [1, 0], calledAt: 2, endedAt: 8 },
  ] as const;
  t.false(isLinearizable(torn, 2));
});
