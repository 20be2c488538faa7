/** A file that processes share, as a value of Redis: GETRANGE and SETRANGE; the number as another, with INCR. */
import type { Roles } from '../harness/role.js';
import { type Sharing, share } from '../harness/sharing.js';
import { sharingSide } from '../harness/sharing-side.js';
import { RedisClient, startRedis } from './redis-server.js';

export const roles: Roles = {
  side: (options: { sharing: Sharing }) => sharingSide(import.meta.url, options),
  server: async () => {
    const server = await startRedis();
    return { address: () => server.port, end: () => server.stop() };
  },
  client: async ({ address, part, sharing }: { address: number; part: number; sharing: Sharing }) => {
    const client = await RedisClient.connect(address);
    const file = {
      read: async (start: number, lengthBytes: number) =>
        (await client.command('GETRANGE', 'shared', start, start + lengthBytes - 1)) as Buffer,
      write: (start: number, bytes: Buffer) => client.command('SETRANGE', 'shared', start, bytes),
      increment: async () => (await client.command('INCR', 'counter')) as number,
    };
    return { share: (budgetMs: number) => share(file, { sharing, part, budgetMs }) };
  },
};
