import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import test from 'ava';
import { createNode } from '../../../src/index.js';
import { collectGarbage } from '../../support/garbage.js';

const warmUpCycles = 50;
const cycles = Number(process.env.HEDDLE_CYCLES ?? 150);
/** What the allocator and UCX's own pools may differ by, for reasons of their own, however many cycles there are. */
const descriptorSlack = 30;
const residentSlackBytes = 32 * 1024 * 1024;

test('connections that come and go leave no descriptors and no memory behind', async (t) => {
  t.timeout(600_000);
  // A process of its own for each side: see docs/rdma.md, on UCX and descriptors.
  const service = fork(new URL('./fixtures/process.js', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  t.teardown(() => service.kill('SIGKILL'));
  const [uri] = (await once(service, 'message')) as [string];
  const client = createNode({ contextOptions: { linkLingerMs: 0 } });
  const cycle = async () => {
    const connection = await client.context.connect(uri);
    const response = await connection.request(client.context.allocate(100_000));
    response.release();
    await connection.close();
    // A link without connections closes at once here: the next cycle makes another.
    while (client.context.statistics.linksOpen > 0) await new Promise((resolve) => setImmediate(resolve));
  };
  for (let number = 0; number < warmUpCycles; number++) await cycle();
  const before = held();
  for (let number = 0; number < cycles; number++) await cycle();
  const after = held();
  t.log(`${cycles} cycles: ${JSON.stringify({ before, after })}`);
  t.true(after.descriptors <= before.descriptors + descriptorSlack, JSON.stringify({ before, after }));
  t.true(after.bytes <= before.bytes + residentSlackBytes, JSON.stringify({ before, after }));
  await client.close();
  t.is(client.context.memory.buffersHeld, 0);
});

/** What the process holds when garbage is no part of it: the heap grows to what collections have found worth while. */
function held(): { readonly descriptors: number; readonly bytes: number } {
  collectGarbage();
  return { descriptors: readdirSync('/proc/self/fd').length, bytes: process.memoryUsage.rss() };
}
