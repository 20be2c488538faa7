/** Round trips over loopback TCP from one process to another through zeromq.js: request and reply sockets. */
import { LatencyRecorder } from '../harness/latency.js';
import { checkLength, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import { requirePeer } from '../harness/requirement.js';
import { type Role, type Roles, startProcess } from '../harness/role.js';

interface ZeroMq {
  Request: new () => {
    connect(address: string): void;
    send(message: Uint8Array): Promise<void>;
    receive(): Promise<Buffer[]>;
  };
  Reply: new () => AsyncIterable<Buffer[]> & {
    bind(address: string): Promise<void>;
    send(message: Uint8Array): Promise<void>;
    readonly lastEndpoint: string;
  };
}

interface Options {
  readonly bytes: number;
}

function createAsker({ bytes }: Options) {
  const { Request } = requirePeer('zeromq') as ZeroMq;
  const socket = new Request();
  const latencies = new LatencyRecorder();
  const payload = Buffer.alloc(bytes);
  fillPayload(payload);
  let sequence = 0;
  return {
    connect: (address: string) => socket.connect(address),
    ask: async (budgetMs: number): Promise<number> => {
      latencies.reset();
      const deadlineMs = performance.now() + budgetMs;
      let nowMs = performance.now();
      while (nowMs < deadlineMs) {
        stampPayload(payload, ++sequence);
        const sentAtMs = performance.now();
        await socket.send(payload);
        const [answer] = await socket.receive();
        nowMs = performance.now();
        latencies.add((nowMs - sentAtMs) * 1000);
        if (answer === undefined) throw new Error('an answer without a frame arrived');
        checkLength(answer.length, bytes);
        checkPayload(answer, sequence);
      }
      return latencies.percentile(0.5);
    },
  };
}

function createAnswerer() {
  const { Reply } = requirePeer('zeromq') as ZeroMq;
  const socket = new Reply();
  async function answer(): Promise<void> {
    for await (const [question] of socket) await socket.send(question as Buffer);
  }
  return {
    bind: async () => {
      await socket.bind('tcp://127.0.0.1:*');
      void answer();
      return socket.lastEndpoint;
    },
  };
}

function createSide(options: Options) {
  let asker: Role;
  let answerer: Role;
  return {
    setup: async () => {
      [asker, answerer] = await Promise.all([
        startProcess(import.meta.url, 'asker', options),
        startProcess(import.meta.url, 'answerer', options),
      ]);
      await asker.call('connect', await answerer.call<string>('bind'));
    },
    run: (budgetMs: number) => asker.call<number>('ask', budgetMs),
    teardown: async () => {
      await Promise.all([asker.stop(), answerer.stop()]);
    },
  };
}

export const roles: Roles = { side: createSide, asker: createAsker, answerer: createAnswerer };
