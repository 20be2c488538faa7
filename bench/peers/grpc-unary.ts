/**
 * Unary calls of grpc-js over loopback TCP between two processes: the p50 in microseconds. The service definition is
 * written by hand with bytes as they are for a message, which spares gRPC the cost of protobuf.
 */
import { LatencyRecorder } from '../harness/latency.js';
import { checkLength, checkPattern, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import { requirePeer } from '../harness/requirement.js';
import { type Role, type Roles, startProcess } from '../harness/role.js';

export interface GrpcUnaryOptions {
  readonly bytes: number;
}

type UnaryCallback = (error: Error | null, answer?: Buffer) => void;

interface GrpcClient {
  echo(question: Buffer, callback: UnaryCallback): void;
  waitForReady(deadline: Date, callback: (error?: Error) => void): void;
}

interface Grpc {
  Server: new () => {
    addService(
      definition: unknown,
      implementation: { echo(call: { request: Buffer }, callback: UnaryCallback): void },
    ): void;
    bindAsync(address: string, credentials: unknown, callback: (error: Error | null, port: number) => void): void;
  };
  ServerCredentials: { createInsecure(): unknown };
  credentials: { createInsecure(): unknown };
  makeGenericClientConstructor(
    definition: unknown,
    name: string,
  ): new (
    address: string,
    credentials: unknown,
  ) => GrpcClient;
}

const asIs = (bytes: Buffer): Buffer => bytes;
const echoService = {
  echo: {
    path: '/heddle.bench.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

function createServer() {
  const grpc = requirePeer('@grpc/grpc-js') as Grpc;
  const server = new grpc.Server();
  server.addService(echoService, { echo: (call, callback) => callback(null, call.request) });
  return {
    listen: () =>
      new Promise<number>((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
          error === null ? resolve(port) : reject(error),
        );
      }),
  };
}

function createClient({ bytes }: GrpcUnaryOptions) {
  const grpc = requirePeer('@grpc/grpc-js') as Grpc;
  const latencies = new LatencyRecorder();
  let client: GrpcClient;
  let sequence = 0;

  function echo(question: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      client.echo(question, (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      });
    });
  }

  return {
    connect: (port: number) => {
      const Client = grpc.makeGenericClientConstructor(echoService, 'Echo');
      client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
      return new Promise<void>((resolve, reject) => {
        client.waitForReady(new Date(Date.now() + 10_000), (error) => (error == null ? resolve() : reject(error)));
      });
    },
    run: async (budgetMs: number) => {
      latencies.reset();
      const payload = Buffer.alloc(bytes);
      fillPayload(payload);
      const deadlineMs = performance.now() + budgetMs;
      do {
        stampPayload(payload, ++sequence);
        const sentAtMs = performance.now();
        const answer = await echo(payload);
        latencies.add((performance.now() - sentAtMs) * 1000);
        checkLength(answer.length, bytes);
        checkPayload(answer, sequence);
        if (latencies.count === 1) checkPattern(answer, sequence, 0, bytes);
      } while (performance.now() < deadlineMs);
      return latencies.percentile(0.5);
    },
  };
}

function createSide(options: GrpcUnaryOptions) {
  let client: Role;
  let server: Role;
  return {
    setup: async () => {
      [client, server] = await Promise.all([
        startProcess(import.meta.url, 'client', options),
        startProcess(import.meta.url, 'server'),
      ]);
      await client.call('connect', await server.call<number>('listen'));
    },
    run: (budgetMs: number) => client.call<number>('run', budgetMs),
    teardown: async () => {
      await Promise.all([client.stop(), server.stop()]);
    },
  };
}

export const roles: Roles = { side: createSide, client: createClient, server: createServer };
