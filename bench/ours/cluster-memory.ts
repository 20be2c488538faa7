/** Heddle's side of the benchmarks of remote pages: examples/cluster-memory, one page at a time. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { RemotePager } from '../../examples/cluster-memory/remote-pager.js';
import { startMemoryServer } from '../../examples/cluster-memory/start-memory-server.js';
import { type Context, createNode } from '../../src/index.js';
import { PagingLoad, type PagingOptions, pageBytes, pages } from '../harness/paging.js';
import { type Role, type Roles, startProcess } from '../harness/role.js';

interface ClusterMemoryOptions extends PagingOptions {
  readonly transport: 'shm' | 'tcp' | 'rdma';
}

function serverOptions(uri: string, folder: string) {
  const controlUri = uri.startsWith('shm:') ? `${uri}/control` : uri;
  return { uri, controlUri, path: join(folder, 'pages'), pageBytes, cachePages: pages * 2 };
}

async function openLoad(context: Context, uri: string): Promise<PagingLoad> {
  const pager = await RemotePager.open(context, uri, { clientId: 1, pageBytes });
  const load = new PagingLoad(pager);
  await load.fill();
  return load;
}

/** The client's context where it shares memory with the server: another thread. */
export default async function main(context: Context, { uri, port }: { uri: string; port: MessagePort }): Promise<void> {
  const load = await openLoad(context, uri);
  port.on('message', ({ budgetMs, options }: { budgetMs: number; options: PagingOptions }) => {
    load.run(budgetMs, options).then(
      (value) => port.postMessage({ value }),
      (error) => port.postMessage({ error: String(error) }),
    );
  });
}

/** Server and client are two processes. */
function overWire(options: ClusterMemoryOptions) {
  let folder: string;
  let server: Role;
  let load: PagingLoad;
  return {
    setup: async () => {
      folder = await mkdtemp(join(tmpdir(), 'bench-memory-'));
      server = await startProcess(import.meta.url, 'server', { folder, uri: `${options.transport}://127.0.0.1:0` });
      const node = createNode({ contextOptions: { rdmaOneSided: options.transport === 'rdma' } });
      load = await openLoad(node.context, await server.call<string>('uri'));
    },
    run: (budgetMs: number) => load.run(budgetMs, options),
    teardown: async () => {
      await server.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** Server and client are two threads. */
function overShm(options: ClusterMemoryOptions) {
  let folder: string;
  let started: Awaited<ReturnType<typeof startMemoryServer>>;
  let port: MessagePort;
  return {
    setup: async () => {
      folder = await mkdtemp(join(tmpdir(), 'bench-memory-'));
      started = await startMemoryServer(serverOptions('shm://memory', folder));
      const channel = new MessageChannel();
      port = channel.port1;
      await started.system.node.startContext(new URL(import.meta.url), {
        data: { uri: started.server.uri, port: channel.port2 },
        transferList: [channel.port2],
      });
    },
    run: (budgetMs: number) =>
      new Promise<number>((resolve, reject) => {
        port.once('message', ({ value, error }: { value: number; error?: string }) => {
          if (error === undefined) resolve(value);
          else reject(new Error(error));
        });
        port.postMessage({ budgetMs, options });
      }),
    teardown: async () => {
      port.close();
      await started.close();
      await rm(folder, { recursive: true });
    },
  };
}

export const roles: Roles = {
  side: (options: ClusterMemoryOptions) => (options.transport === 'shm' ? overShm(options) : overWire(options)),
  server: async ({ folder, uri }: { folder: string; uri: string }) => {
    const { server } = await startMemoryServer(serverOptions(uri, folder));
    return { uri: () => server.uri };
  },
};
