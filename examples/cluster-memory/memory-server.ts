import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
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
import {
  headerBytes,
  inMessage,
  kinds,
  type PageMessage,
  readMessage,
  type Status,
  writeMessage,
} from './page-message.js';
import { type Page, PageTable } from './page-table.js';
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

/** One that was found to be in order. */
interface Request extends Pending {
  readonly client: Client;
  readonly fields: PageMessage;
}

interface EventUnderWay {
  readonly page: Page;
  /** Who waits for a page that is being loaded. */
  readonly request: Request | undefined;
}

/** Messages that the bottom half handles in one turn, at most. */
const turnBudget = 64;
/** Pages that are brought to disk at once when room is needed. */
const storesAtOnce = 8;

/**
 * Keeps pages for clients in memory, and on disk what does not fit. Reception only enqueues; the bottom half, in the turns of
 * the context, does the work; what needs the disk is left to the storage daemon, another actor in another context.
 */
export class MemoryServer implements DeviceHost {
  readonly counts = {
    hits: 0,
    loads: 0,
    /** Asked for, and not here: not answered. */
    unknown: 0,
    /** Pages that found no room. */
    refused: 0,
    /** Messages of earlier lives of clients or of the server. */
    stale: 0,
    suspensions: 0,
    corrupt: 0,
    oneSided: 0,
  };
  readonly events: EventQueue;
  readonly terms: DeviceTerms;
  onEvents: () => void = () => {};
  /** Goes with every message: drawn anew when the server starts. */
  readonly session = randomInt(1, 2 ** 32);
  readonly pages: PageTable;
  readonly #system: ActorSystem;
  readonly #options: Required<MemoryServerOptions>;
  readonly #pageBytes: number;
  readonly #region: Region;
  readonly #clients: ClientTable;
  readonly #accepted = new Map<string, Client>();
  readonly #received: Pending[] = [];
  readonly #waitingForPage = new Map<Page, Request[]>();
  readonly #waitingForRoom: Request[] = [];
  readonly #underWay = new Map<number, EventUnderWay>();
  readonly #scratch: Buffer;
  #nextEventId = 1;
  #server!: Server;
  #control!: Server;
  #device!: RefOf<typeof StorageDevice>;
  #daemon!: RefOf<typeof StorageDaemon>;
  #onStored: (() => void)[] = [];
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
    this.#scratch = Buffer.alloc(headerBytes + pageBytes);
    this.#region = context.exportRegion(context.allocate(cachePages * pageBytes), { rights: ['read', 'write'] });
    this.pages = new PageTable(cachePages, diskPages);
    this.#clients = new ClientTable(maximumClients);
    this.events = new EventQueue(events);
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
    for (const { message } of [...this.#received.splice(0), ...this.#waitingForRoom.splice(0)]) message.release();
    for (const requests of this.#waitingForPage.values()) for (const { message } of requests) message.release();
    for (const { request } of this.#underWay.values()) request?.message.release();
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
    this.pages.dropAllOf(client.id);
    this.#lookForRoom();
    this.#checkAcknowledged();
  }

  /** The client's memory, if this transport can reach it without the client's code: else pages come in messages. */
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
    if (!this.#server.isReceptionSuspended) {
      this.counts.suspensions++;
      this.#server.suspendReception();
    }
    return false;
  }

  onTaken(): void {
    if (this.#server.isReceptionSuspended && this.events.isDrained) this.#server.resumeReception();
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
      this.#send(connection, { ...fields, kind: kinds.fenced, status: 'lost' });
      message.release();
      return;
    }
    this.#carryOut({ message, connection, client, fields });
  }

  #carryOut(request: Request): void {
    const { client, fields, message } = request;
    const page = this.pages.find(client.id, fields.page);
    if (page?.isBusy) {
      const waiting = this.#waitingForPage.get(page);
      if (waiting === undefined) this.#waitingForPage.set(page, [request]);
      else waiting.push(request);
      return;
    }
    switch (fields.kind) {
      case kinds.pageOut:
        this.#pageOut(request);
        break;
      case kinds.pageIn:
        this.#pageIn(request, page);
        break;
      case kinds.discard:
        if (page !== undefined) this.pages.drop(page);
        message.release();
        this.#lookForRoom();
        break;
      case kinds.shutdownAcknowledged:
        client.hasAcknowledgedShutdown = true;
        message.release();
        this.#checkAcknowledged();
        break;
      default:
        message.release();
    }
  }

  /** An operation on a page is over: the next one that waits for it. */
  #finish(page: Page): void {
    this.pages.free(page);
    const waiting = this.#waitingForPage.get(page) ?? [];
    this.#waitingForPage.delete(page);
    for (const request of waiting) this.#carryOut(request);
    this.#lookForRoom();
  }

