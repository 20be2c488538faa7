import { randomInt } from 'node:crypto';
import {
  type ActorSystem,
  type Connection,
  HeddleError,
  type Message,
  type RefOf,
  type Region,
  type RegionHandle,
  type Server,
  type SessionEvent,
  type SessionRequest,
} from 'heddle';
import { type Client, ClientTable } from './client-table.js';
import { EventQueue, type EventQueueLimits, type StorageEvent } from './event-queue.js';
import { kinds, readMessage } from './page-message.js';
import { PageCounts, PageRequests } from './page-requests.js';
import type { PageTable } from './page-table.js';
import { StorageDaemon } from './storage-daemon.js';
import { type DeviceHost, type DeviceTerms, StorageDevice } from './storage-device.js';

/** How a memory server is made. */
export interface MemoryServerOptions {
  /** Where clients connect. */
  readonly uri: string;
  /** Where they ask for what goes the slower way; a port of 0 is any. */
  readonly controlUri: string;
  /** The file that evicted pages go to. */
  readonly path: string;
  readonly pageBytes?: number;
  readonly cachePages?: number;
  /** Pages in all: each has its place on disk for when the cache has none. */
  readonly diskPages?: number;
  readonly maximumClients?: number;
  readonly events?: EventQueueLimits;
  /** How long a shutdown waits for the clients. */
  readonly acknowledgeTimeoutMs?: number;
}

/** A message that the bottom half has to do with. */
interface Pending {
  readonly message: Message;
  readonly connection: Connection;
}

/** Messages that the bottom half handles in one turn, at most. */
const turnBudget = 64;

/** What a server has done. */
class ServerCounts extends PageCounts {
  /** Messages of earlier lives of clients or of the server. */
  stale = 0;
  suspensions = 0;
}

/**
 * Keeps pages for clients in memory, and on disk what does not fit. Reception only enqueues; the bottom half, in the turns of
 * the context, does the work; what needs the disk is left to the storage daemon, another actor in another context.
 */
export class MemoryServer implements DeviceHost {
  readonly counts = new ServerCounts();
  readonly events: EventQueue;
  readonly terms: DeviceTerms;
  /** Goes with every message: drawn anew when the server starts. */
  readonly session = randomInt(1, 2 ** 32);
  readonly #system: ActorSystem;
  readonly #options: Required<MemoryServerOptions>;
  readonly #pageBytes: number;
  readonly #region: Region;
  readonly #clients: ClientTable;
  readonly #accepted = new Map<string, Client>();
  readonly #received: Pending[] = [];
  readonly #requests: PageRequests;
  #server!: Server;
  #control!: Server;
  #device!: RefOf<typeof StorageDevice>;
  #daemon!: RefOf<typeof StorageDaemon>;
  #onAcknowledged: (() => void) | undefined;
  #isShuttingDown = false;
  #isClosed = false;

  private constructor(system: ActorSystem, options: MemoryServerOptions) {
    this.#system = system;
    this.#options = {
      pageBytes: 4096,
      cachePages: 4096,
      diskPages: 1024 * 1024,
      maximumClients: 256,
      events: { critical: 256, hints: 64 },
      acknowledgeTimeoutMs: 30_000,
      ...options,
    };
    const { pageBytes, cachePages, diskPages, maximumClients, events, path } = this.#options;
    const { context } = system.node;
    this.#pageBytes = pageBytes;
    this.#region = context.exportRegion(context.allocate(cachePages * pageBytes), { rights: ['read', 'write'] });
    this.#clients = new ClientTable(maximumClients);
    this.events = new EventQueue(events);
    const sizes = { pageBytes, cachePages, diskPages };
    this.#requests = new PageRequests(this.#region.bytes, this.events, sizes, this.counts);
    this.terms = { cache: this.#region.handle, pageBytes, path };
  }

  /** Starts a server in this thread, with its daemon in a worker context of the system if it has one. */
  static async start(system: ActorSystem, options: MemoryServerOptions): Promise<MemoryServer> {
    const server = new MemoryServer(system, options);
    await server.#start();
    return server;
  }

