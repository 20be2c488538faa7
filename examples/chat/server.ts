import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type ActorSystem, createSystem } from 'heddle';
import { readLines } from './lines.js';
import { Member } from './member.js';
import { Rooms } from './room.js';

export interface ChatOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Threads for the rooms. */
  readonly contexts: number;
}

export interface Chat {
  readonly system: ActorSystem;
  readonly host: string;
  readonly port: number;
}

const maximumClients = 1000;

/** Opens the chat; closing its system closes it. */
export async function startChat({ host, port, contexts }: ChatOptions): Promise<Chat> {
  const system = await createSystem({ name: 'chat', contexts, signals: ['SIGINT', 'SIGTERM'] });
  const rooms = system.spawnHere(Rooms);

  async function serve(socket: Socket): Promise<void> {
    const member = system.spawnHere(Member, { socket, rooms });
    try {
      // One line at a time: a client that sends faster than it is served is not read from meanwhile.
      for await (const line of readLines(socket)) await member.ask('line', line);
    } catch {
      // The client broke off, or has not read for so long that it could not be served.
    } finally {
      await system.stop(member);
    }
  }

  const server = createServer((socket) => void serve(socket));
  server.maxConnections = maximumClients;
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    await system.close();
    throw error;
  }
  system.onShutdown('before-actors', () => server.close());
  return { system, host, port: (server.address() as AddressInfo).port };
}
