import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link, RecordReceiver, Transport, TransportOptions } from '../../transports/transport.js';
import type { SlabPool } from '../memory/slab-pool.js';
import type { Codec } from '../message/codec.js';
import {
  connectionWord,
  flagsShift,
  headerLengthShift,
  kindWord,
  lastConnectionKind,
  lastSequencedKind,
  MessageFlag,
  messageHeaderBytes,
  RecordKind,
  referenceWord,
} from '../message/message-layout.js';
import type { StatisticsBlock } from '../observe/statistics.js';
import { ClientSession, type ConnectOptions } from './client-session.js';
import { Connection, type ConnectionParent } from './connection.js';
import { ConnectionTable } from './connection-table.js';
import { requireHandlers } from './handlers.js';
import { adoptMoved } from './inbound.js';
import { type ConnectionOptions, defaultConnectionOptions, mergeConnectionOptions } from './options.js';
import { PendingRequests } from './pending-requests.js';
import { type ListenOptions, Server } from './server.js';
import type { SessionHost, Wire } from './session-host.js';
import { readSetupBody, required, type SetupBody, writeSetupBody } from './setup-body.js';
import { requireTicket, type SessionTicket } from './ticket.js';

/** What the sessions of a context stand on. */
export interface SessionLayerEnvironment {
  readonly contextId: number;
  readonly clock: Clock;
  /** Looked up on first use: the user's module registers a codec of its own after the context was made. */
  readonly codec: () => Codec;
  readonly statistics: StatisticsBlock;
  readonly pool: SlabPool;
  /** Shared by all contexts of a node: what the tokens of sessions are made with. */
  readonly secret: Uint8Array;
  readonly transports: () => ReadonlyMap<string, Transport>;
  readonly transportOptions: Omit<TransportOptions, 'connectTimeoutMs'>;
  readonly connectionOptions: Partial<ConnectionOptions>;
  /** How long a wire without connections stays open for the next one, in milliseconds. */
  readonly linkLingerMs: number;
  /** Sees to it that `publishBatches` is called soon, when no turn is running. */
  requestPublish(): void;
  endTurnSoon(): void;
  /** A response is expected: the context should not be asleep when it comes. */
  stayAwake(): void;
  report(error: HeddleError): void;
}

/** Setup records that could not be placed, for want of room, on one link. More means that the peer reads nothing. */
const maximumWaitingSetups = 1024;

/** What `connect` and `join` take beside handlers. */
const connectNames = ['privateData', 'options'];

interface SharedWire extends Wire {
  readonly link: Link;
  isBatching: boolean;
  readonly users: Set<Connection>;
  readonly waitingSetups: Buffer[];
  lingering: { cancel(): void } | undefined;
  /** When the last connection left. */
  idleSinceMicros: number;
}

/**
 * All sessions of one context: finds the connection that a record is for, makes sessions and servers, and shares one wire
 * among all connections to a portal.
 */
export class SessionLayer implements SessionHost, RecordReceiver {
  readonly contextId: number;
  readonly clock: Clock;
  codec!: Codec;
  readonly statistics: StatisticsBlock;
  readonly pool: SlabPool;
  readonly pending: PendingRequests;
  readonly #environment: SessionLayerEnvironment;
  readonly #table = new ConnectionTable<Connection>();
  readonly #servers = new Set<Server>();
  readonly #clients = new Map<string, ClientSession>();
  readonly #wires = new Map<Link, SharedWire>();
  readonly #batching: Wire[] = [];
  #batchingCount = 0;
  #connectionOptions: ConnectionOptions;

