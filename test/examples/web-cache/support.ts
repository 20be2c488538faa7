import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { WebServer, type WebServerOptions } from '../../../examples/web-cache/web-server.js';
import { type ActorSystem, createSystem } from '../../../src/index.js';

export const kib = 1024;

/** `lengthBytes` bytes that differ from file to file and from place to place. */
export function patternOf(seed: number, lengthBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 13) & 0xff;
  return bytes;
}

export interface Site {
  readonly folder: string;
  readonly system: ActorSystem;
  readonly server: WebServer;
  write(name: string, content: string | Buffer): Promise<void>;
}

/** A server of a folder with these files; when the test ends, nothing of it may be left. */
export async function startSite(
  t: ExecutionContext,
  files: Readonly<Record<string, string | Buffer>> = {},
  options: Partial<WebServerOptions> = {},
): Promise<Site> {
  // Contexts do not keep the process alive, and ava ends a test when nothing else does.
  const hold = setInterval(() => {}, 60_000);
  const folder = await mkdtemp(join(tmpdir(), 'web-cache-'));
  const write = (name: string, content: string | Buffer) => writeFile(join(folder, name), content);
  for (const [name, content] of Object.entries(files)) await write(name, content);
  const system = await createSystem({ contexts: [{ name: 'files' }] });
  // A service whose context is killed fails, and is made again.
  system.on('actorFailure', () => {});
  const server = await WebServer.start(system, { folder, fileContext: 'files', ...options });
  t.teardown(async () => {
    await server.close();
    assert.equal(server.connections, 0);
    assert.equal(server.cache.memory.usedBytes, 0);
    assert.equal(system.node.context.memory.buffersHeld, 0);
    await system.close();
    await rm(folder, { recursive: true });
    clearInterval(hold);
  });
  return { folder, system, server, write };
}

export interface RawResponse {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** A client that sends what it is told, byte by byte, and reads one answer after the other. */
export class RawClient {
  readonly socket: Socket;
  readonly #arrived: Buffer[] = [];
  #length = 0;
  #isOver = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.#arrived.push(bytes);
      this.#length += bytes.length;
      this.#wake();
    });
    socket.on('error', () => {});
    const onOver = () => {
      this.#isOver = true;
      this.#wake();
    };
    socket.on('end', onOver);
    socket.on('close', onOver);
  }

  static async connect(t: ExecutionContext, port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const client = new RawClient(socket);
    t.teardown(() => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  send(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** Sends a GET, with more field lines if given, and reads the answer. */
  get(path: string, fields = ''): Promise<RawResponse> {
    this.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n${fields}\r\n`);
    return this.response();
  }

  /** The next answer; `hasBody` is false for what answers a HEAD. */
  async response(hasBody = true): Promise<RawResponse> {
    let headEnd = -1;
    await this.#until(() => {
      headEnd = this.#all().indexOf('\r\n\r\n');
      return headEnd >= 0;
    });
    const head = this.#take(headEnd + 4).toString('latin1');
    const [statusLine = '', ...lines] = head.trimEnd().split('\r\n');
    const fields = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const status = Number(statusLine.split(' ')[1]);
    const lengthBytes = hasBody && status !== 304 ? Number(fields.get('content-length') ?? 0) : 0;
    await this.#until(() => this.#length >= lengthBytes);
    return { status, fields, body: Buffer.from(this.#take(lengthBytes)) };
  }

  /** Resolves when the server has ended the connection, with what it sent before that was not read. */
  async ended(): Promise<Buffer> {
    while (!this.#isOver) await this.#change();
    return this.#all();
  }

  async #until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      if (this.#isOver)
        throw new Error(`the connection ended behind ${JSON.stringify(this.#all().toString('latin1', 0, 500))}`);
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #all(): Buffer {
    const all = this.#arrived.length === 1 ? this.#arrived[0]! : Buffer.concat(this.#arrived);
    this.#arrived.splice(0, this.#arrived.length, all);
    return all;
  }

  #take(lengthBytes: number): Buffer {
    const all = this.#all();
    this.#arrived.splice(0, 1, all.subarray(lengthBytes));
    this.#length -= lengthBytes;
    return all.subarray(0, lengthBytes);
  }
}

/** Waits, turn by turn of the event loop, until something holds; the test's own time limit ends it else. */
export async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}
