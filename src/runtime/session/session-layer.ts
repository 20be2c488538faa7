import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { HeddleError, thrownText } from '../../errors.js';
import type { Link, RecordReceiver } from '../../transports/transport.js';
import { OpenedMemories } from '../memory/opened-memory.js';
import { type RegionHandle, requireRegionHandle } from '../memory/region-handle.js';
import { type Region, RegionTable } from '../memory/region-table.js';
import type { SlabPool } from '../memory/slab-pool.js';
import type { Codec } from '../message/codec.js';
import { codecNamed } from '../message/codec-registry.js';
import type { StatisticsBlock } from '../observe/statistics.js';
import { ClientSession, type ConnectOptions } from './client-session.js';
import { Connection } from './connection.js';
import type { ConnectionParent } from './connection-parent.js';
import { ConnectionTable } from './connection-table.js';
import { requireHandlers, type SessionHandlers } from './handlers.js';
import { type ConnectionOptions, defaultConnectionOptions, mergeConnectionOptions } from './options.js';
import { OwnRegion } from './own-region.js';
import { PendingRequests } from './pending-requests.js';
import { RecordRouter } from './record-router.js';
import type { OperationWaiter } from './region-client.js';
import { type RegionOperationOptions, RemoteRegion, requireRegionOptions } from './remote-region.js';
import { type ListenOptions, Server } from './server.js';
import type { SessionHost } from './session-host.js';
import { SessionTokens } from './session-tokens.js';
import type { SetupBody } from './setup-body.js';
import { requireTicket, type SessionTicket } from './ticket.js';
import { type WireEnvironment, Wires } from './wires.js';

/** What the sessions of a context stand on. */
export interface SessionLayerEnvironment extends WireEnvironment {
  readonly contextId: number;
  /** Looked up on first use: the user's module registers a codec of its own after the context was made. */
  readonly codec: () => Codec;
  readonly pool: SlabPool;
  /** Shared by all contexts of a node: what the tokens of sessions are made with. */
  readonly secret: Uint8Array;
  readonly connectionOptions: Partial<ConnectionOptions>;
  endTurnSoon(): void;
  /** A response is expected: the context should not be asleep when it comes. */
  stayAwake(): void;
  report(error: HeddleError): void;
}

/** What `connect` and `join` take beside handlers. */
const connectNames = ['privateData', 'options', 'codec', 'requireRdmaDevice'];

/**
 * All sessions of one context: makes servers, sessions and connections, knows them, and gives them what they stand on.
 */
export class SessionLayer implements SessionHost {
  readonly contextId: number;
  readonly clock: Clock;
  codec!: Codec;
  readonly statistics: StatisticsBlock;
  readonly pool: SlabPool;
  readonly pending: PendingRequests;
  readonly regions: RegionTable;
  readonly openedMemories = new OpenedMemories();
  readonly regionOperations: PendingRequests<OperationWaiter>;
  readonly wires: Wires;
  readonly tokens: SessionTokens;
  /** Takes the records of all links. */
  readonly receiver: RecordReceiver;
  readonly #environment: SessionLayerEnvironment;
  readonly #table = new ConnectionTable<Connection>();
  readonly #servers = new Set<Server>();
  readonly #clients = new Map<string, ClientSession>();
  #connectionOptions: ConnectionOptions;

