import { createHash } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import test from 'ava';
import { kib, patternOf, startSite } from './support.js';

const files = 20;
const clients = 8;
const requestsOfClient = 60;

/** A version of a file that can be told from a mixture of versions: its checksum stands before its bytes. */
function versionOf(number: number): Buffer {
  const bytes = patternOf(number, 1 + ((number * 7919 + 13) % (300 * kib)));
  return Buffer.concat([createHash('sha256').update(bytes).digest(), bytes]);
}

test('while files change, memory is short, clients leave and the service dies, no answer is a mixture', async (t) => {
  let versions = 0;
  const first = Object.fromEntries(Array.from({ length: files }, (_, file) => [`${file}.bin`, versionOf(versions++)]));
  const { server, system, folder } = await startSite(t, first, { revalidateMs: 1, memoryBytes: 1024 * kib });
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const seen = { whole: 0, mixed: 0, refused: 0, cut: 0 };
  let isOver = false;

  const ask = (file: number, leaves: boolean) =>
    new Promise<void>((resolve) => {
      const onCut = () => {
        seen.cut++;
        resolve();
      };
      const request = get({ port: server.port, host: '127.0.0.1', path: `/${file}.bin`, agent }, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => {
          pieces.push(piece);
          if (leaves) request.destroy();
        });
        response.on('error', onCut);
        response.on('end', () => {
          const body = Buffer.concat(pieces);
          if (response.statusCode !== 200) seen.refused++;
          else if (createHash('sha256').update(body.subarray(32)).digest().equals(body.subarray(0, 32))) seen.whole++;
          else seen.mixed++;
          resolve();
        });
      });
      request.on('error', onCut);
    });

  const change = async () => {
    while (!isOver) {
      const next = join(folder, `next-${versions}`);
      await writeFile(next, versionOf(versions));
      await rename(next, join(folder, `${versions++ % files}.bin`));
    }
  };
  const asking = Array.from({ length: clients }, async (_, client) => {
    for (let request = 0; request < requestsOfClient; request++) {
      if (client === 0 && request === requestsOfClient / 2) await system.contextHandle('files')?.terminate();
      await ask((client * 31 + request * 17) % files, (client + request) % 20 === 0);
    }
  });
  const changing = change();
  await Promise.all(asking);
  isOver = true;
  await changing;
  agent.destroy();
  t.is(seen.mixed, 0);
  t.true(seen.whole > clients, JSON.stringify(seen));
  t.true(server.cache.memory.blockedBytes <= 1024 * kib);
});
