/** Heddle's sides of the benchmarks of examples/rdma-httpd: the server in one process, its clients in another. */
import { createHash } from 'node:crypto';
import { Agent, get } from 'node:http';
import { RdmaClient } from '../../examples/rdma-httpd/client.js';
import type { TransferMode } from '../../examples/rdma-httpd/rdma-header.js';
import { Httpd } from '../../examples/rdma-httpd/server.js';
import { createNode } from '../../src/index.js';
import { type Role, type Roles, startProcess } from '../harness/role.js';
import { makeSite, type SiteFolder } from '../harness/site.js';

/** How the bodies come. */
export interface RdmaHttpdOptions {
  readonly fileBytes: number;
  /** HTTP connections, each of which asks again as soon as it has its answer. */
  readonly connections: number;
  /** The scheme of the client's portal; plain HTTP without. */
  readonly by?: 'tcp' | 'rdma';
  readonly mode?: TransferMode;
  readonly result: 'bytes/s' | 'CPU s/GB';
  /** The server: the example's, or node:http with a stream of the file. */
  readonly server?: 'example' | 'node:http';
}

/** What a run of the clients found. */
interface Transfer {
  readonly bytes: number;
  readonly seconds: number;
}

type Download = (onBytes: (bytes: Uint8Array) => void) => Promise<number>;

function plainDownload(url: string): Download {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return (onBytes) =>
    new Promise((resolve, reject) => {
      get(url, { agent }, (response) => {
        let lengthBytes = 0;
        response.on('data', (bytes: Buffer) => {
          lengthBytes += bytes.length;
          onBytes(bytes);
        });
        response.on('end', () => resolve(lengthBytes));
        response.on('error', reject);
      }).on('error', reject);
    });
}

async function rdmaDownload(url: string, by: 'tcp' | 'rdma', mode: TransferMode | undefined): Promise<Download> {
  const context = clientNode.context;
  const client = await RdmaClient.open(context, { portal: `${by}://127.0.0.1:0`, ...(mode !== undefined && { mode }) });
  return async (onBytes) => {
    const { bytes, by: way } = await client.get(url, onBytes);
    if (way !== 'rdma') throw new Error('the body came by HTTP');
    return bytes;
  };
}

const clientNode = createNode();

function makeClients({ url, site, by, mode, connections }: RdmaHttpdOptions & { url: string; site: SiteFolder }) {
  let downloads: Download[] = [];

  /** Throws unless the file that comes is the site's. */
  async function check(): Promise<void> {
    const hash = createHash('sha256');
    await downloads[0]!((bytes) => void hash.update(bytes));
    if (hash.digest('hex') !== site.sha256) throw new Error('wrong file');
  }

  return {
    open: async () => {
      const open = () => (by === undefined ? plainDownload(url) : rdmaDownload(url, by, mode));
      downloads = await Promise.all(Array.from({ length: connections }, open));
      await check();
    },
    run: async (budgetMs: number): Promise<Transfer> => {
      let total = 0;
      const startedMs = performance.now();
      await Promise.all(
        downloads.map(async (download) => {
          while (performance.now() - startedMs < budgetMs) {
            const lengthBytes = await download(() => {});
            if (lengthBytes !== site.lengthBytes) throw new Error(`${lengthBytes} bytes of ${site.lengthBytes}`);
            total += lengthBytes;
          }
        }),
      );
      const seconds = (performance.now() - startedMs) / 1000;
      await check();
      return { bytes: total + site.lengthBytes, seconds };
    },
  };
}

function side(options: RdmaHttpdOptions) {
  let site: SiteFolder;
  let server: Role | undefined;
  let clients: Role | undefined;
  return {
    setup: async () => {
      site = await makeSite(options.fileBytes);
      const module =
        options.server === 'node:http' ? new URL('../peers/static-http.js', import.meta.url).href : undefined;
      const { folder, path } = site;
      server = await startProcess(module ?? import.meta.url, 'server', { folder, path, handler: 'stream' });
      const url = (await server.call<string>('url')) + path;
      clients = await startProcess(import.meta.url, 'clients', {
        ...options,
        url,
        site: { ...site, remove: undefined },
      });
      await clients.call('open');
    },
    run: async (budgetMs: number) => {
      const before = await server!.call<number>('cpuSeconds');
      const { bytes, seconds } = await clients!.call<Transfer>('run', budgetMs);
      const cpuSeconds = (await server!.call<number>('cpuSeconds')) - before;
      // The check at a run's end is in the bytes, and in the CPU time, but not in the seconds.
      return options.result === 'CPU s/GB' ? cpuSeconds / (bytes / 1e9) : (bytes - site.lengthBytes) / seconds;
    },
    teardown: async () => {
      await clients?.stop();
      await server?.stop();
      await site?.remove();
    },
  };
}

export const roles: Roles = {
  side,
  clients: makeClients,
  server: async ({ folder }: { folder: string }) => {
    const httpd = await Httpd.start({ folder, workers: 1 });
    return {
      url: () => `http://127.0.0.1:${httpd.port}`,
      cpuSeconds: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    };
  },
};