  #bytesOf(page: Page): Buffer {
    const start = page.cacheSlot * this.#pageBytes;
    return this.#region.bytes.subarray(start, start + this.#pageBytes);
  }

  /** Where in the client's memory the page is, for a one-sided operation; undefined when it is in the message. */
  #arenaOffset({ client, fields }: Request): number | undefined {
    if (fields.arenaSlot === inMessage || client.arena === undefined) return undefined;
    return fields.arenaSlot < client.arenaSlots ? fields.arenaSlot * this.#pageBytes : undefined;
  }

  // ---- page-out

  #pageOut(request: Request): void {
    const { client, fields, message } = request;
    const offset = this.#arenaOffset(request);
    if (offset === undefined && message.length !== headerBytes + this.#pageBytes) {
      this.#reply(request, kinds.pageOutReply, 'corrupt');
      return;
    }
    const hasRoom = !this.pages.isFull || this.pages.find(client.id, fields.page) !== undefined;
    const page = this.pages.make(client.id, fields.page);
    if (!hasRoom || !this.pages.reserve(page)) {
      if (page.version === 0) this.pages.drop(page);
      this.counts.refused++;
      this.#reply(request, kinds.pageOutReply, 'no-room');
      this.#store(storesAtOnce, true);
      return;
    }
    if (offset === undefined) {
      message.data.copy(this.#bytesOf(page), 0, headerBytes);
      this.#pagedOut(request, page);
      return;
    }
    page.isBusy = true;
    this.counts.oneSided++;
    client.arena!.readInto(this.#bytesOf(page), offset).then(
      () => {
        this.#pagedOut(request, page);
        this.#finish(page);
      },
      () => {
        // Half of it may be there: it is nobody's any more.
        this.pages.drop(page);
        this.#reply(request, kinds.pageOutReply, 'lost');
        this.#finish(page);
      },
    );
  }

  #pagedOut(request: Request, page: Page): void {
    const isWhole = crc32(this.#bytesOf(page)) === request.fields.checksum;
    if (isWhole) this.pages.written(page, request.fields.checksum);
    else {
      this.counts.corrupt++;
      this.pages.drop(page);
    }
    this.#reply(request, kinds.pageOutReply, isWhole ? 'ok' : 'corrupt');
    // Ahead of need: what is on disk as well can make room at once.
    if (this.pages.dirty * 4 > this.#options.cachePages * 3) this.#store(2, false);
  }

  // ---- page-in

  #pageIn(request: Request, page: Page | undefined): void {
    if (page === undefined) {
      this.counts.unknown++;
      request.message.release();
    } else if (page.cacheSlot >= 0) {
      this.counts.hits++;
      this.#give(request, page);
    } else if (this.pages.reserve(page)) {
      this.counts.loads++;
      page.isBusy = true;
      this.#emit('load', page, request, true);
    } else {
      this.#waitingForRoom.push(request);
      this.#store(storesAtOnce, true);
    }
  }

  /** Answers with a page that is in the cache. */
  #give(request: Request, page: Page): void {
    this.pages.used(page);
    const offset = this.#arenaOffset(request);
    if (offset === undefined) {
      this.#bytesOf(page).copy(this.#scratch, headerBytes);
      this.#reply(request, kinds.pageInReply, 'ok', page.checksum, true);
      return;
    }
    page.isBusy = true;
    this.counts.oneSided++;
    request.client.arena!.write(offset, this.#bytesOf(page)).then(
      () => {
        this.#reply(request, kinds.pageInReply, 'ok', page.checksum);
        this.#finish(page);
      },
      () => {
        this.#reply(request, kinds.pageInReply, 'lost');
        this.#finish(page);
      },
    );
  }

  // ---- what the daemon does

  #emit(kind: StorageEvent['kind'], page: Page, request: Request | undefined, isCritical: boolean): boolean {
    const { cacheSlot, diskSlot, checksum } = page;
    const event: StorageEvent = { id: this.#nextEventId++, kind, cacheSlot, diskSlot, checksum };
    if (isCritical) this.events.put(event);
    else if (!this.events.offer(event)) return false;
    this.#underWay.set(event.id, { page, request });
    this.onEvents();
    return true;
  }

  /** Has pages brought to disk, so that they can be evicted: `isNeeded` when somebody waits for that. */
  #store(most: number, isNeeded: boolean, clientId?: number): number {
    const pages = this.pages.toStore(most, clientId);
    for (const page of pages) if (!this.#emit('store', page, undefined, isNeeded)) this.pages.stored(page, false);
    return pages.length;
  }

  complete(event: StorageEvent, isOk: boolean): void {
    const underWay = this.#underWay.get(event.id);
    if (underWay === undefined || this.#isClosed) return;
    this.#underWay.delete(event.id);
    const { page, request } = underWay;
    if (event.kind === 'store') {
      this.pages.stored(page, isOk);
      for (const onStored of this.#onStored.splice(0)) onStored();
    } else {
      this.pages.free(page);
      if (page.isDropped) this.#reply(request!, kinds.pageInReply, 'lost');
      else if (isOk) {
        this.pages.loaded(page);
        this.#give(request!, page);
      } else {
        this.counts.corrupt++;
        this.pages.drop(page);
        this.#reply(request!, kinds.pageInReply, 'lost');
      }
      if (!page.isBusy) this.#finish(page);
    }
    this.#lookForRoom();
  }

  /** Something may have made room: for those who wait for it, in their order, as long as there is some. */
  #lookForRoom(): void {
    const waiting = this.#waitingForRoom;
    for (let left = waiting.length; left > 0; left--) {
      const first = waiting.shift()!;
      this.#carryOut(first);
      if (waiting.at(-1) !== first) continue;
      waiting.unshift(waiting.pop()!);
      return;
    }
  }

  async flush(clientId: number): Promise<number> {
    let stored = 0;
    while (this.pages.dirtyOf(clientId) > 0) {
      const progress = new Promise<void>((resolve) => this.#onStored.push(resolve));
      const begun = this.events.isFull ? 0 : this.#store(storesAtOnce, true, clientId);
      stored += begun;
      if (begun === 0 && this.#underWay.size === 0) throw new Error('the disk has no room');
      await progress;
    }
    return stored;
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
        this.#send(connection, { ...fields, kind: kinds.shuttingDown, status: 'ok', arenaSlot: 0 });
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

  // ---- answers

  #reply(request: Request, kind: number, status: Status, checksum = 0, hasPage = false): void {
    const { fields, connection, message } = request;
    this.#send(connection, { ...fields, kind, status, checksum }, hasPage);
    message.release();
  }

  #send(connection: Connection, fields: PageMessage, hasPage = false): void {
    writeMessage(this.#scratch, fields);
    try {
      connection.send(hasPage ? this.#scratch : this.#scratch.subarray(0, headerBytes));
    } catch (error) {
      // The client has gone, or takes nothing: it will learn of it by that, or by its own deadline.
      if (!(error instanceof HeddleError)) throw error;
    }
  }
}
