/** Round trips over loopback TCP from one process to another through zeromq.js: request and reply sockets. */
import { fillPayload, stampPayload } from '../harness/payload.js';
import { requirePeer } from '../harness/requirement.js';
import type { Roles } from '../harness/role.js';
import { AwaitedRoundTrips, checkEcho } from '../harness/round-trips.js';
import { askingSide, processPair } from '../harness/two-roles.js';

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

function createClient({ bytes }: Options) {
  const { Request } = requirePeer('zeromq') as ZeroMq;
  const socket = new Request();
  const payload = Buffer.alloc(bytes);
  fillPayload(payload);
  const trips = new AwaitedRoundTrips<Buffer | undefined>(
    async (sequence) => {
      stampPayload(payload, sequence);
      await socket.send(payload);
      return (await socket.receive())[0];
    },
    (answer, sequence, isFirst) => {
      if (answer === undefined) throw new Error('an answer without a frame arrived');
      checkEcho(answer, bytes, sequence, isFirst);
    },
  );
  return {
    connect: (address: string) => socket.connect(address),
    run: (budgetMs: number) => trips.run(budgetMs),
  };
}

function createServer() {
  const { Reply } = requirePeer('zeromq') as ZeroMq;
  const socket = new Reply();
  async function answer(): Promise<void> {
    for await (const [question] of socket) await socket.send(question as Buffer);
  }
  return {
    listen: async () => {
      await socket.bind('tcp://127.0.0.1:*');
      void answer();
      return socket.lastEndpoint;
    },
  };
}

export const roles: Roles = {
  side: (options: Options) => askingSide(import.meta.url, processPair, options),
  client: createClient,
  server: createServer,
};
