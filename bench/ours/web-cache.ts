/** Heddle's side of the benchmarks of static web servers: examples/web-cache, in a process of its own. */
import { WebServer } from '../../examples/web-cache/web-server.js';
import { createSystem } from '../../src/index.js';
import { type Roles, startProcess } from '../harness/role.js';
import { type WebLoad, webSide } from '../harness/web-side.js';
import { ServiceThread } from './service-thread.js';

/** Who answers hits: the handler of the socket's data, or the same handler after a queue to a service actor and back. */
interface WebCacheOptions extends WebLoad {
  readonly hitsBy?: 'arrival' | 'own-queue' | 'thread';
}

async function webServer({ folder, hitsBy = 'arrival' }: { folder: string } & Pick<WebCacheOptions, 'hitsBy'>) {
  const system = await createSystem({ contexts: [{ name: 'files' }] });
  const options = { folder, fileContext: 'files', revalidateMs: 60_000 };
  if (hitsBy === 'arrival') return { system, server: await WebServer.start(system, options) };
  const service = await system.spawn(ServiceThread, undefined, { on: hitsBy === 'thread' ? 'files' : 'main' });
  const server = await WebServer.start(system, {
    ...options,
    dispatch: ({ target }, answer) => {
      void service.ask('serve', target).then(answer);
    },
  });
  return { system, server };
}

export const roles: Roles = {
  side: ({ hitsBy, ...load }: WebCacheOptions) =>
    webSide(load, async ({ folder }) => {
      const role = await startProcess(import.meta.url, 'server', { folder, hitsBy });
      return { url: await role.call<string>('url'), stop: () => role.stop() };
    }),
  server: async (options) => {
    const { server } = await webServer(options);
    return { url: () => `http://127.0.0.1:${server.port}` };
  },
};
