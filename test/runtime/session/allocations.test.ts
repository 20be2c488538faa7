import test from 'ava';
import { createNode } from '../../../src/index.js';
import type { Connection } from '../../../src/runtime/session/connection.js';
import { type Allocations, watchAllocations } from './fixtures/allocations.js';

const uri = 'shm://allocations';
const count = 100_000;
const inBatch = { more: true };

/** Sends messages that are numbered from `first` on. */
async function flood(connection: Connection, first: number): Promise<void> {
  const payload = new Uint8Array(64);
  const numbers = new DataView(payload.buffer);
  for (let i = 0; i < count; i++) {
    numbers.setInt32(0, first + i, true);
    if (!connection.send(payload, { more: i < count - 1 })) await connection.ready();
  }
}

/** Sends requests, some at a time, by one waiter for all. */
function ask(connection: Connection): Promise<void> {
  const payload = new Uint8Array(64);
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const waiter = {
      onResponse: () => {
        answered++;
        if (sent < count) connection.requestWith(payload, waiter, inBatch);
        sent++;
        if (answered === count) resolve();
      },
      onError: reject,
    };
    for (; sent < 64; sent++) connection.requestWith(payload, waiter, inBatch);
  });
}

const ways = [
  { title: 'messages on their steady way allocate nothing, at either end', send: flood, clockBytes: 0 },
  // What Node.js answers when it is asked for the time is a number on the heap, where it is not compiled away.
  { title: 'requests and their responses allocate nothing but the time of the deadline', send: ask, clockBytes: 16 },
];
for (const { title, send, clockBytes } of ways) {
  test.serial(title, async (t) => {
    const node = createNode();
    // Contexts do not keep the process alive, and ava ends a test when nothing else does.
    const hold = setInterval(() => {}, 60_000);
    t.teardown(async () => {
      await node.close();
      clearInterval(hold);
    });
    await node.startContext(new URL('./fixtures/receive-and-watch.js', import.meta.url), { data: uri });
    const connection = await node.context.connect(uri);
    // Before code is compiled for good it allocates numbers, and queues and tables grow to their size.
    for (let i = 0; i < 5; i++) await send(connection, i * count);
    t.is((await connection.request('begin', { timeoutMs: 60_000 })).value, 5 * count);
    const end = await watchAllocations();
    await send(connection, 5 * count);
    const sending = await end();
    const answer = await connection.request('end', { timeoutMs: 60_000 });
    const receiving = answer.value as Allocations & { readonly received: number };
    t.is(receiving.received, 6 * count);
    // The smallest object has 16 bytes. What is found beside none for each message is from times, of which one message in
    // 64 has some, and from pauses.
    for (const side of [sending, receiving]) t.true(side.bytes < (clockBytes + 8) * count, side.places.join('\n'));
  });
}
