import { type Clock, longestTimerMs } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { Link, Portal, Transport, TransportOptions } from '../../transports/transport.js';
import { messageHeaderBytes, RecordKind, referenceWord } from '../message/message-layout.js';
import type { StatisticsBlock } from '../observe/statistics.js';
import type { Connection } from './connection.js';
import { encoding, waitForEncoder } from './encoding.js';
import type { Wire } from './session-host.js';
import { type SetupBody, writeSetupBody } from './setup-body.js';

/** What the wires of a context stand on. */
export interface WireEnvironment {
  readonly clock: Clock;
  readonly statistics: StatisticsBlock;
  readonly transports: () => ReadonlyMap<string, Transport>;
  readonly transportOptions: Omit<TransportOptions, 'connectTimeoutMs'>;
  /** How long a wire without connections stays open for the next one, in milliseconds. */
  readonly linkLingerMs: number;
  /** Sees to it that `publishBatches` is called soon, when no turn is running. */
  requestPublish(): void;
}

/** Setup records that could not be placed, for want of room, on one link. More means that the peer reads nothing. */
const maximumWaitingSetups = 1024;
/**
 * Who opened a wire closes it, and the other side waits this much longer, in milliseconds: it would meet, now and then, a
 * setup that is on its way to it from a busy peer.
 */
const openerGraceMs = 5_000;

/** A link and who shares it. */
export interface SharedWire extends Wire {
  readonly users: Set<Connection>;
  readonly waitingSetups: Buffer[];
  lingering: { cancel(): void } | undefined;
  /** When the last connection left. */
  idleSinceMicros: number;
}

/**
 * The wires of one context: one for each link, shared by all connections to its portal. What is placed on them in a turn
 * is published when the turn ends; setup records wait here for room; a wire that nobody uses any more lingers, then closes.
 */
export class Wires {
  readonly #environment: WireEnvironment;
  readonly #wires = new Map<Link, SharedWire>();
  readonly #batching: Wire[] = [];
  #batchingCount = 0;

  constructor(environment: WireEnvironment) {
    this.#environment = environment;
  }

  // ---- transports

