import { readdirSync, readlinkSync } from 'node:fs';
import test from 'ava';
import { createNode } from '../../../src/index.js';
import { loadBinding } from '../../../src/transports/rdma/binding.js';

/** UCX forgets what it noted of a descriptor that it closes, from 1.18 on; before, two links must not share a number. */
const [, minor] = loadBinding().loadUcx().split('.').map(Number);
const keepsApart = (minor as number) < 18;

function sockets(): Set<string> {
  const isSocket = (descriptor: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('socket:');
    } catch {
      // Closed meanwhile: that of reading the folder, say.
      return false;
    }
  };
  return new Set(readdirSync('/proc/self/fd').filter(isSocket));
}

test('the sockets of a link have numbers that those of the links before it had not', async (t) => {
  const server = createNode();
  const client = createNode({ contextOptions: { linkLingerMs: 0 } });
  const { uri } = await server.context.listen('rdma://127.0.0.1:0', { onRequest: (message) => message.value });
  const used = new Set<string>();
  let links = 0;
  for (let round = 0; round < 5; round++) {
    const before = sockets();
    const connection = await client.context.connect(uri);
    t.is((await connection.request(round)).value, round);
    const made = [...sockets()].filter((descriptor) => !before.has(descriptor));
    if (made.length > 0) links++;
    const again = made.filter((descriptor) => used.has(descriptor));
    if (keepsApart) t.deepEqual(again, []);
    for (const descriptor of made) used.add(descriptor);
    await connection.close();
    while (client.context.statistics.linksOpen > 0) await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(links > 0, 'UCX makes connections by sockets');
  await Promise.all([server.close(), client.close()]);
});
