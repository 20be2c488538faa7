/** Round trips of raw bytes over a loopback TCP socket between two processes: the p50 in microseconds. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { LatencyRecorder } from '../harness/latency.js';
import { checkPattern, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import { type Role, type Roles, startProcess } from '../harness/role.js';

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
  const payload = Buffer.alloc(bytes);
  fillPayload(payload);
  const answer = Buffer.alloc(bytes);
  const latencies = new LatencyRecorder();
  let socket: Socket;
  let sequence = 0;
  let arrivedBytes = 0;
  let sentAtMs = 0;
  let deadlineMs = 0;
  let onEnd: (error?: unknown) => void = () => {};

  function ask(): void {
    stampPayload(payload, ++sequence);
    arrivedBytes = 0;
    sentAtMs = performance.now();
    socket.write(payload);
  }

  function onData(chunk: Buffer): void {
    chunk.copy(answer, arrivedBytes);
    arrivedBytes += chunk.length;
    if (arrivedBytes < bytes) return;
    const nowMs = performance.now();
    latencies.add((nowMs - sentAtMs) * 1000);
    try {
      if (arrivedBytes !== bytes) throw new Error(`more bytes than were sent: ${arrivedBytes}`);
      checkPayload(answer, sequence);
      if (latencies.count === 1) checkPattern(answer, sequence, 0, bytes);
    } catch (error) {
      onEnd(error);
      return;
    }
    if (nowMs >= deadlineMs) onEnd();
    else ask();
  }

  return {
    connect: (port: number) =>
      new Promise<void>((resolve, reject) => {
        socket = connect({ host: '127.0.0.1', port, noDelay: true }, resolve);
        socket.once('error', reject);
        socket.on('error', (error) => onEnd(error));
        socket.on('close', () => onEnd(new Error('the socket was closed')));
        socket.on('data', onData);
      }),
    run: (budgetMs: number): Promise<number> =>
      new Promise((resolve, reject) => {
        latencies.reset();
        deadlineMs = performance.now() + budgetMs;
        onEnd = (error) => (error === undefined ? resolve(latencies.percentile(0.5)) : reject(error));
        ask();
      }),
  };
}

function createSide(options: NetEchoOptions) {
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

export const roles: Roles = { side: createSide, client: createClient, server: createEchoServer };
