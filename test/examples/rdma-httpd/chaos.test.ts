import test from 'ava';
import type { RdmaClient } from '../../../examples/rdma-httpd/client.js';
import { kib, patternOf, setUp, slotBytes } from './support.js';

const clients = 6;
const requestsOfClient = 25;

for (const scheme of ['tcp', 'rdma']) {
  test.serial(
    `clients that leave, fail and come again, and a worker that dies, over ${scheme}: nothing wrong, nothing left`,
    async (t) => {
      const contents = [0, 1, 10, 200, 700].map((size) => patternOf(size, size * kib + 1));
      const files = Object.fromEntries(contents.map((content, file) => [`${file}.bin`, content]));
      const { url, httpd, untilFree, client: open } = await setUp(t, files);
      const seen = { right: 0, wrong: 0, failed: 0 };
      await Promise.all(
        Array.from({ length: clients }, async (_, number) => {
          const options = {
            portal: `${scheme}://127.0.0.1:0`,
            mode: number % 2 === 0 ? 'server-writes' : 'client-reads',
            slots: 1 + (number % 4),
            slotBytes: (slotBytes / 4) * (1 + number),
          } as const;
          let client: RdmaClient = await open(options);
          for (let request = 0; request < requestsOfClient; request++) {
            const dice = (number * 31 + request * 17) % 20;
            const file = (number + request) % contents.length;
            const abort = new AbortController();
            const pieces: Buffer[] = [];
            if (number === 0 && request === 12) await httpd.workers[0]?.terminate();
            try {
              const { status } = await client.get(
                url(`/${file}.bin`),
                async (bytes) => {
                  pieces.push(Buffer.from(bytes));
                  if (dice === 1) abort.abort(new Error('enough'));
                  if (dice === 2) throw new Error('the disk is full');
                  if (dice === 3) await new Promise(setImmediate);
                },
                { signal: abort.signal },
              );
              if (status === 503) seen.failed++;
              else if (Buffer.concat(pieces).equals(contents[file]!)) seen.right++;
              else seen.wrong++;
            } catch {
              seen.failed++;
            }
            if (dice === 4) {
              await client.close();
              client = await open(options);
            }
          }
          await client.close();
        }),
      );
      t.is(seen.wrong, 0);
      t.true(seen.right > clients, JSON.stringify(seen));
      await untilFree();
    },
  );
}
