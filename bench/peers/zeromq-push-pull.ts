/** One-way messages over loopback TCP from one process to another through zeromq.js. */
import { Arrivals, type Flood } from '../harness/arrivals.js';
import { sharedMicros } from '../harness/latency.js';
import { checkLength, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import { requirePeer } from '../harness/requirement.js';
import type { Roles } from '../harness/role.js';
import { floodingSide, processPair } from '../harness/two-roles.js';

export interface ZeromqPushPullOptions {
  readonly bytes: number;
}

interface ZeroMq {
  Push: new (options: {
    sendHighWaterMark: number;
  }) => {
    connect(address: string): void;
    send(message: Uint8Array): Promise<void>;
  };
  Pull: new (options: {
    receiveHighWaterMark: number;
  }) => AsyncIterable<Buffer[]> & {
    bind(address: string): Promise<void>;
    readonly lastEndpoint: string;
  };
}

/** Messages queued on either side; a tenth (the default) and ten times as many were both slower. */
const highWaterMark = 10_000;
const clockInterval = 256;
const copiedBytes = 128;

function createSender({ bytes }: ZeromqPushPullOptions) {
  const { Push } = requirePeer('zeromq') as ZeroMq;
  const push = new Push({ sendHighWaterMark: highWaterMark });
  // One buffer for all: zeromq.js copies messages of up to 128 bytes when they are sent.
  if (bytes > copiedBytes) throw new Error(`messages above ${copiedBytes} bytes need a buffer each`);
  const payload = Buffer.alloc(bytes);
  fillPayload(payload);
  let sent = 0;
  return {
    connect: (address: string) => push.connect(address),
    send: async (budgetMs: number): Promise<Flood> => {
      const startMicros = sharedMicros();
      const deadlineMs = performance.now() + budgetMs;
      const before = sent;
      do {
        for (let i = 0; i < clockInterval; i++) {
          stampPayload(payload, sent++);
          await push.send(payload);
        }
      } while (performance.now() < deadlineMs);
      return { startMicros, count: sent - before, total: sent };
    },
  };
}

function createReceiver({ bytes }: ZeromqPushPullOptions) {
  const { Pull } = requirePeer('zeromq') as ZeroMq;
  const arrivals = new Arrivals();
  const pull = new Pull({ receiveHighWaterMark: highWaterMark });
  async function receive(): Promise<void> {
    for await (const [message] of pull) {
      if (message === undefined) throw new Error('a message without a frame arrived');
      checkLength(message.length, bytes);
      checkPayload(message, arrivals.count);
      arrivals.add();
    }
  }
  return {
    listen: async () => {
      await pull.bind('tcp://127.0.0.1:*');
      receive().catch((error: unknown) => arrivals.fail(error));
      return pull.lastEndpoint;
    },
    waitFor: (total: number) => arrivals.waitFor(total),
  };
}

export const roles: Roles = {
  side: (options: ZeromqPushPullOptions) => floodingSide(import.meta.url, processPair, options),
  sender: createSender,
  receiver: createReceiver,
};
