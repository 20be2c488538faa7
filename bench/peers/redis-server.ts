/** A Redis server for the peers that use one, and a client for it: one command at a time, over loopback TCP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { program } from '../harness/requirement.js';

export const redisRequirement = program('redis-server', 'redis-server');

const startTimeoutMs = 10_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server that keeps nothing on disk. */
export async function startRedis(): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const words = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--daemonize',
    'no',
  ];
  const child: ChildProcess = spawn('redis-server', words, { stdio: 'ignore', cwd: '/tmp' });
  const ended = once(child, 'exit');
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    try {
      const client = await RedisClient.connect(port);
      client.close();
      break;
    } catch (error) {
      if (performance.now() > deadline || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return {
    port,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}

/** What Redis answers. */
export type RedisReply = Buffer | number | string | undefined;

/** A connection to Redis, for one command at a time. */
export class RedisClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiter: { resolve(reply: RedisReply): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', (error) => this.#waiter?.reject(error));
    socket.on('close', () => this.#waiter?.reject(new Error('Redis closed the connection')));
  }

  static async connect(port: number): Promise<RedisClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new RedisClient(socket);
  }

  command(...words: readonly (string | number | Buffer)[]): Promise<RedisReply> {
    const pieces: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
      pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#socket.write(Buffer.concat(pieces));
    });
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const received = this.#received;
    const lineEnd = received.indexOf('\r\n');
    if (lineEnd < 0) return;
    const line = received.toString('latin1', 1, lineEnd);
    const waiter = this.#waiter!;
    let end = lineEnd + 2;
    let reply: RedisReply = line;
    const kind = String.fromCharCode(received[0]!);
    if (kind === ':') reply = Number(line);
    else if (kind === '$') {
      const length = Number(line);
      reply = undefined;
      if (length >= 0) {
        end += length + 2;
        if (received.length < end) return;
        reply = received.subarray(lineEnd + 2, end - 2);
      }
    }
    this.#received = received.subarray(end);
    this.#waiter = undefined;
    if (kind === '-') waiter.reject(new Error(line));
    else waiter.resolve(reply);
  }

  close(): void {
    this.#waiter = undefined;
    this.#socket.destroy();
  }
}
