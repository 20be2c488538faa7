import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { longestTimerMs, type Timer } from '../../clock.js';
import { HeddleError, requireInteger } from '../../errors.js';
import { frameHeaderBytes, framePayloadBytes, maximumFrameRecordBytes } from '../frame.js';
import { FrameBufferPool } from '../frame-buffer.js';
import { minimumFramePayloadBytes } from '../frame-writer.js';
import { connectingSide, type Hello, helloBytes, listeningSide } from '../hello.js';
import {
  formatHostPort,
  formatHostUri,
  type HostAddress,
  listenError,
  parseHostUri,
  reachableHost,
} from '../host-uri.js';
import type { Portal, Transport, TransportHost, TransportOptions } from '../transport.js';
import type { RdmaOneSided } from './one-sided.js';
import { RdmaGreeting, writeHello } from './rdma-greeting.js';
import { RdmaLink } from './rdma-link.js';
import {
  type EndpointOwner,
  RdmaWorker,
  type RdmaWorkerOwner,
  type RegisteredBlock,
  ucxStatus,
} from './rdma-worker.js';

/** Peers of one portal that may be on their way to a link at a time; more are turned away. */
const maximumGreetings = 1024;
/**
 * How long a context stays awake for the next part of a large message, in µs. Parts come every 100 µs and more, and who sleeps
 * between two has to be woken for each, at its peer's cost where both are on one host.
 */
const nextPartMicros = 500;
/** How long the transport waits, when it closes, for peers to have read the last of what they were sent. */
const closeTimeoutMs = 3000;

/** A listener of UCX. */
interface RdmaPortal extends Portal {
  readonly listener: number;
  readonly options: TransportOptions;
  readonly greetings: Set<RdmaGreeting>;
}

/**
 * Records over UCX: InfiniBand and RoCE where there is a device, TCP or shared memory between processes where there is
 * none. One link serves all connects to one address, as with tcp. UCX is loaded at first use.
 */
export class RdmaTransport implements Transport, RdmaWorkerOwner {
  readonly scheme = 'rdma';
  readonly host: TransportHost;
  readonly #oneSided: boolean;
  #worker: RdmaWorker | undefined;
  readonly #linksByAddress = new Map<string, Promise<RdmaLink>>();
  readonly #links = new Set<RdmaLink>();
  /** Those of links whose endpoints UCX has not let go of. */
  readonly #oneSidedWires = new Set<RdmaOneSided>();
  readonly #portals = new Map<number, RdmaPortal>();
  readonly #greetings = new Set<RdmaGreeting>();
  readonly #pools = new Map<number, FrameBufferPool>();
  readonly #helloBlocks = new Map<number, RegisteredBlock>();
  /** Links that have something to publish when all records have been delivered. */
  readonly #publishing: RdmaLink[] = [];
  /** Endpoints that UCX has not let go of. */
  #endpoints = 0;
  #isDelivering = false;
  /** When UCX last had something to do for a large message. */
  #lastPartMicros = 0;
  #isClosed = false;
  #hold: Timer | undefined;
  #onEndpointsGone: (() => void) | undefined;

  /** @param oneSided whether peers may read and write regions that are exported to them */
  constructor(host: TransportHost, oneSided = false) {
    this.host = host;
    this.#oneSided = oneSided;
  }