  constructor(environment: SessionLayerEnvironment) {
    this.#environment = environment;
    this.contextId = environment.contextId;
    this.clock = environment.clock;
    this.statistics = environment.statistics;
    this.pool = environment.pool;
    this.pending = new PendingRequests(environment.clock);
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
    if (this.pending.count > 0) return true;
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
    requireHandlers('listen', handlers, ['onSession', 'options']);
    const options = this.optionsWith(handlers.options);
    this.codec ??= this.#environment.codec();
    const transport = this.#transportFor(uri);
    const portal = await transport.listen(uri, this.#transportOptions(options.connectTimeoutMs));
    const server = new Server(this, portal, handlers, options);
    this.#servers.add(server);
    return server;
  }

  /** Begins a session with the service at `uri`; its connection goes online by itself. */
  connect(uri: string, options: ConnectOptions): ClientSession {
    requireHandlers('connect', options, connectNames);
    this.#transportFor(uri);
    this.codec ??= this.#environment.codec();
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
    this.codec ??= this.#environment.codec();
    const session = new ClientSession(this, '', options, ticket);
    this.#clients.set(session.id, session);
    return session;
  }

  /** The client session with that id in this context. */
  clientSession(sessionId: string): ClientSession | undefined {
    return this.#clients.get(sessionId);
  }

  /** Closes servers and sessions gracefully. */
  async close(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.close()));
    await Promise.all([...this.#clients.values()].map((session) => session.close()));
  }

  /** Ends what `close` did not in time. */
  destroy(): void {
    for (const connection of [...this.#table]) connection.destroy();
    for (const wire of this.#wires.values()) wire.lingering?.cancel();
    this.pending.stop();
  }

  // ---- for sessions and connections

  optionsWith(changes: Partial<ConnectionOptions> | undefined): ConnectionOptions {
    return changes === undefined ? this.#connectionOptions : mergeConnectionOptions(this.#connectionOptions, changes);
  }

  makeConnection(index: number, parent: ConnectionParent, options: ConnectionOptions, portalUri: string): Connection {
    return this.#table.add((id) => new Connection(id, index, this, parent, options, portalUri));
  }

  forgetConnection(connection: Connection): void {
    this.leaveWire(connection);
    this.#table.delete(connection.id);
  }

  forgetClientSession(session: ClientSession): void {
    this.#clients.delete(session.id);
  }

  forgetServer(server: Server): void {
    this.#servers.delete(server);
  }

  tokenOf(sessionId: string): string {
    return createHmac('sha256', this.#environment.secret).update(sessionId).digest('hex');
  }

  isToken(sessionId: string, token: string): boolean {
    const expected = Buffer.from(this.tokenOf(sessionId));
    const given = Buffer.from(token);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  /** What every setup record says of a connection. */
  introduction(connection: Connection): Omit<SetupBody, 'sessionId'> {
    return {
      index: connection.index,
      connectionId: connection.id,
      receiveDepthMessages: connection.options.receiveDepthMessages,
      receiveDepthBytes: connection.options.receiveDepthBytes,
      initialSerial: 1,
      resumable: connection.options.reconnectTimeoutMs > 0,
      codec: this.codec.name,
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
      this.report(
        new HeddleError('ERR_HEDDLE_INVALID_STATE', `a callback of the user's threw: ${String(cause)}`, { cause }),
      );
    }
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

  // ---- wires

  /** The wire to the portal at `uri`, opened on first use. */
  async acquireWire(uri: string, connectTimeoutMs: number): Promise<Wire> {
    const link = await this.#transportFor(uri).connect(uri, this.#transportOptions(connectTimeoutMs));
    if (!link.isOpen) throw new HeddleError('ERR_HEDDLE_DISCONNECTED', `the link to ${uri} ended as it was made`);
    return this.#wireFor(link);
  }

  wireOf(connection: Connection): Wire | undefined {
    return connection.link === undefined ? undefined : this.#wires.get(connection.link);
  }

  /** The connection ended without the peer's knowledge: it is told. */
  abandon(connection: Connection): void {
    const wire = connection.link === undefined ? undefined : this.#wires.get(connection.link);
    if (wire !== undefined) this.#placeReset(wire, connection.id);
  }

  /** The connection does not use its wire any more; a wire without connections lingers for the next, then closes. */
  leaveWire(connection: Connection): void {
    const link = connection.link;
    const wire = link === undefined ? undefined : this.#wires.get(link);
    connection.link = undefined;
    if (wire === undefined) return;
    wire.users.delete(connection);
    this.#linger(wire);
  }

  /** A peer opened a wire to a portal of this context. */
  onLink(link: Link): void {
    this.#wireFor(link);
  }

  #wireFor(link: Link): SharedWire {
    let wire = this.#wires.get(link);
    if (wire === undefined) {
      wire = {
        link,
        isBlocked: false,
        isBatching: false,
        users: new Set(),
        waitingSetups: [],
        lingering: undefined,
        idleSinceMicros: 0,
      };
      this.#wires.set(link, wire);
      this.statistics.add('linksOpen');
      // Until its first connection comes, which may have been given up meanwhile.
      this.#linger(wire);
    }
    return wire;
  }

  #linger(wire: SharedWire): void {
    // Rings between threads cost nothing while they are idle, and making them anew costs a round trip over the main thread.
    if (wire.link.sharesMemory || wire.users.size > 0) return;
    wire.idleSinceMicros = this.clock.nowMicros();
    if (wire.lingering === undefined) this.#closeWhenIdle(wire, this.#environment.linkLingerMs);
  }

  #closeWhenIdle(wire: SharedWire, delayMs: number): void {
    const look = () => {
      wire.lingering = undefined;
      if (wire.users.size > 0 || !wire.link.isOpen) return;
      const idleMs = (this.clock.nowMicros() - wire.idleSinceMicros) / 1000;
      const leftMs = this.#environment.linkLingerMs - idleMs;
      if (leftMs <= 0) wire.link.close();
      else this.#closeWhenIdle(wire, leftMs);
    };
    wire.lingering = this.clock.setTimer(Math.ceil(delayMs), look, true);
  }

  batch(wire: Wire): void {
    if (wire.isBatching) return;
    wire.isBatching = true;
    // Overwritten from the front in each turn: setting an array's length costs more than a message.
    this.#batching[this.#batchingCount++] = wire;
    this.#environment.requestPublish();
  }

  /** Makes visible what was placed in this turn. */
  publishBatches(): void {
    if (this.#batchingCount === 0) return;
    const batching = this.#batching;
    for (let index = 0; index < this.#batchingCount; index++) {
      const wire = batching[index];
      wire.isBatching = false;
      if (wire.link.isOpen) wire.link.publish();
    }
    this.#batchingCount = 0;
  }

  #transportFor(uri: string): Transport {
    const scheme = typeof uri === 'string' ? /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1].toLowerCase() : undefined;
    const transports = this.#environment.transports();
    const transport = scheme === undefined ? undefined : transports.get(scheme);
    if (transport !== undefined) return transport;
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_URI',
      `uri=${String(uri)} names no transport that this context has; it has ${[...transports.keys()].map((name) => `${name}://`).join(', ')}`,
    );
  }

  #transportOptions(connectTimeoutMs: number): TransportOptions {
    return { ...this.#environment.transportOptions, connectTimeoutMs };
  }

  // ---- records

  onRecord(link: Link, block: MemoryBlock, start: number, length: number): void {
    let connection: Connection | undefined;
    try {
      if (length < messageHeaderBytes) {
        throw new HeddleError('ERR_HEDDLE_MALFORMED', `a record of length=${length} is shorter than its fixed part`);
      }
      const int32 = block.int32;
      const word = start >> 2;
      const kind = int32[word + kindWord] & 0xff;
      if (kind > lastConnectionKind) {
        this.#onSetupRecord(link, kind, block, start, length);
        return;
      }
      connection = this.#table.get(int32[word + connectionWord]);
      if (connection === undefined || connection.link !== link) {
        this.#onStrayRecord(link, kind, block, start, int32[word + connectionWord]);
        return;
      }
      connection.receive(link, kind, block, start, length);
    } catch (cause) {
      if (connection?.link === link && (cause as HeddleError).code === 'ERR_HEDDLE_OUT_OF_MEMORY') {
        // Nobody broke the protocol: the other connections of the link go on.
        connection.fail(cause as HeddleError);
        return;
      }
      this.statistics.add('malformedRecords');
      const error =
        cause instanceof HeddleError
          ? cause
          : new HeddleError('ERR_HEDDLE_PROTOCOL', `a record could not be handled: ${String(cause)}`, { cause });
      link.close(error);
    }
  }

  /** A record for a connection that is gone: its memory must not be lost, and a peer that does not know must learn of it. */
  #onStrayRecord(link: Link, kind: number, block: MemoryBlock, start: number, connectionId: number): void {
    const word = start >> 2;
    const kindAndFlags = block.int32[word + kindWord];
    if (kind > lastSequencedKind) {
      if (kind === RecordKind.ping) this.#placeReset(this.#wireFor(link), connectionId);
      return;
    }
    this.#placeReset(this.#wireFor(link), connectionId);
    if (link.sharesMemory && ((kindAndFlags >> flagsShift) & MessageFlag.large) !== 0) {
      const hasCredits = ((kindAndFlags >> flagsShift) & MessageFlag.credits) !== 0;
      const headerBytes = ((kindAndFlags >>> headerLengthShift) + 7) & ~7;
      adoptMoved(
        link,
        this.pool,
        block.bytes,
        start + messageHeaderBytes + (hasCredits ? 24 : 0) + headerBytes,
      ).release();
    }
  }

  #onSetupRecord(link: Link, kind: number, block: MemoryBlock, start: number, length: number): void {
    const wire = this.#wireFor(link);
    if (kind === RecordKind.reset) {
      this.#onReset(wire, block.int32[(start >> 2) + referenceWord]);
      return;
    }
    const { body, privateData } = readSetupBody(block.bytes.subarray(start + messageHeaderBytes, start + length));
    switch (kind) {
      case RecordKind.sessionSetup:
      case RecordKind.connectionHello: {
        required(body, 'connectionId');
        required(body, 'receiveDepthMessages');
        required(body, 'receiveDepthBytes');
        required(body, 'initialSerial');
        const server = [...this.#servers].find((one) => one.answersFor(link, body.uri));
        if (server === undefined) this.#refuse(wire, body, `no service listens at ${body.uri}`);
        else if (kind === RecordKind.sessionSetup) server.onSetup(wire, body, privateData);
        else server.onHello(wire, body, privateData);
        return;
      }
      case RecordKind.resume:
        this.#onResume(wire, body);
        return;
      case RecordKind.sessionAccept:
      case RecordKind.sessionReject:
      case RecordKind.sessionRedirect:
      case RecordKind.connectionWelcome:
      case RecordKind.connectionRefuse:
      case RecordKind.resumed:
        if (this.#clients.get(body.sessionId)?.onSetupAnswer(link, kind, body, privateData)) return;
        // The client has given up meanwhile: the connection that the server has made for it is in vain.
        if (body.connectionId !== undefined) this.#placeReset(wire, block.int32[(start >> 2) + connectionWord]);
        return;
      default:
        throw new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer sent a record of unknown kind=${kind}`);
    }
  }

  /** The peer knows no connection with the id under which one of ours sends. */
  #onReset(wire: SharedWire, peerConnectionId: number): void {
    for (const connection of [...wire.users]) {
      if (connection.outbound.remoteId !== peerConnectionId) continue;
      connection.onReset();
    }
  }

  /** Tells the peer that its records for the connection `connectionId` go nowhere. */
  #placeReset(wire: SharedWire, connectionId: number): void {
    const record = Buffer.alloc(messageHeaderBytes);
    record.writeInt32LE(record.length, 0);
    record.writeInt32LE(RecordKind.reset, 4);
    record.writeInt32LE(connectionId, 4 * referenceWord);
    this.#queueSetup(wire, record);
  }

  #onResume(wire: SharedWire, body: SetupBody): void {
    const connection = this.#table.get(required(body, 'peerConnectionId'));
    const isKnown =
      connection !== undefined &&
      connection.session.id === body.sessionId &&
      connection.session.role === 'server' &&
      this.isToken(body.sessionId, required(body, 'token'));
    if (!isKnown) {
      this.#refuse(wire, body, 'the connection is not known here any more');
      return;
    }
    // The client noticed the loss of the old wire before this side did.
    if (!connection.isResuming && connection.link !== undefined && connection.link !== wire.link) {
      this.leaveWire(connection);
      connection.onLinkClosed(new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the client came back on another link'));
    }
    if (!connection.isResuming) {
      this.#refuse(wire, body, `the connection is in state ${connection.state}`);
      return;
    }
    connection.resync(required(body, 'expectedSerial'), required(body, 'released'));
    connection.attach(wire);
    const mine = { ...this.introduction(connection), ...this.progress(connection), sessionId: body.sessionId };
    this.placeSetup(wire, RecordKind.resumed, required(body, 'connectionId'), mine, undefined);
    connection.welcome(wire, body, true);
  }

  #refuse(wire: Wire, body: SetupBody, reason: string): void {
    const connectionId = required(body, 'connectionId');
    this.placeSetup(wire, RecordKind.connectionRefuse, connectionId, { sessionId: body.sessionId, reason }, undefined);
  }

  /** Places a setup record and publishes it. On a link without room it waits, before anything of its connection. */
  placeSetup(wire: Wire, kind: number, connectionId: number, body: SetupBody, privateData?: Uint8Array): void {
    const data = writeSetupBody(body, privateData);
    const record = Buffer.alloc(messageHeaderBytes + data.length);
    record.writeInt32LE(record.length, 0);
    record.writeInt32LE(kind, 4);
    record.writeInt32LE(connectionId, 8);
    record.set(data, messageHeaderBytes);
    if (record.length > wire.link.maximumRecordBytes) {
      throw new HeddleError(
        'ERR_HEDDLE_MESSAGE_TOO_LARGE',
        `a session setup of ${record.length} bytes exceeds maximumRecordBytes=${wire.link.maximumRecordBytes} of the ` +
          'link: name fewer portals or services, or send less private data',
      );
    }
    this.#queueSetup(wire as SharedWire, record);
  }

  #queueSetup(wire: SharedWire, record: Buffer): void {
    if (!wire.link.isOpen) return;
    const { waitingSetups } = wire;
    if (waitingSetups.length >= maximumWaitingSetups) {
      wire.link.close(
        new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer asks for sessions and does not read the answers'),
      );
      return;
    }
    waitingSetups.push(record);
    this.#placeWaitingSetups(wire);
  }

  #placeWaitingSetups(wire: SharedWire): boolean {
    const { writer } = wire.link;
    let next = 0;
    for (; next < wire.waitingSetups.length; next++) {
      const record = wire.waitingSetups[next];
      const start = writer.claim(record.length);
      if (start < 0) break;
      writer.block.bytes.set(record, start);
    }
    wire.waitingSetups.splice(0, next);
    wire.isBlocked = wire.waitingSetups.length > 0;
    if (next > 0) wire.link.publish();
    return !wire.isBlocked;
  }

  onWritable(link: Link): void {
    const wire = this.#wires.get(link);
    if (wire === undefined || !this.#placeWaitingSetups(wire)) return;
    for (const connection of wire.users) connection.onWritable();
  }

  onLinkClosed(link: Link, error: HeddleError | undefined): void {
    const wire = this.#wires.get(link);
    if (wire === undefined) return;
    this.#wires.delete(link);
    this.statistics.add('linksOpen', -1);
    wire.lingering?.cancel();
    for (const connection of [...wire.users]) {
      wire.users.delete(connection);
      connection.onLinkClosed(error);
    }
  }
}

/** A secret for the tokens of a node's sessions. */
export function drawSecret(): Uint8Array {
  return randomBytes(32);
}
