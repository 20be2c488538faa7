import { randomInt } from 'node:crypto';
import type { Connection, RemoteRegion } from 'heddle';

/** A client with a session. */
export interface Client {
  readonly id: number;
  /** Drawn for each session: a message with another one is of an earlier life of the client. */
  readonly session: number;
  connection: Connection | undefined;
  /** The client's memory, where pages are read from and written to, where the transport has such operations. */
  arena: RemoteRegion | undefined;
  arenaSlots: number;
  hasAcknowledgedShutdown: boolean;
}

/** The clients that have a session, by their ids. */
export class ClientTable {
  readonly #clients = new Map<number, Client>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#clients.size;
  }

  get all(): Client[] {
    return [...this.#clients.values()];
  }

  get(id: number): Client | undefined {
    return this.#clients.get(id);
  }

  /** Begins a session; undefined when there are too many clients. Who had the id before must have been removed. */
  begin(id: number): Client | undefined {
    if (this.#clients.size >= this.#limit) return undefined;
    const client: Client = {
      id,
      session: randomInt(1, 2 ** 32),
      connection: undefined,
      arena: undefined,
      arenaSlots: 0,
      hasAcknowledgedShutdown: false,
    };
    this.#clients.set(id, client);
    return client;
  }

  /** Ends a session, and not a later one under the same id. */
  end(client: Client): boolean {
    if (this.#clients.get(client.id) !== client) return false;
    return this.#clients.delete(client.id);
  }
}