  /** The transport that serves `uri`. Throws `ERR_HEDDLE_INVALID_URI` when this context has none. */
  transportFor(uri: string): Transport {
    const scheme = typeof uri === 'string' ? /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1].toLowerCase() : undefined;
    const transports = this.#environment.transports();
    const transport = scheme === undefined ? undefined : transports.get(scheme);
    if (transport !== undefined) return transport;
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_URI',
      `uri=${String(uri)} names no transport that this context has; it has ${[...transports.keys()].map((name) => `${name}://`).join(', ')}`,
    );
  }

  /** Listens at `uri`: each wire that a peer opens to it is reported by {@link onLink}. */
  listen(uri: string, connectTimeoutMs: number): Promise<Portal> {
    return this.transportFor(uri).listen(uri, this.#transportOptions(connectTimeoutMs));
  }

  #transportOptions(connectTimeoutMs: number): TransportOptions {
    return { ...this.#environment.transportOptions, connectTimeoutMs };
  }

  // ---- links and their users

  /** The wire to the portal at `uri`, opened on first use. */
  async acquire(uri: string, connectTimeoutMs: number): Promise<SharedWire> {
    const link = await this.transportFor(uri).connect(uri, this.#transportOptions(connectTimeoutMs));
    if (!link.isOpen) throw new HeddleError('ERR_HEDDLE_DISCONNECTED', `the link to ${uri} ended as it was made`);
    return this.wireFor(link);
  }

  /** The wire that the connection goes by. */
  of(connection: Connection): SharedWire | undefined {
    return connection.link === undefined ? undefined : this.#wires.get(connection.link);
  }

  /** The connection ended without the peer's knowledge: it is told. */
  abandon(connection: Connection): void {
    const wire = this.of(connection);
    if (wire !== undefined) this.placeReset(wire, connection.id);
  }

  /** The connection does not use its wire any more; a wire without connections lingers for the next, then closes. */
  leave(connection: Connection): void {
    const wire = this.of(connection);
    connection.link = undefined;
    if (wire === undefined) return;
    wire.users.delete(connection);
    this.#linger(wire);
  }

  /** A peer opened a wire to a portal of this context. */
  onLink(link: Link): void {
    this.wireFor(link);
  }

  /** The wire that `link` is, made when the link is new. */
  wireFor(link: Link): SharedWire {
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
      this.#environment.statistics.add('linksOpen');
      // Until its first connection comes, which may have been given up meanwhile.
      this.#linger(wire);
    }
    return wire;
  }

  #linger(wire: SharedWire): void {
    // Rings between threads cost nothing while they are idle, and making them anew costs a round trip over the main thread.
    if (wire.link.sharesMemory || wire.users.size > 0) return;
    wire.idleSinceMicros = this.#environment.clock.nowMicros();
    if (wire.lingering === undefined) this.#closeWhenIdle(wire, this.#lingerMs(wire));
  }

  #lingerMs(wire: SharedWire): number {
    const { linkLingerMs } = this.#environment;
    return wire.link.portalUri === undefined ? linkLingerMs : Math.min(linkLingerMs + openerGraceMs, longestTimerMs);
  }

  #closeWhenIdle(wire: SharedWire, delayMs: number): void {
    const look = () => {
      wire.lingering = undefined;
      if (wire.users.size > 0 || !wire.link.isOpen) return;
      const idleMs = (this.#environment.clock.nowMicros() - wire.idleSinceMicros) / 1000;
      const leftMs = this.#lingerMs(wire) - idleMs;
      if (leftMs <= 0) wire.link.close();
      else this.#closeWhenIdle(wire, leftMs);
    };
    wire.lingering = this.#environment.clock.setTimer(Math.ceil(delayMs), look, true);
  }

  /** The link has room again. */
  onWritable(link: Link): void {
    const wire = this.#wires.get(link);
    if (wire === undefined || !this.#placeWaitingSetups(wire)) return;
    for (const connection of wire.users) connection.onWritable();
  }

  /** The link has ended: its connections are told. */
  onLinkClosed(link: Link, error: HeddleError | undefined): void {
    const wire = this.#wires.get(link);
    if (wire === undefined) return;
    this.#wires.delete(link);
    this.#environment.statistics.add('linksOpen', -1);
    wire.lingering?.cancel();
    for (const connection of [...wire.users]) {
      wire.users.delete(connection);
      connection.onLinkClosed(error);
    }
  }

  /** A slab is not used any more: the peers' ways to it go, too. */
  forgetSlab(slabId: number): void {
    for (const link of this.#wires.keys()) if (link.sharesMemory) link.forgetSlab(slabId);
  }

  /** Ends the waiting for wires to become used again. */
  stopLingering(): void {
    for (const wire of this.#wires.values()) wire.lingering?.cancel();
  }

  // ---- batches

  /** Sees to it that what was placed on the wire is published when the turn ends. */
  batch(wire: Wire): void {
    // `=== true`: see record-placer.ts.
    if (wire.isBatching === true) return;
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
      if (wire.link.isOpen) this.#publish(wire);
    }
    this.#batchingCount = 0;
  }

  #publish(wire: Wire): void {
    this.#environment.statistics.recordPublish();
    wire.link.publish();
  }

  // ---- setup records

  /** Tells the peer that its records for the connection `connectionId` go nowhere. */
  placeReset(wire: SharedWire, connectionId: number): void {
    const record = Buffer.alloc(messageHeaderBytes);
    record.writeInt32LE(record.length, 0);
    record.writeInt32LE(RecordKind.reset, 4);
    record.writeInt32LE(connectionId, 4 * referenceWord);
    this.#queueSetup(wire, record);
  }

  /** Places a setup record and publishes it. On a link without room it waits, before anything of its connection. */
  placeSetup(wire: SharedWire, kind: number, connectionId: number, body: SetupBody, privateData?: Uint8Array): void {
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
    this.#queueSetup(wire, record);
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
    if (encoding.isOn) {
      waitForEncoder(() => this.onWritable(wire.link));
      wire.isBlocked = wire.waitingSetups.length > 0;
      return false;
    }
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
    if (next > 0) this.#publish(wire);
    return !wire.isBlocked;
  }
}