  constructor(environment: SessionLayerEnvironment) {
    this.#environment = environment;
    this.contextId = environment.contextId;
    this.clock = environment.clock;
    this.statistics = environment.statistics;
    this.pool = environment.pool;
    this.pending = new PendingRequests(environment.clock);
    this.regionOperations = new PendingRequests(environment.clock);
    this.regions = new RegionTable({
      owner: randomBytes(12).toString('base64url'),
      takeOver: (buffer) => {
        const { slabId, memory, slot, handle, byteOffset, lengthBytes } = buffer.moveTo(environment.contextId);
        return environment.pool.adopt(slabId, memory, slot, handle, byteOffset, lengthBytes);
      },
      takeSlabId: () => environment.pool.takeSlabId(),
      onCount: (change) => environment.statistics.add('regionsExported', change),
    });
    this.wires = new Wires(environment);
    this.tokens = new SessionTokens(environment.secret);
    this.receiver = new RecordRouter(this, this.#table, this.wires);
    this.#connectionOptions = mergeConnectionOptions(defaultConnectionOptions, environment.connectionOptions);
  }

  /** The options that connections of this context begin with. */
  get connectionOptions(): ConnectionOptions {
    return this.#connectionOptions;
  }

  /** Changes the options that connections made from now on begin with. */
  setConnectionOptions(changes: Partial<ConnectionOptions>): void {
    this.#connectionOptions = mergeConnectionOptions(this.#connectionOptions, changes);
  }

  /** Connections of this context, of all sessions. */
  get connectionCount(): number {
    return this.#table.size;
  }

  /** Whether anything is on its way that a peer's or the user's answer will settle. */
  get hasOutstandingWork(): boolean {
    if (this.pending.count > 0 || this.regionOperations.count > 0) return true;
    for (const connection of this.#table) {
      if (connection.queuedMessages > 0 || connection.isResuming || connection.state === 'init') return true;
    }
    return false;
  }

  /** Messages that wait to be sent, over all connections. */
  get queuedMessages(): number {
    let queued = 0;
    for (const connection of this.#table) queued += connection.queuedMessages;
    return queued;
  }

  // ---- sessions

  /** Listens at `uri`. Rejects with ERR_HEDDLE_ADDRESS_IN_USE, ERR_HEDDLE_INVALID_URI. */
  async listen(uri: string, handlers: ListenOptions): Promise<Server> {
    requireHandlers('listen', handlers, ['onSession', 'options', 'codec', 'requireRdmaDevice']);
    const options = this.optionsWith(handlers.options);
    this.#prepareCodec(handlers);
    const portal = await this.wires.listen(uri, options.connectTimeoutMs);
    const server = new Server(this, portal, handlers, options);
    this.#servers.add(server);
    return server;
  }

  /** Begins a session with the service at `uri`; its connection goes online by itself. */
  connect(uri: string, options: ConnectOptions): ClientSession {
    requireHandlers('connect', options, connectNames);
    this.wires.transportFor(uri);
    this.#prepareCodec(options);
    const session = new ClientSession(this, uri, options);
    this.#clients.set(session.id, session);
    return session;
  }

  /** Takes part, with a connection of this context's own, in a session that another context began. */
  join(ticket: SessionTicket, options: ConnectOptions): ClientSession {
    requireTicket(ticket);
    requireHandlers('join', options, connectNames);
    if (this.#clients.has(ticket.sessionId)) {
      throw new HeddleError(
        'ERR_HEDDLE_CONNECTION_EXISTS',
        `this context has a connection in session ${ticket.sessionId} already, and there is one for each context: use that one`,
      );
    }
    this.#prepareCodec(options);
    const session = new ClientSession(this, '', options, ticket);
    this.#clients.set(session.id, session);
    return session;
  }

  /** Looks the codecs up while the user is there to hear that there is none of that name. */
  #prepareCodec(handlers: SessionHandlers): void {
    this.codec ??= this.#environment.codec();
    this.codecOf(handlers);
  }

  /** The codec of connections with these handlers. */
  codecOf(handlers: SessionHandlers): Codec {
    return handlers.codec === undefined ? this.codec : codecNamed(handlers.codec);
  }

  /** The server of this context that a link may ask for the service at `uri`. */
  serverFor(link: Link, uri: string | undefined): Server | undefined {
    for (const server of this.#servers) if (server.answersFor(link, uri)) return server;
    return undefined;
  }

  /** The client session with that id in this context. */
  clientSession(sessionId: string): ClientSession | undefined {
    return this.#clients.get(sessionId);
  }

  // ---- regions

  /** See `Context.exportRegion`. */
  exportRegion(buffer: unknown, rights: unknown): Region {
    return this.regions.export(buffer, rights);
  }

  /** See `Context.openRegion`. */
  async openRegion(handle: RegionHandle, options: RegionOperationOptions): Promise<RemoteRegion> {
    requireRegionHandle(handle);
    requireRegionOptions('openRegion', options);
    if (handle.owner === this.regions.owner) return new RemoteRegion(handle, OwnRegion.open(this, handle));
    const way = this.#wayTo(handle.owner);
    if (way !== undefined) return way.openRegion(handle, options);
    throw new HeddleError(
      'ERR_HEDDLE_REGION_UNKNOWN',
      `no connection of this context leads to the owner of the region: connect to it first (owner=${handle.owner})`,
      { details: { owner: handle.owner } },
    );
  }

  /** Whether a region of that owner can be opened without another connection. */
  reaches(handle: RegionHandle): boolean {
    requireRegionHandle(handle);
    return handle.owner === this.regions.owner || this.#wayTo(handle.owner) !== undefined;
  }

  /** A connection to that context: one that shares memory, where there is one. */
  #wayTo(owner: string): Connection | undefined {
    let way: Connection | undefined;
    for (const connection of this.#table) {
      if (connection.peerContext !== owner || !connection.isOnline) continue;
      if (way === undefined || connection.link?.sharesMemory) way = connection;
    }
    return way;
  }

  /** Closes servers and sessions gracefully. */
  async close(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.close()));
    await Promise.all([...this.#clients.values()].map((session) => session.close()));
  }

  /** Ends what `close` did not in time. */
  destroy(): void {
    for (const connection of [...this.#table]) connection.destroy();
    this.wires.stopLingering();
    this.pending.stop();
    this.regionOperations.stop();
    this.regions.revokeAll();
  }

  // ---- for sessions and connections

  optionsWith(changes: Partial<ConnectionOptions> | undefined): ConnectionOptions {
    return changes === undefined ? this.#connectionOptions : mergeConnectionOptions(this.#connectionOptions, changes);
  }

  makeConnection(index: number, parent: ConnectionParent, options: ConnectionOptions, portalUri: string): Connection {
    return this.#table.add((id) => new Connection(id, index, this, parent, options, portalUri));
  }

  forgetConnection(connection: Connection): void {
    this.wires.leave(connection);
    this.#table.delete(connection.id);
  }

  forgetClientSession(session: ClientSession): void {
    this.#clients.delete(session.id);
  }

  forgetServer(server: Server): void {
    this.#servers.delete(server);
  }

  /** What every setup record says of a connection. */
  introduction(connection: Connection): Omit<SetupBody, 'sessionId'> {
    return {
      index: connection.index,
      connectionId: connection.id,
      receiveDepthMessages: connection.options.receiveDepthMessages,
      receiveDepthBytes: connection.options.receiveDepthBytes,
      initialSerial: 1,
      context: this.regions.owner,
      resumable: connection.options.reconnectTimeoutMs > 0,
      codec: connection.codec.name,
    };
  }

  /** What a connection has received and released so far, to be told to its peer. */
  progress(connection: Connection): Pick<SetupBody, 'expectedSerial' | 'released'> {
    const { ledger, expectedSerial } = connection.inbound;
    const { posts, responses } = ledger;
    ledger.announced();
    return {
      expectedSerial,
      released: [posts.releasedMessages, posts.releasedBytes, responses.releasedMessages, responses.releasedBytes],
    };
  }

  /** Runs a callback of the user's: what it throws is reported, and harms nothing else. */
  guard(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      this.reportThrown(cause);
    }
  }

  reportThrown(cause: unknown): void {
    this.report(
      new HeddleError('ERR_HEDDLE_INVALID_STATE', `a callback of the user's threw: ${thrownText(cause)}`, { cause }),
    );
  }

  report(error: HeddleError): void {
    this.#environment.report(error);
  }

  endTurnSoon(): void {
    this.#environment.endTurnSoon();
  }

  stayAwake(): void {
    this.#environment.stayAwake();
  }
}
