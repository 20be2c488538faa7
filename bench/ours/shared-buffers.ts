/** What a context does that sends, or receives, large SharedBuffers one way. */
import type { Connection, Context } from '../../src/index.js';
import { Arrivals, type Flood } from '../harness/arrivals.js';
import { sharedMicros } from '../harness/latency.js';
import { checkLength, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';

/** Buffers that may be on their way at a time: so many stay in the cores' caches, as the one that ucx_perftest sends again and again. */
const window = 3;

export function bufferSender(context: Context, bytes: number) {
  let connection: Connection;
  let sent = 0;
  let onWay = 0;
  const pattern = new Uint8Array(bytes);
  fillPayload(pattern);
  /** Where buffers lie that were filled once, by their memory: the pool gives out those released last, and clears none. */
  const filled = new Map<ArrayBufferLike, Set<number>>();

  function fill(memory: Uint8Array): void {
    const offsets = filled.get(memory.buffer) ?? new Set();
    if (!offsets.has(memory.byteOffset)) memory.set(pattern);
    filled.set(memory.buffer, offsets.add(memory.byteOffset));
  }

  return {
    connect: async (uri: string) => {
      connection = await context.connect(uri);
    },
    send: (budgetMs: number): Promise<Flood> =>
      new Promise((resolve, reject) => {
        const startMicros = sharedMicros();
        const deadlineMs = performance.now() + budgetMs;
        const before = sent;
        const onSent = () => {
          onWay--;
          pump();
        };
        const pump = () => {
          try {
            while (onWay < window && performance.now() < deadlineMs) {
              const buffer = context.allocate(bytes);
              fill(buffer.bytes);
              stampPayload(buffer.bytes, sent++);
              onWay++;
              connection.send(buffer, { onSent });
            }
            if (onWay === 0) resolve({ startMicros, count: sent - before, total: sent });
          } catch (error) {
            reject(error);
          }
        };
        pump();
      }),
  };
}

export async function bufferReceiver(context: Context, bytes: number, uri: string) {
  const arrivals = new Arrivals();
  const server = await context.listen(uri, {
    onMessage: (message) => {
      try {
        checkLength(message.length, bytes);
        checkPayload(message.data, arrivals.count);
      } catch (error) {
        arrivals.fail(error);
        return;
      }
      arrivals.add();
    },
  });
  return { waitFor: (total: number) => arrivals.waitFor(total), uri: () => server.uri };
}
