import { workerData } from 'node:worker_threads';
import type { RingPair } from '../../../src/transports/shm/ring-pair.js';
import { ShmTransport } from '../../../src/transports/shm/shm-transport.js';
import { place, TestHost } from './harness.js';

/** Sends three records, the second of which names a slab, and has nothing more to do: so its thread ends. */
const { pair, table } = workerData as { pair: RingPair; table: SharedArrayBuffer };
const host = new TestHost();
const broker = { bind: async () => {}, unbind: async () => {}, connect: async () => 0 };
const transport = new ShmTransport(host, { contextId: 1, table, broker });
transport.attach(pair);
const link = host.links[0]!;
place(link, 'first');
link.shareSlab(9, new SharedArrayBuffer(32));
place(link, '9');
place(link, 'last');
link.publish();
place(link, 'never published');
