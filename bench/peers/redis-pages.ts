/** Pages as values of Redis: SET and GET over loopback TCP, nothing on disk. */
import { PagingLoad, type PagingOptions } from '../harness/paging.js';
import type { Roles } from '../harness/role.js';
import { RedisClient, startRedis } from './redis-server.js';

function side(options: PagingOptions) {
  let server: Awaited<ReturnType<typeof startRedis>>;
  let client: RedisClient;
  let load: PagingLoad;
  return {
    setup: async () => {
      server = await startRedis();
      client = await RedisClient.connect(server.port);
      load = new PagingLoad({
        pageOut: (page, bytes) => client.command('SET', `page:${page}`, bytes),
        pageIn: async (page, target) => {
          target.set((await client.command('GET', `page:${page}`)) as Buffer);
        },
      });
      await load.fill();
    },
    run: (budgetMs: number) => load.run(budgetMs, options),
    teardown: async () => {
      client.close();
      await server.stop();
    },
  };
}

export const roles: Roles = { side };
