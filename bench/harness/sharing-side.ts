import { type Role, startProcess } from './role.js';
import { type Sharing, type SharingResult, sharingRate } from './sharing.js';

/** A server and two clients of it, each a process: roles `server` (answers `address`) and `client` (`share`) of `module`. */
export function sharingSide(module: string, { sharing }: { readonly sharing: Sharing }) {
  let server: Role;
  let clients: Role[];
  let highest = 0;
  return {
    setup: async () => {
      server = await startProcess(module, 'server');
      const address = await server.call('address');
      clients = await Promise.all([0, 1].map((part) => startProcess(module, 'client', { address, part, sharing })));
    },
    run: async (budgetMs: number) => {
      const results = await Promise.all(clients.map((client) => client.call<SharingResult>('share', budgetMs)));
      const rate = sharingRate(results, sharing, highest);
      highest = Math.max(highest, ...results.map((result) => result.highest));
      return rate;
    },
    teardown: async () => {
      await Promise.all(clients.map((client) => client.stop()));
      await server.call('end');
      await server.stop();
    },
  };
}
