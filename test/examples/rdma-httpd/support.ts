import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { RdmaClient, type RdmaClientOptions } from '../../../examples/rdma-httpd/client.js';
import { Httpd, type HttpdOptions } from '../../../examples/rdma-httpd/server.js';
import { createNode } from '../../../src/index.js';

export const kib = 1024;
/** Small, so that few bytes are many segments. */
export const slotBytes = 16 * kib;

export function patternOf(seed: number, lengthBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 13) & 0xff;
  return bytes;
}

/** What `/~status` says. */
export interface Status {
  readonly rdmaSessionsOpened: number;
  readonly rdmaSessionsOpen: number;
  readonly rdmaFallbacks: number;
  readonly rdmaBytes: number;
  readonly regionsExported: number;
  readonly buffersHeld: number;
}

export interface Setup {
  readonly folder: string;
  readonly httpd: Httpd;
  url(path: string): string;
  client(options?: Partial<RdmaClientOptions>): Promise<RdmaClient>;
  /** Of the server's one worker. */
  status(): Promise<Status>;
  /** Resolves when the server holds nothing for any client: no session, no region, no buffer. */
  untilFree(): Promise<void>;
}

/** A server with one worker, of a folder with these files, and clients of it in the same process. */
export async function setUp(
  t: ExecutionContext,
  files: Readonly<Record<string, string | Buffer>> = {},
  { portal = 'tcp://127.0.0.1:0', ...options }: Partial<HttpdOptions> & { portal?: string } = {},
): Promise<Setup> {
  // Contexts do not keep the process alive, and ava ends a test when nothing else does.
  const hold = setInterval(() => {}, 60_000);
  const folder = await mkdtemp(join(tmpdir(), 'rdma-httpd-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const node = createNode();
  const rdma = { slotBytes, schemes: ['tcp', 'rdma', 'shm'], ...options.rdma };
  const httpd = await Httpd.start({ folder, node, workers: 1, ...options, rdma });
  const clients: RdmaClient[] = [];
  const url = (path: string) => `http://127.0.0.1:${httpd.port}${path}`;
  const status = async (): Promise<Status> => {
    for (;;) {
      const { response, body } = await plainGet(url('/~status'));
      if (response.statusCode === 200) return JSON.parse(body.toString()) as Status;
    }
  };
  t.teardown(async () => {
    for (const client of clients) await client.close();
    await httpd.close();
    await node.close();
    await rm(folder, { recursive: true });
    clearInterval(hold);
  });
  return {
    folder,
    httpd,
    url,
    status,
    client: async (more) => {
      const client = await RdmaClient.open(node.context, { portal, slotBytes, ...more });
      clients.push(client);
      return client;
    },
    untilFree: async () => {
      for (;;) {
        const { rdmaSessionsOpen, regionsExported, buffersHeld } = await status();
        if (rdmaSessionsOpen === 0 && regionsExported === 0 && buffersHeld === 0) return;
      }
    },
  };
}

/** A GET as any client makes it, on a connection of its own. */
export function plainGet(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ response: IncomingMessage; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => resolve({ response, body: Buffer.concat(pieces) }));
    }).on('error', reject);
  });
}

/** Gets a URL by the client, body and all. */
export async function fetchAll(client: RdmaClient, url: string) {
  const pieces: Buffer[] = [];
  const download = await client.get(url, (bytes) => void pieces.push(Buffer.from(bytes)));
  return { ...download, body: Buffer.concat(pieces) };
}

/** A promise to be settled from outside. */
export function makeGate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