  async #start(): Promise<void> {
    const { node } = this.#system;
    const { uri, controlUri } = this.#options;
    this.#device = this.#system.spawnHere(StorageDevice, { host: this });
    this.#daemon = await this.#system.spawn(StorageDaemon, { device: this.#device });
    node.context.addWork(() => this.#bottomHalf());
    // Clients are no actors of this system: they speak the codec that everyone has.
    this.#control = await node.context.listen(controlUri, {
      codec: 'compact',
      onRequest: ({ value }) => this.#onControl(value),
    });
    this.#server = await node.context.listen(uri, {
      codec: 'compact',
      onSession: (request) => this.#onSession(request),
      onEvent: (event) => this.#onEvent(event),
      onRequest: ({ value }, connection) => this.#openArena(value, connection),
      onMessage: (message, connection) => {
        this.#received.push({ message: message.keep(), connection });
      },
    });
  }

  get uri(): string {
    return this.#server.uri;
  }

  /** Whether clients are held back: they wait for credits until the queue of critical events has room. */
  get isSuspended(): boolean {
    return this.#server.isReceptionSuspended;
  }

  /** Which page is where. */
  get pages(): PageTable {
    return this.#requests.pages;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** The storage daemon, for those who want to see it die. */
  get daemon(): RefOf<typeof StorageDaemon> {
    return this.#daemon;
  }

  get device(): RefOf<typeof StorageDevice> {
    return this.#device;
  }

  /**
   * Tells the clients to take their pages back, and serves them until each has acknowledged, has gone, or has had its
   * time; then closes the device in order, and all that is open.
   */
  async shutdown(): Promise<void> {
    if (this.#isClosed) return;
    await this.#daemon.ask('close', undefined, { timeoutMs: this.#options.acknowledgeTimeoutMs + 5000 });
    await this.close();
  }

  /** Closes at once. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#system.stop(this.#daemon);
    await this.#system.stop(this.#device);
    for (const { message } of this.#received.splice(0)) message.release();
    this.#requests.close();
    await Promise.all([this.#server.close(), this.#control.close()]);
    this.#region.revoke();
  }

  // ---- sessions

  #onSession(request: SessionRequest): void {
    let clientId: unknown;
    let pageBytes: unknown;
    try {
      ({ clientId, pageBytes } = JSON.parse(request.privateData.toString()) as Record<string, unknown>);
    } catch {
      // Told below.
    }
    if (!Number.isInteger(clientId) || (clientId as number) < 0 || (clientId as number) >= 2 ** 32) {
      request.reject('bad-introduction');
    } else if (pageBytes !== this.#pageBytes) request.reject(`pageBytes=${this.#pageBytes} here`);
    else if (this.#isShuttingDown) request.reject('shutting-down');
    else {
      const before = this.#clients.get(clientId as number);
      // The client has started anew: its earlier life has no use for its pages.
      if (before !== undefined) this.#endClient(before);
      const client = this.#clients.begin(clientId as number);
      if (client === undefined) {
        request.reject('too-many-clients');
        return;
      }
      this.#accepted.set(request.sessionId, client);
      const welcome = { clientSession: client.session, serverSession: this.session, controlUri: this.#control.uri };
      request.accept({ privateData: Buffer.from(JSON.stringify(welcome)) });
    }
  }

  #onEvent(event: SessionEvent): void {
    if (event.type === 'connection-established') {
      const client = this.#accepted.get(event.connection.session.id);
      this.#accepted.delete(event.connection.session.id);
      if (client === undefined) return;
      client.connection = event.connection;
      event.connection.userData = client;
    } else if (event.type === 'connection-teardown') {
      const client = event.connection.userData as Client | undefined;
      if (client !== undefined) this.#endClient(client);
    }
  }

  /** A client that closes, crashes or starts anew needs its pages no more: they were its memory. */
  #endClient(client: Client): void {
    client.arena?.close();
    client.arena = undefined;
    if (!this.#clients.end(client)) return;
    this.#requests.forget(client);
    this.#checkAcknowledged();
  }

  /**
   * The client's memory, if the wire reaches it without the client's thread. By records it would take a page two round trips,
   * where a message with the page in it takes one.
   */
  async #openArena(value: unknown, connection: Connection): Promise<{ oneSided: boolean }> {
    const { arena, slots } = (value ?? {}) as { arena: RegionHandle; slots: number };
    const client = connection.userData as Client;
    const region = await connection.openRegion(arena);
    const isUsable = region.way !== 'records' && region.lengthBytes >= slots * this.#pageBytes;
    if (!isUsable || !Number.isInteger(slots) || this.#clients.get(client.id) !== client) region.close();
    else {
      client.arena = region;
      client.arenaSlots = slots;
    }
    return { oneSided: client.arena !== undefined };
  }

  // ---- the bottom half

  #bottomHalf(): boolean {
    if (this.#isClosed) return false;
    const { events } = this;
    for (let budget = turnBudget; budget > 0 && this.#received.length > 0 && !events.isFull; budget--) {
      this.#handle(this.#received.shift()!);
    }
    if (!events.isFull) return this.#received.length > 0;
    // Not one event may be lost, for each stands for somebody who waits: so nobody else is let in.
    if (!this.isSuspended) {
      this.counts.suspensions++;
      this.#server.suspendReception();
    }
    return false;
  }

  onTaken(): void {
    if (this.isSuspended && this.events.isDrained) this.#server.resumeReception();
    this.#system.node.context.wake();
  }

  #handle({ message, connection }: Pending): void {
    const fields = readMessage(message.data, this.#pageBytes);
    if (fields === undefined) {
      message.release();
      connection.destroy(
        new HeddleError('ERR_HEDDLE_PROTOCOL', 'the client sent what is no message to a memory server'),
      );
      return;
    }
    const client = this.#clients.get(fields.clientId);
    const isOfThisLife = client?.session === fields.clientSession && fields.serverSession === this.session;
    if (client === undefined || client.connection !== connection || !isOfThisLife) {
      this.counts.stale++;
      this.#requests.send(connection, { ...fields, kind: kinds.fenced, status: 'lost' });
      message.release();
    } else if (fields.kind === kinds.shutdownAcknowledged) {
      client.hasAcknowledgedShutdown = true;
      message.release();
      this.#checkAcknowledged();
    } else this.#requests.carryOut({ message, connection, client, fields });
  }

  // ---- what the daemon does

  get onEvents(): () => void {
    return this.#requests.orders.onEvents;
  }

  set onEvents(onEvents: () => void) {
    this.#requests.orders.onEvents = onEvents;
  }

  complete(event: StorageEvent, isOk: boolean): void {
    this.#requests.orders.complete(event, isOk);
  }

  flush(clientId: number): Promise<number> {
    return this.#requests.orders.flush(clientId);
  }

  /** The second way in: slower, since it goes by the daemon. */
  async #onControl(value: unknown): Promise<unknown> {
    const { operation, clientId, clientSession, serverSession } = (value ?? {}) as Record<string, unknown>;
    const client = this.#clients.get(clientId as number);
    if (client === undefined || client.session !== clientSession || serverSession !== this.session) {
      this.counts.stale++;
      throw new Error('fenced');
    }
    if (operation !== 'flush') throw new Error(`there is no operation ${String(operation)}`);
    return this.#daemon.ask('flush', client.id, { timeoutMs: 60_000 });
  }

  // ---- the end

  async mayClose(): Promise<void> {
    if (!this.#isShuttingDown) {
      this.#isShuttingDown = true;
      for (const { id, session, connection } of this.#clients.all) {
        if (connection === undefined) continue;
        const { session: serverSession } = this;
        const fields = { requestId: 0, clientId: id, clientSession: session, serverSession, page: 0, checksum: 0 };
        this.#requests.send(connection, { ...fields, kind: kinds.shuttingDown, status: 'ok', arenaSlot: 0 });
      }
    }
    if (this.#isAcknowledged) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#options.acknowledgeTimeoutMs);
      this.#onAcknowledged = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  get #isAcknowledged(): boolean {
    return this.#clients.all.every(({ hasAcknowledgedShutdown }) => hasAcknowledgedShutdown);
  }

  #checkAcknowledged(): void {
    if (this.#isShuttingDown && this.#isAcknowledged) this.#onAcknowledged?.();
  }
}
