/** Options, read and changed while things run; statistics, read by another thread without disturbing anyone. */
import { createNode } from 'heddle';
import type server from './options-and-statistics-server.js';

const uri = process.argv[2] ?? 'shm://squares';

const node = createNode();
const service = await node.startContext<typeof server>(new URL('./options-and-statistics-server.js', import.meta.url), {
  data: uri,
  options: { pollingMicros: 20, connection: { receiveDepthMessages: 64 } },
});
const connection = await node.context.connect(service.value, { options: { requestTimeoutMs: 10_000 } });

// The service takes 64 unreleased messages; what is more waits in the send queue of this side.
const numbers = Array.from({ length: 500 }, (_, number) => number);
const answers = await Promise.all(
  numbers.map((number) => connection.request(number, { more: number < numbers.length - 1 })),
);
console.log(`the square of 22 is ${answers[22]?.value}`);

// Live options can be set at any time, of a connection as of a whole context.
connection.setOptions({ requestTimeoutMs: 20_000 });
await service.setOptions({ pollingMicros: 0 });
console.log(`the service polls for ${(await service.getOptions()).pollingMicros} µs before it sleeps`);

const { requestsReceived, bytesReceived, handlerTime, userCounters } = service.statistics();
console.log(`it has received ${requestsReceived} requests, ${bytesReceived} bytes of data, ${userCounters.even} even`);
console.log(`its handler took ${handlerTime.meanMicros.toFixed(1)} µs (${handlerTime.count} times measured)`);
console.log(`stalled for want of credits: ${node.context.statistics.creditStalls > 0 ? 'yes' : 'no'}`);

await node.close();
