/** One-way messages from worker to worker through a MessageChannel: bytes of a given size, or an 8-field object. */
import type { MessagePort } from 'node:worker_threads';
import { Arrivals, type Flood } from '../harness/arrivals.js';
import { sharedMicros } from '../harness/latency.js';
import { checkLength, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import type { Roles } from '../harness/role.js';
import { floodingSide, threadPair } from '../harness/two-roles.js';
import { checkOrder, makeOrder, type Order } from '../workloads.js';

export interface PostMessageFloodOptions {
  /** Size of the messages in bytes; 0 for the object. */
  readonly bytes: number;
}

/**
 * Messages under way at the most. Without a bound the queue grows for as long as the sender is the faster side and
 * the garbage collector pays for it; this many never leave the receiver waiting.
 */
const windowMessages = 4096;
/** The receiver reports how far it is after this many messages. */
const reportInterval = 1024;
/**
 * The sender looks at the clock and lets its event loop run after this many messages. Of windows from 512 to 200,000
 * and bursts from 64 to 4096, these are among the fastest for all sizes; windows beyond 32,768 are much slower.
 */
const burstMessages = 1024;

function createSender({ bytes }: PostMessageFloodOptions) {
  const payload = new Uint8Array(bytes);
  fillPayload(payload);
  let port: MessagePort;
  let sent = 0;
  let reported = 0;
  let onReport: (() => void) | undefined;

  function postNext(): void {
    if (bytes === 0) {
      port.postMessage(makeOrder(sent++));
    } else {
      stampPayload(payload, sent++);
      port.postMessage(payload);
    }
  }

  return {
    connect: (argument: { port: MessagePort }) => {
      port = argument.port;
      port.on('message', (received: number) => {
        reported = received;
        onReport?.();
      });
    },
    send: (budgetMs: number): Promise<Flood> =>
      new Promise((resolve) => {
        const startMicros = sharedMicros();
        const deadlineMs = performance.now() + budgetMs;
        const before = sent;
        const pump = (): void => {
          onReport = undefined;
          if (performance.now() >= deadlineMs) {
            resolve({ startMicros, count: sent - before, total: sent });
            return;
          }
          const end = Math.min(sent + burstMessages, reported + windowMessages);
          while (sent < end) postNext();
          if (sent < reported + windowMessages) setImmediate(pump);
          else onReport = pump;
        };
        pump();
      }),
  };
}

function createReceiver({ bytes }: PostMessageFloodOptions) {
  const arrivals = new Arrivals();
  return {
    connect: ({ port }: { port: MessagePort }) => {
      port.on('message', (message: Uint8Array | Order) => {
        const sequence = arrivals.count;
        try {
          if (message instanceof Uint8Array) {
            checkLength(message.length, bytes);
            checkPayload(message, sequence);
          } else {
            checkOrder(message, sequence);
          }
        } catch (error) {
          arrivals.fail(error);
          return;
        }
        arrivals.add();
        if (arrivals.count % reportInterval === 0) port.postMessage(arrivals.count);
      });
    },
    waitFor: (total: number) => arrivals.waitFor(total),
  };
}

export const roles: Roles = {
  side: (options: PostMessageFloodOptions) => floodingSide(import.meta.url, threadPair, options),
  sender: createSender,
  receiver: createReceiver,
};
