import { type ActorSystem, createSystem } from 'heddle';
import { MemoryServer, type MemoryServerOptions } from './memory-server.js';

/** A memory server with a system of its own, as the process that serves has one. */
export async function startMemoryServer(options: MemoryServerOptions): Promise<{
  readonly server: MemoryServer;
  readonly system: ActorSystem;
  close(): Promise<void>;
}> {
  // Over rdma one-sided operations have to be asked for, and go by RDMA devices only: elsewhere pages move in messages.
  const rdmaOneSided = options.uri.startsWith('rdma:');
  const system = await createSystem({ contexts: [{ name: 'disk' }], contextOptions: { rdmaOneSided } });
  try {
    const server = await MemoryServer.start(system, options);
    return {
      server,
      system,
      close: async () => {
        await server.close();
        await system.close();
      },
    };
  } catch (error) {
    await system.close();
    throw error;
  }
}
