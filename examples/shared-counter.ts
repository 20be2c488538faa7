/** A counter in memory that many count in: by atomic operations on a region, without a message to the one that owns it. */
import { createNode } from 'heddle';
import type counting from './shared-counter-client.js';
import type owner from './shared-counter-owner.js';

const uri = process.argv[2] ?? 'shm://counter';
const clients = 3;
const times = 2000;

const node = createNode();
const service = await node.startContext<typeof owner>(new URL('./shared-counter-owner.js', import.meta.url), {
  data: uri,
});
const module = new URL('./shared-counter-client.js', import.meta.url);
const ends = await Promise.all(
  Array.from({ length: clients }, () =>
    node.startContext<typeof counting>(module, { data: { uri: service.value, times } }),
  ),
);
for (const { name, value } of ends) {
  const rate = Math.round(value.perSecond).toLocaleString('en-US');
  console.log(`${name} counted ${times} times by way of ${value.way}, ${rate} a second`);
}

// By the way, a lock: whoever swaps a 0 for a 1 has it, and gives it back by swapping the 1 for a 0.
const connection = await node.context.connect(service.value);
const region = await connection.openRegion((await connection.request('handle')).value);
console.log(`the counter is at ${await region.fetchAdd(0, 0n)}`);
console.log(`the lock was free: ${(await region.compareAndSwap(8, 0n, 1n)) === 0n ? 'yes' : 'no'}`);
console.log(`and is taken now: ${(await region.compareAndSwap(8, 0n, 1n)) === 1n ? 'yes' : 'no'}`);
console.log(`the owner was asked ${service.statistics().requestsReceived} times: once by each, for the handle`);

await node.close();