  /** Whether a portal listens or a link is open: what should keep the process from exiting by itself. */
  get #isInUse(): boolean {
    return this.#portals.size > 0 || this.#links.size > 0 || this.#greetings.size > 0;
  }

  /** Shared memory that is not used any more: devices need not reach it. */
  forgetMemory(memory: SharedArrayBuffer): void {
    this.#worker?.memory.forget(memory);
  }

  async listen(uri: string, options: TransportOptions): Promise<Portal> {
    this.#requireOpen();
    checkOptions(options);
    const address = parseHostUri('rdma', uri, 'listen');
    const worker = this.#open();
    const host = await resolve(address, uri);
    this.#requireOpen();
    let opened: { readonly id: number; readonly address: { readonly port: number } };
    try {
      opened = worker.native.listen(host, address.port);
    } catch (cause) {
      const { status } = cause as { status?: number };
      throw listenError('rdma', address, cause as Error, status === ucxStatus.busy, { ucxStatus: status });
    }
    const { id } = opened;
    const portal: RdmaPortal = {
      uri: formatHostUri('rdma', reachableHost(address.host), opened.address.port),
      listener: id,
      options,
      greetings: new Set(),
      close: async () => this.#closePortal(id),
    };
    this.#portals.set(id, portal);
    this.#keepAlive();
    return portal;
  }

  async connect(uri: string, options: TransportOptions): Promise<RdmaLink> {
    this.#requireOpen();
    checkOptions(options);
    const address = parseHostUri('rdma', uri, 'connect');
    const key = formatHostPort(address.host, address.port);
    const shared = this.#linksByAddress.get(key);
    if (shared !== undefined) return shared;
    const opening = this.#connect(address, uri, options, () => {
      if (this.#linksByAddress.get(key) === opening) this.#linksByAddress.delete(key);
    });
    this.#linksByAddress.set(key, opening);
    return opening;
  }

  poll(budgetRecords: number): number {
    const worker = this.#worker;
    if (worker === undefined) return 0;
    this.#isDelivering = true;
    let completions = 0;
    try {
      completions = worker.poll(budgetRecords);
    } finally {
      this.#isDelivering = false;
      if (this.#publishing.length > 0) this.#publishDelivered();
      worker.flush();
    }
    if (completions > 0 && worker.transfersUnderWay > 0) this.#lastPartMicros = this.host.clock.nowMicros();
    return completions;
  }

  beginSleep(): boolean {
    const worker = this.#worker;
    if (worker === undefined) return true;
    if (worker.transfersUnderWay > 0 && this.host.clock.nowMicros() - this.#lastPartMicros < nextPartMicros)
      return false;
    return worker.arm();
  }

  endSleep(): void {
    this.#worker?.disarm();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const reason = new HeddleError('ERR_HEDDLE_CLOSED', 'the transport was closed');
    for (const greeting of [...this.#greetings]) greeting.giveUp(reason);
    for (const listener of [...this.#portals.keys()]) this.#closePortal(listener);
    for (const link of [...this.#links]) link.close();
    if (this.#endpoints > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.host.clock.setTimer(closeTimeoutMs, resolve);
        this.#onEndpointsGone = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    worker.close();
    for (const wire of this.#oneSidedWires) wire.end();
    this.#worker = undefined;
    this.#keepAlive();
  }

  // ---- what the worker tells

  /** @inheritdoc */
  onAccepted(listener: number, endpoint: number): EndpointOwner {
    this.#endpoints++;
    const worker = this.#worker!;
    const portal = this.#portals.get(listener);
    const peerAddress = this.#addressOf(endpoint, true);
    const greeting: RdmaGreeting = new RdmaGreeting(listeningSide, {
      host: this.host,
      worker,
      helloBlock: this.#helloBlock(listeningSide),
      endpoint,
      peerAddress,
      timeoutMs: portal?.options.connectTimeoutMs ?? 1,
      onDone: (error, peer) => {
        this.#greetings.delete(greeting);
        portal?.greetings.delete(greeting);
        if (error === undefined) this.#onGreeted(portal!, endpoint, peer!, peerAddress);
        // Who just looks whether the port is open says nothing, and is none of the user's concern.
        else if (error.code !== 'ERR_HEDDLE_REFUSED' && error.code !== 'ERR_HEDDLE_CLOSED') this.host.report(error);
      },
      onGone: () => this.#onEndpointGone(),
    });
    this.#greetings.add(greeting);
    portal?.greetings.add(greeting);
    if (portal === undefined || portal.greetings.size > maximumGreetings) {
      greeting.giveUp(
        new HeddleError('ERR_HEDDLE_CLOSED', 'the portal was closed, or has too many peers on their way'),
      );
    }
    return greeting;
  }

  /** @inheritdoc */
  onWake(): void {
    this.host.wake();
  }

  #onGreeted(portal: RdmaPortal, endpoint: number, peer: Hello, peerAddress: string): void {
    const link = this.#makeLink(endpoint, peer, peerAddress, portal.options, portal.uri, ignore);
    this.host.onLink(link);
    link.start();
  }

  // ---- connecting

  async #connect(address: HostAddress, uri: string, options: TransportOptions, onGone: () => void): Promise<RdmaLink> {
    try {
      const host = await resolve(address, uri);
      this.#requireOpen();
      const worker = this.#open();
      let endpoint: number;
      try {
        endpoint = worker.native.connect(host, address.port);
      } catch (cause) {
        throw new HeddleError('ERR_HEDDLE_REFUSED', `${uri} cannot be reached: ${(cause as Error).message}`, {
          cause,
          details: { uri },
        });
      }
      this.#endpoints++;
      const peer = await this.#greet(worker, endpoint, uri, options.connectTimeoutMs);
      const peerAddress = this.#addressOf(endpoint, true);
      const link = this.#makeLink(endpoint, peer, peerAddress, options, undefined, onGone);
      // The caller learns of the link before its first record does; it is waiting for a promise behind this one.
      setImmediate(() => link.start());
      return link;
    } catch (error) {
      onGone();
      throw error;
    }
  }

  #greet(worker: RdmaWorker, endpoint: number, uri: string, timeoutMs: number): Promise<Hello> {
    return new Promise((resolve, reject) => {
      const greeting: RdmaGreeting = new RdmaGreeting(connectingSide, {
        host: this.host,
        worker,
        helloBlock: this.#helloBlock(connectingSide),
        endpoint,
        peerAddress: uri,
        timeoutMs,
        onDone: (error, peer) => {
          this.#greetings.delete(greeting);
          this.#keepAlive();
          if (error === undefined) resolve(peer!);
          else reject(error);
        },
        onGone: () => this.#onEndpointGone(),
      });
      this.#greetings.add(greeting);
      worker.setOwner(endpoint, greeting);
      this.#keepAlive();
    });
  }

  #makeLink(
    endpoint: number,
    peer: Hello,
    peerAddress: string,
    options: TransportOptions,
    portalUri: string | undefined,
    onEnded: () => void,
  ): RdmaLink {
    const link = new RdmaLink({
      host: this.host,
      worker: this.#worker!,
      options,
      pool: this.#pool(options),
      endpoint,
      peer,
      peerAddress,
      localAddress: this.#addressOf(endpoint, false),
      portalUri,
      isDelivering: () => this.#isDelivering,
      publishLater: (one) => this.#publishing.push(one),
      onEnded: (ended) => {
        this.#links.delete(ended);
        onEnded();
        this.#keepAlive();
      },
      onGone: () => {
        if (link.oneSided !== undefined) this.#oneSidedWires.delete(link.oneSided);
        this.#onEndpointGone();
      },
    });
    this.#links.add(link);
    if (link.oneSided !== undefined) this.#oneSidedWires.add(link.oneSided);
    this.#keepAlive();
    return link;
  }

  // ---- the worker and its memory

  #open(): RdmaWorker {
    if (this.#worker === undefined) {
      this.#worker = new RdmaWorker(this, this.#oneSided);
      // A context that sleeps has not armed a worker that was not there.
      setImmediate(() => this.host.wake());
    }
    return this.#worker;
  }

  #helloBlock(side: typeof connectingSide | typeof listeningSide): RegisteredBlock {
    let block = this.#helloBlocks.get(side);
    if (block === undefined) {
      block = this.#worker!.allocateBlock(helloBytes);
      writeHello(block, side);
      this.#helloBlocks.set(side, block);
    }
    return block;
  }

  #pool(options: TransportOptions): FrameBufferPool {
    const capacityBytes = frameHeaderBytes + framePayloadBytes(options.frameBytes);
    let pool = this.#pools.get(capacityBytes);
    if (pool === undefined) {
      const worker = this.#worker!;
      pool = new FrameBufferPool(
        capacityBytes,
        undefined,
        (lengthBytes) => worker.allocateBlock(lengthBytes),
        (block) => worker.freeBlock(block as RegisteredBlock),
      );
      this.#pools.set(capacityBytes, pool);
    }
    return pool;
  }

  #addressOf(endpoint: number, ofPeer: boolean): string {
    const address = this.#worker!.native.endpointAddress(endpoint, ofPeer);
    return address === undefined ? 'an unknown address' : formatHostPort(address.host, address.port);
  }

  #publishDelivered(): void {
    for (const link of this.#publishing) link.publishNow();
    this.#publishing.length = 0;
  }

  #closePortal(listener: number): void {
    const portal = this.#portals.get(listener);
    if (portal === undefined) return;
    this.#portals.delete(listener);
    this.#worker?.native.closeListener(listener);
    const reason = new HeddleError('ERR_HEDDLE_CLOSED', `the portal ${portal.uri} was closed`);
    for (const greeting of [...portal.greetings]) greeting.giveUp(reason);
    this.#keepAlive();
  }

  #onEndpointGone(): void {
    this.#endpoints--;
    if (this.#endpoints === 0) this.#onEndpointsGone?.();
  }

  /** What is in use keeps the thread alive, as sockets do: by something that Node.js counts among its resources. */
  #keepAlive(): void {
    if (!this.#isInUse) {
      this.#hold?.cancel();
      this.#hold = undefined;
    } else this.#hold ??= this.host.clock.setTimer(longestTimerMs, () => this.#renewHold());
  }

  #renewHold(): void {
    this.#hold = undefined;
    this.#keepAlive();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new HeddleError('ERR_HEDDLE_CLOSED', 'the transport was closed: its context has stopped');
  }
}

function ignore(): void {}

function checkOptions(options: TransportOptions): void {
  requireInteger('connectTimeoutMs', options.connectTimeoutMs, 1, longestTimerMs);
  requireInteger('frameBytes', options.frameBytes, minimumFramePayloadBytes, maximumFrameRecordBytes);
  requireInteger('socketBufferBytes', options.socketBufferBytes, minimumFramePayloadBytes, 2 ** 30);
}

/** The IP address of a host. */
async function resolve(address: HostAddress, uri: string): Promise<string> {
  if (address.host === '*') return '0.0.0.0';
  if (isIP(address.host) !== 0) return address.host;
  try {
    return (await lookup(address.host)).address;
  } catch (cause) {
    const message = `the host of ${uri} has no address: ${(cause as Error).message}`;
    throw new HeddleError('ERR_HEDDLE_REFUSED', message, { cause, details: { uri } });
  }
}
