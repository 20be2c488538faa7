/**
 * Unary calls of grpc-js over loopback TCP between two processes: the p50 in microseconds. The service definition is
 * written by hand with bytes as they are for a message, which spares gRPC the cost of protobuf.
 */
import { fillPayload, stampPayload } from '../harness/payload.js';
import { requirePeer } from '../harness/requirement.js';
import type { Roles } from '../harness/role.js';
import { AwaitedRoundTrips, checkEcho } from '../harness/round-trips.js';
import { askingSide, processPair } from '../harness/two-roles.js';

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
  const payload = Buffer.alloc(bytes);
  fillPayload(payload);
  let client: GrpcClient;

  function echo(question: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      client.echo(question, (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      });
    });
  }

  const trips = new AwaitedRoundTrips<Buffer>(
    (sequence) => {
      stampPayload(payload, sequence);
      return echo(payload);
    },
    (answer, sequence, isFirst) => checkEcho(answer, bytes, sequence, isFirst),
  );

  return {
    connect: (port: number) => {
      const Client = grpc.makeGenericClientConstructor(echoService, 'Echo');
      client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
      return new Promise<void>((resolve, reject) => {
        client.waitForReady(new Date(Date.now() + 10_000), (error) => (error == null ? resolve() : reject(error)));
      });
    },
    run: (budgetMs: number) => trips.run(budgetMs),
  };
}

export const roles: Roles = {
  side: (options: GrpcUnaryOptions) => askingSide(import.meta.url, processPair, options),
  client: createClient,
  server: createServer,
};
