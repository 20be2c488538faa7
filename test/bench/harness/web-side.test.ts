import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { webSide } from '../../../bench/harness/web-side.js';

const load = { fileBytes: 1000, connections: 2, result: 'requests/s' } as const;

/** A side whose server leaves out the first bytes of the file. */
function sideWithout(bytes: number) {
  const seen = { folder: '', stops: 0 };
  const handlers = webSide(load, async ({ folder, path }) => {
    seen.folder = folder;
    const content = await readFile(join(folder, path));
    const server = createServer((_, response) => response.end(content.subarray(bytes)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const stop = () => {
      seen.stops++;
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    };
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
  });
  return { handlers, seen };
}

test('a server of the right file is taken, and nothing remains of its side', async (t) => {
  const { handlers, seen } = sideWithout(0);
  await handlers.setup!(undefined);
  t.true(existsSync(seen.folder));
  await handlers.teardown!(undefined);
  t.is(seen.stops, 1);
  t.false(existsSync(seen.folder));
});

test('a server that gives another file is found out, and what was made is removed all the same', async (t) => {
  const { handlers, seen } = sideWithout(1);
  await t.throwsAsync(async () => handlers.setup!(undefined), { message: /wrong file: status=200 lengthBytes=999/ });
  await handlers.teardown!(undefined);
  t.is(seen.stops, 1);
  t.false(existsSync(seen.folder));
});
