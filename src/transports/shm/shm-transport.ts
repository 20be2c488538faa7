import { HeddleError, requireInteger } from '../../errors.js';
import type { Link, Portal, RecordReceiver, Transport, TransportHost, TransportOptions } from '../transport.js';
import {
  awakeIndex,
  bellIndex,
  ContextTable,
  fallAsleep,
  maximumContexts,
  sleepingIndex,
  wakeUp,
} from './context-table.js';
import { PortDoorbell } from './doorbell.js';
import { loadNativeBells } from './native-bell.js';
import type { RingPair } from './ring-pair.js';
import { ShmLink, type ShmLinkOwner } from './shm-link.js';
import { formatShmUri, parseShmUri } from './shm-uri.js';

/** How often a connect asks again when the link it was given closed before it could be returned. */
const maximumConnectAttempts = 8;

/** The directory of portal names, on the process's main thread. It is reached asynchronously. */
export interface ShmBroker {
  /** Rejects with `ERR_HEDDLE_ADDRESS_IN_USE`. */
  bind(name: string): Promise<void>;
  unbind(name: string): Promise<void>;
  /**
   * Finds the context that owns portal `name` and, on first use, makes the ring pair between the two contexts. Both
   * ends get `attach()`: the owner's is posted first, this side's happens before the promise resolves. Makes a new pair
   * when the earlier one is closed (`isRingPairClosed`). Resolves with the peer's context id; rejects with
   * `ERR_HEDDLE_REFUSED`.
   */
  connect(name: string): Promise<number>;
}

/** What a context's shm transport is given. */
export interface ShmEnvironment {
  readonly contextId: number;
  /** Made by `createContextTable()`, one for the process. */
  readonly table: SharedArrayBuffer;
  readonly broker: ShmBroker;
}

/** Carries records between the contexts of a process, through rings in shared memory. */
export class ShmTransport implements Transport, ShmLinkOwner {
  readonly scheme = 'shm';
  readonly receiver: RecordReceiver;
  readonly tableWords: Int32Array;
  readonly contextId: number;
  readonly #host: TransportHost;
  readonly #broker: ShmBroker;
  readonly #sleepingIndex: number;
  readonly #bells = loadNativeBells();
  /** This context's; 0 without the native part. */
  readonly #bell: number;
  readonly #linkOfPeer = new Map<number, ShmLink>();
  readonly #portals = new Map<string, Portal>();
  /** Of open links, and of ended ones whose peer may still ring. */
  readonly #doorbells = new Set<PortDoorbell>();
  readonly #connecting = new Set<(error: HeddleError) => void>();
  /** Replaced, never changed: a poll that is under way goes on with the list that it began with. */
  #links: readonly ShmLink[] = [];
  #nextLink = 0;
  #asleep = false;
  #closed = false;

