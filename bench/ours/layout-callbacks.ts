/** Heddle's side of the benchmarks of shared files: examples/layout-callbacks. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LayoutClient } from '../../examples/layout-callbacks/layout-client.js';
import { MetadataServer } from '../../examples/layout-callbacks/metadata-server.js';
import { createNode } from '../../src/index.js';
import type { Roles } from '../harness/role.js';
import { type Sharing, share } from '../harness/sharing.js';
import { sharingSide } from '../harness/sharing-side.js';

export const roles: Roles = {
  side: (options: { sharing: Sharing }) => sharingSide(import.meta.url, options),
  server: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bench-layouts-'));
    const server = await new MetadataServer({ folder }).listen(createNode().context, 'tcp://127.0.0.1:0');
    return {
      address: () => server.uri,
      end: async () => {
        await server.close();
        await rm(folder, { recursive: true });
      },
    };
  },
  client: async ({ address, part, sharing }: { address: string; part: number; sharing: Sharing }) => {
    const client = await new LayoutClient(createNode().context, address, { clientId: `client-${part}` }).open();
    const file = {
      read: (start: number, lengthBytes: number) => client.read('shared', start, lengthBytes),
      write: (start: number, bytes: Buffer) => client.write('shared', start, bytes),
      increment: async () => {
        const counter = await client.update('shared', 0, 8, (bytes) => {
          bytes.writeDoubleLE(bytes.readDoubleLE() + 1);
          return bytes;
        });
        return counter.readDoubleLE();
      },
    };
    return {
      share: async (budgetMs: number) => {
        const result = await share(file, { sharing, part, budgetMs });
        // What was written counts when the server has it.
        await client.sync();
        return result;
      },
    };
  },
};
