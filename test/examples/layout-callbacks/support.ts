import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { LayoutClient, type LayoutClientOptions } from '../../../examples/layout-callbacks/layout-client.js';
import { MetadataServer, type MetadataServerOptions } from '../../../examples/layout-callbacks/metadata-server.js';
import { createNode, type HeddleNode } from '../../../src/index.js';

let names = 0;

/** Transports that tests of a service run over, each with a portal that nobody else uses. */
export const portals = {
  shm: () => `shm://layouts-${names++}`,
  tcp: () => 'tcp://127.0.0.1:0',
  rdma: () => 'rdma://127.0.0.1:0',
} as const;

/** A metadata server and what connects to it, in one context; all of it is gone, and nothing was left, after the test. */
export class Store {
  readonly node: HeddleNode;
  readonly server: MetadataServer;
  readonly folder: string;
  readonly #clients: LayoutClient[] = [];

  private constructor(node: HeddleNode, server: MetadataServer, folder: string) {
    this.node = node;
    this.server = server;
    this.folder = folder;
  }

  /** Runs a test with a store; then everything is closed, and must be gone without a leak. */
  static async run(
    t: ExecutionContext,
    portal: string,
    options: Partial<MetadataServerOptions>,
    test: (store: Store) => Promise<void>,
  ): Promise<void> {
    // Contexts do not keep the process alive, and ava ends a test when nothing else does.
    const hold = setInterval(() => {}, 60_000);
    const folder = await mkdtemp(join(tmpdir(), 'layouts-test-'));
    const node = createNode();
    const troubles: string[] = [];
    node.context.on('report', (error) => troubles.push(String(error)));
    node.context.on('leak', (leak) => troubles.push(`leak of ${leak.lengthBytes} bytes`));
    const server = await new MetadataServer({ leaseMs: 60_000, ...options, folder }).listen(node.context, portal);
    const store = new Store(node, server, folder);
    try {
      await test(store);
    } finally {
      await Promise.all(store.#clients.map((client) => client.close().catch(() => {})));
      await server.close();
      const left = { layouts: server.layouts, clients: server.clients, connections: node.context.connectionCount };
      await node.close();
      clearInterval(hold);
      await rm(folder, { recursive: true });
      t.deepEqual({ ...left, troubles }, { layouts: 0, clients: 0, connections: 0, troubles: [] });
    }
  }

  async client(clientId: string, options: Partial<LayoutClientOptions> = {}): Promise<LayoutClient> {
    const client = new LayoutClient(this.node.context, this.server.uri, {
      clientId,
      reconnectDelayMs: 5,
      ...options,
    });
    this.#clients.push(client);
    return client.open();
  }
}

/** Resolves when a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
