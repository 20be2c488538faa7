/** Round trips of raw bytes over a loopback TCP socket between two processes: the p50 in microseconds. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Roles } from '../harness/role.js';
import { EchoedRoundTrips } from '../harness/round-trips.js';
import { askingSide, processPair } from '../harness/two-roles.js';

export interface NetEchoOptions {
  readonly bytes: number;
}

function createEchoServer() {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', () => socket.destroy());
  });
  return {
    listen: () =>
      new Promise<number>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
      }),
  };
}

function createClient({ bytes }: NetEchoOptions) {
  const answer = Buffer.alloc(bytes);
  let socket: Socket;
  let arrivedBytes = 0;
  const trips = new EchoedRoundTrips(bytes, 0, (payload) => {
    arrivedBytes = 0;
    socket.write(payload);
  });

  function onData(chunk: Buffer): void {
    chunk.copy(answer, arrivedBytes);
    arrivedBytes += chunk.length;
    if (arrivedBytes === bytes) trips.onAnswer(answer);
    else if (arrivedBytes > bytes) trips.fail(new Error(`more bytes than were sent: ${arrivedBytes}`));
  }

  return {
    connect: (port: number) =>
      new Promise<void>((resolve, reject) => {
        socket = connect({ host: '127.0.0.1', port, noDelay: true }, resolve);
        socket.once('error', reject);
        socket.on('error', (error) => trips.fail(error));
        socket.on('close', () => trips.fail(new Error('the socket was closed')));
        socket.on('data', onData);
      }),
    run: (budgetMs: number) => trips.run(budgetMs),
  };
}

export const roles: Roles = {
  side: (options: NetEchoOptions) => askingSide(import.meta.url, processPair, options),
  client: createClient,
  server: createEchoServer,
};
