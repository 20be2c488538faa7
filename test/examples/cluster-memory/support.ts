import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { MemoryServer, MemoryServerOptions } from '../../../examples/cluster-memory/memory-server.js';
import { type PagerOptions, RemotePager } from '../../../examples/cluster-memory/remote-pager.js';
import { startMemoryServer } from '../../../examples/cluster-memory/start-memory-server.js';
import type { ActorSystem } from '../../../src/index.js';
import { rdmaHost } from '../../conformance/transports.js';

/** What tests of the service run over. */
export type Transport = 'shm' | 'tcp' | 'rdma';

let names = 0;

/** Portals for a server and its control path. */
export function portalsOf(transport: Transport): { uri: string; controlUri: string } {
  const name = `shm://memory-${names++}`;
  if (transport === 'shm') return { uri: name, controlUri: `${name}/control` };
  const uri = `${transport}://${transport === 'rdma' ? rdmaHost : '127.0.0.1'}:0`;
  return { uri, controlUri: uri };
}

/** Whether the pages of that client have to move by one-sided operations: over shared memory, and by an RDMA device. */
export function shouldBeOneSided({ wire }: RemotePager): boolean {
  return wire?.transports[0] === 'shm' || wire?.usesRdmaDevice === true;
}

/** Small pages, so that a test moves many. */
export const pageBytes = 512;

/** A page whose every byte tells of which it is, and which version. */
export function pageOf(number: number, version = 0): Buffer {
  const bytes = Buffer.alloc(pageBytes, (number * 7 + version * 31) & 255);
  bytes.writeUInt32LE(number, 0);
  bytes.writeUInt32LE(version, 4);
  return bytes;
}

/** A memory server and clients of it in the same context; afterwards nothing of them may be left. */
export class MemoryBench {
  readonly server: MemoryServer;
  readonly system: ActorSystem;
  readonly path: string;
  readonly #pagers: RemotePager[] = [];

  private constructor(server: MemoryServer, system: ActorSystem, path: string) {
    this.server = server;
    this.system = system;
    this.path = path;
  }

  static async run(
    t: ExecutionContext,
    transport: Transport,
    options: Partial<MemoryServerOptions>,
    test: (bench: MemoryBench) => Promise<void>,
  ): Promise<void> {
    // Contexts do not keep the process alive, and ava ends a test when nothing else does.
    const hold = setInterval(() => {}, 60_000);
    const folder = await mkdtemp(join(tmpdir(), 'memory-test-'));
    const path = join(folder, 'pages');
    const { server, system, close } = await startMemoryServer({ ...portalsOf(transport), path, pageBytes, ...options });
    const { context } = system.node;
    const troubles: string[] = [];
    context.on('report', (error) => troubles.push(String(error)));
    context.on('leak', (leak) => troubles.push(`leak of ${leak.lengthBytes} bytes`));
    const bench = new MemoryBench(server, system, path);
    try {
      await test(bench);
    } finally {
      await Promise.all(bench.#pagers.map((pager) => pager.close()));
      await server.close();
      // Memory that a wire reaches is held for as long as that wire may use it: until its link is closed.
      const deadlineMs = Date.now() + 10_000;
      while (context.memory.buffersHeld > 0 && Date.now() < deadlineMs) await turn();
      const left = { clients: server.clients, buffersHeld: context.memory.buffersHeld };
      await close();
      clearInterval(hold);
      await rm(folder, { recursive: true });
      t.deepEqual({ ...left, troubles }, { clients: 0, buffersHeld: 0, troubles: [] });
    }
  }

  readonly pager = async (clientId: number, options: Partial<PagerOptions> = {}): Promise<RemotePager> => {
    const pager = await RemotePager.open(this.system.node.context, this.server.uri, {
      clientId,
      pageBytes,
      // Only what is never answered waits so long.
      timeoutMs: 60_000,
      ...options,
    });
    this.#pagers.push(pager);
    return pager;
  };
}

/** Stores a page, however often the server has no room for it. */
export async function store(pager: RemotePager, number: number, version = 0): Promise<void> {
  while (!(await pager.pageOut(number, pageOf(number, version)))) await turn();
}

/** Whether the server gives the page back as it was stored. */
export async function isStored(pager: RemotePager, number: number, version = 0): Promise<boolean> {
  const bytes = Buffer.alloc(pageBytes);
  await pager.pageIn(number, bytes);
  return bytes.equals(pageOf(number, version));
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await turn();
}