  constructor(host: TransportHost, environment: ShmEnvironment) {
    this.#host = host;
    this.receiver = host.receiver;
    this.#broker = environment.broker;
    this.contextId = environment.contextId;
    this.tableWords = new ContextTable(environment.table).words;
    this.#sleepingIndex = sleepingIndex(environment.contextId);
    this.#bell = this.#bells?.open(() => host.wake()) ?? 0;
    Atomics.store(this.tableWords, bellIndex(this.#sleepingIndex), this.#bell);
    wakeUp(this.tableWords, this.#sleepingIndex);
  }

  async listen(uri: string, _options: TransportOptions): Promise<Portal> {
    const name = parseShmUri(uri);
    this.#requireOpen();
    await this.#broker.bind(name);
    if (this.#closed) {
      await this.#broker.unbind(name);
      throw this.#closedError();
    }
    let closing: Promise<void> | undefined;
    const portal: Portal = {
      uri: formatShmUri(name),
      close: () => {
        if (closing === undefined) {
          this.#portals.delete(name);
          closing = this.#broker.unbind(name);
        }
        return closing;
      },
    };
    this.#portals.set(name, portal);
    return portal;
  }

  async connect(uri: string, options: TransportOptions): Promise<Link> {
    const name = parseShmUri(uri);
    this.#requireOpen();
    let fail!: (error: HeddleError) => void;
    const failure = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    const timer = this.#host.clock.setTimer(options.connectTimeoutMs, () => {
      fail(
        new HeddleError(
          'ERR_HEDDLE_TIMEOUT',
          `no link to uri=${uri} within connectTimeoutMs=${options.connectTimeoutMs}: is the main thread blocked?`,
          { details: { uri, connectTimeoutMs: options.connectTimeoutMs } },
        ),
      );
    });
    this.#connecting.add(fail);
    try {
      return await Promise.race([this.#findLink(uri, name), failure]);
    } finally {
      timer.cancel();
      this.#connecting.delete(fail);
    }
  }

  /**
   * A link comes into being. Reported to `host.onLink` unless this side asked for it. An older link to the same peer
   * was closed by the peer, or there would be no new one: what it still holds is delivered first.
   */
  attach(pair: RingPair): void {
    if (this.#closed) {
      // The peer learns at once, from the port and the mark in the ring, that nobody is here.
      this.#refuse(pair);
      return;
    }
    const doorbell = new PortDoorbell(pair.doorbell);
    let link: ShmLink;
    try {
      link = new ShmLink(this, pair, doorbell);
    } catch (error) {
      doorbell.close();
      throw error;
    }
    this.#doorbells.add(doorbell);
    doorbell.onRing = () => this.#host.wake();
    doorbell.onClosed = () => this.#doorbells.delete(doorbell);
    doorbell.onUnknown = (what) =>
      this.#host.report(
        new HeddleError('ERR_HEDDLE_PROTOCOL', `a doorbell's port brought something unknown from ${link.peerAddress}`, {
          cause: what,
        }),
      );
    this.#host.enterTurn();
    try {
      // Of a context's two links to itself, the one that asked is the one that connect() returns.
      if (pair.initiator || pair.peerContextId !== this.contextId) {
        this.#linkOfPeer.get(pair.peerContextId)?.finishPeer(this.#replacedError(pair.peerContextId));
        this.#linkOfPeer.set(pair.peerContextId, link);
      }
      this.#links = [...this.#links, link];
      if (!pair.initiator) this.#host.onLink(link);
    } finally {
      this.#host.leaveTurn();
    }
    // The peer may have published before this end existed, and have rung a port that was still on its way.
    this.#host.wake();
  }

  /** The peer context is gone: what it published before is delivered, then its links close with `error`. */
  detach(peerContextId: number, error: HeddleError): void {
    this.#host.enterTurn();
    try {
      for (const link of this.#links) {
        if (link.peerContextId !== peerContextId) continue;
        link.finishPeer(error);
        link.doorbell.close();
      }
    } finally {
      this.#host.leaveTurn();
    }
    // The peer may have died between taking this context's sleeping flag and ringing.
    this.#host.wake();
  }

  poll(budgetRecords: number): number {
    const links = this.#links;
    const count = links.length;
    if (count === 0) return 0;
    if (count === 1) return links[0]!.poll(budgetRecords);
    let index = this.#nextLink;
    if (index >= count) index = 0;
    // Each poll begins with another link, so that none is always served last.
    this.#nextLink = index + 1;
    let delivered = 0;
    let someHaveMore = true;
    // Links that have little leave their share to the others: further rounds run while one used up its share.
    while (someHaveMore && delivered < budgetRecords) {
      const share = Math.ceil((budgetRecords - delivered) / count);
      someHaveMore = false;
      for (let i = 0; i < count && delivered < budgetRecords; i += 1) {
        const limit = Math.min(share, budgetRecords - delivered);
        const records = links[index]!.poll(limit);
        delivered += records;
        if (records >= limit) someHaveMore = true;
        index += 1;
        if (index === count) index = 0;
      }
    }
    return delivered;
  }

  /** Whether a link has records to deliver, or room that was wanted. */
  hasWork(): boolean {
    const links = this.#links;
    for (let i = 0; i < links.length; i += 1) {
      if (links[i]!.hasWork()) return true;
    }
    return false;
  }

  beginSleep(): boolean {
    // The consumer's half of the sleep protocol: first the flag, then a look at every ring. A producer that published
    // before this store is seen by the look; one that publishes after it sees the flag.
    fallAsleep(this.tableWords, this.#sleepingIndex);
    if (this.hasWork()) {
      wakeUp(this.tableWords, this.#sleepingIndex);
      this.#asleep = false;
      return false;
    }
    this.#asleep = true;
    return true;
  }

  endSleep(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
    wakeUp(this.tableWords, this.#sleepingIndex);
  }

  /** How many contexts of the process use a core or wait for one, this one included; or how many did a moment ago. */
  get awakeContexts(): number {
    // A plain load: it is asked in every turn, and what is done with it does not have to be right each time.
    return this.tableWords[awakeIndex];
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.endSleep();
      for (const fail of this.#connecting) fail(this.#closedError());
      for (const link of this.#links) link.close();
      // Nobody here sleeps any more, so no peer's ring can be missed.
      for (const doorbell of this.#doorbells) doorbell.close();
      Atomics.store(this.tableWords, bellIndex(this.#sleepingIndex), 0);
      this.#bells?.close(this.#bell);
    }
    await Promise.all([...this.#portals.values()].map((portal) => portal.close()));
    // The flag stays up: there is nobody left to wake.
    fallAsleep(this.tableWords, this.#sleepingIndex);
  }

  /** {@link ShmLinkOwner} */
  ringNativeBell(bell: number): boolean {
    this.#bells?.ring(bell);
    return this.#bells !== undefined;
  }

  /** {@link ShmLinkOwner} */
  onDoorbellRung(): void {
    this.#host.onDoorbellRung();
  }

  /** {@link ShmLinkOwner} */
  onLinkEnded(link: ShmLink): void {
    this.#links = this.#links.filter((other) => other !== link);
    if (this.#linkOfPeer.get(link.peerContextId) === link) this.#linkOfPeer.delete(link.peerContextId);
  }

  async #findLink(uri: string, name: string): Promise<Link> {
    for (let attempt = 0; attempt < maximumConnectAttempts; attempt += 1) {
      const peerContextId = requireInteger('peerContextId', await this.#broker.connect(name), 0, maximumContexts - 1);
      this.#requireOpen();
      const link = this.#linkOfPeer.get(peerContextId);
      // Absent when it closed between the broker's answer and now. The broker sees that, and makes a new one.
      if (link !== undefined) return link;
    }
    throw new HeddleError(
      'ERR_HEDDLE_DISCONNECTED',
      `each link to uri=${uri} closed at once: attempts=${maximumConnectAttempts}; see why the peer closes them`,
      { details: { uri, attempts: maximumConnectAttempts } },
    );
  }

  #refuse(pair: RingPair): void {
    const doorbell = new PortDoorbell(pair.doorbell);
    new ShmLink({ ...this.#silent, tableWords: this.tableWords, contextId: this.contextId }, pair, doorbell).close(
      this.#closedError(),
    );
    doorbell.close();
  }

  /** Receives what nobody wants to hear of a link that ends as soon as it begins. */
  readonly #silent = {
    receiver: { onRecord: () => 1, onWritable: () => {}, onLinkClosed: () => {} },
    onLinkEnded: () => {},
    onDoorbellRung: () => {},
    ringNativeBell: () => false,
  };

  #requireOpen(): void {
    if (this.#closed) throw this.#closedError();
  }

  #closedError(): HeddleError {
    return new HeddleError('ERR_HEDDLE_CLOSED', `the shm transport of context=${this.contextId} was closed`);
  }

  #replacedError(peerContextId: number): HeddleError {
    return new HeddleError(
      'ERR_HEDDLE_DISCONNECTED',
      `a new link to shm context=${peerContextId} has taken the place of one that the peer had not closed`,
      { details: { peerContextId } },
    );
  }
}
