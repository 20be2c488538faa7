import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { longestTimerMs } from '../../clock.js';
import { HeddleError, requireInteger } from '../../errors.js';
import { setTypeOfService } from '../../native-system.js';
import { frameHeaderBytes, framePayloadBytes, maximumFrameRecordBytes } from '../frame.js';
import { FrameBufferPool } from '../frame-buffer.js';
import { minimumFramePayloadBytes } from '../frame-writer.js';
import { connectingSide, type Hello } from '../hello.js';
import { formatHostPort, formatHostUri, type HostAddress, parseHostUri } from '../host-uri.js';
import type { Portal, Transport, TransportHost, TransportOptions } from '../transport.js';
import { greet } from './tcp-greeting.js';
import { TcpLink } from './tcp-link.js';
import { TcpPortal, type TcpPortalOwner } from './tcp-portal.js';

/**
 * Records over TCP, or over TLS when `options.tls` is given. One link serves all connects to one address: those made
 * while it is open or opening share it, with the options of the first. Different `tls` objects, and with TLS different
 * names of the host, make different links.
 */
export class TcpTransport implements Transport, TcpPortalOwner {
  readonly scheme = 'tcp';
  readonly host: TransportHost;
  /** Links that were connected from here, open or opening, by address. */
  readonly #linksByAddress = new Map<string, Promise<TcpLink>>();
  readonly #links = new Set<TcpLink>();
  readonly #portals = new Set<TcpPortal>();
  /** Every socket that exists, links' and others', until its `close` event. */
  readonly #sockets = new Set<Socket>();
  /** Gives up the connects that are under way. */
  readonly #opening = new Set<(reason: HeddleError) => void>();
  readonly #pools = new Map<number, FrameBufferPool>();
  readonly #tlsNumbers = new WeakMap<object, number>();
  #lastTlsNumber = 0;
  #closed = false;
  #onSocketsGone: (() => void) | undefined;

  constructor(host: TransportHost) {
    this.host = host;
  }

  async listen(uri: string, options: TransportOptions): Promise<Portal> {
    this.#requireOpen();
    checkOptions(options);
    const portal = await TcpPortal.listen(parseHostUri('tcp', uri, 'listen'), options, this);
    if (this.#closed) {
      await portal.close();
      this.#requireOpen();
    }
    this.#portals.add(portal);
    return portal;
  }

  async connect(uri: string, options: TransportOptions): Promise<TcpLink> {
    this.#requireOpen();
    checkOptions(options);
    const address = parseHostUri('tcp', uri, 'connect');
    const key = this.#addressKey(address, options.tls);
    const shared = this.#linksByAddress.get(key);
    if (shared !== undefined) return shared;
    const opening = this.#open(address, options, () => {
      if (this.#linksByAddress.get(key) === opening) this.#linksByAddress.delete(key);
    });
    this.#linksByAddress.set(key, opening);
    return opening;
  }

  /** Records arrive in callbacks of sockets. */
  poll(): number {
    return 0;
  }

  /** A socket always wakes the event loop. */
  beginSleep(): boolean {
    return true;
  }

  endSleep(): void {}

  async close(): Promise<void> {
    this.#closed = true;
    const reason = new HeddleError('ERR_HEDDLE_CLOSED', 'the transport was closed');
    for (const giveUp of [...this.#opening]) giveUp(reason);
    const portals = [...this.#portals];
    await Promise.all(portals.map((portal) => portal.close()));
    for (const link of [...this.#links]) link.close();
    // Sockets of links end on their own, each in a bounded time.
    if (this.#sockets.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onSocketsGone = resolve;
      });
    }
    for (const portal of portals) portal.destroySockets();
  }

  /** @inheritdoc */
  onGreeted(portal: TcpPortal, socket: Socket, peer: Hello, rest: Buffer): void {
    this.#track(socket);
    const link = this.#makeLink(socket, portal.options, peer, portal.uri, ignore);
    this.host.enterTurn();
    try {
      this.host.onLink(link);
    } finally {
      this.host.leaveTurn();
    }
    link.start(rest);
  }

  /** @inheritdoc */
  onPortalClosed(portal: TcpPortal): void {
    this.#portals.delete(portal);
  }

  async #open(address: HostAddress, options: TransportOptions, onGone: () => void): Promise<TcpLink> {
    try {
      // Awaits in any case: a failure must find the promise of this call in the map.
      const tls = await (options.tls === undefined ? undefined : import('node:tls'));
      this.#requireOpen();
      const { host, port, name } = address;
      const socket =
        tls === undefined
          ? connectSocket({ host, port, noDelay: true })
          : // The certificate is checked against the name as it was written, or against the servername option.
            tls.connect({ servername: isIP(name) === 0 ? name : undefined, ...options.tls, host, port });
      this.#track(socket);
      const { peer, rest } = await this.#connected(socket, address, options, tls !== undefined);
      const link = this.#makeLink(socket, options, peer, undefined, onGone);
      // The caller learns of the link before its first record does; it is waiting for a promise behind this one.
      setImmediate(() => link.start(rest));
      return link;
    } catch (error) {
      onGone();
      throw error;
    }
  }

  /** Waits until the peer has said hello. Within `connectTimeoutMs` the promise settles. */
  #connected(
    socket: Socket,
    address: HostAddress,
    options: TransportOptions,
    usesTls: boolean,
  ): Promise<{ peer: Hello; rest: Buffer }> {
    return new Promise((resolve, reject) => {
      let giveUpGreeting: ((reason: HeddleError) => void) | undefined;
      const finish = (error: HeddleError | undefined, peer?: Hello, rest?: Buffer) => {
        timer.cancel();
        this.#opening.delete(giveUp);
        socket.off('error', onError);
        if (error === undefined) resolve({ peer: peer!, rest: rest! });
        else reject(error);
      };
      const giveUp = (reason: HeddleError) => {
        if (giveUpGreeting !== undefined) return giveUpGreeting(reason);
        finish(reason);
        socket.destroy();
      };
      const onError = (cause: Error) => {
        if (giveUpGreeting === undefined) giveUp(connectError(address, usesTls, cause));
      };
      const timer = this.host.clock.setTimer(options.connectTimeoutMs, () => giveUp(timeoutError(address, options)));
      this.#opening.add(giveUp);
      socket.on('error', onError);
      socket.once(usesTls ? 'secureConnect' : 'connect', () => {
        if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) {
          // TCP connects a socket to itself when it happens to be given the very port that it connects to.
          return giveUp(refusedError(address, new Error('the socket was connected to itself')));
        }
        socket.setNoDelay(true);
        giveUpGreeting = greet(socket, connectingSide, finish);
      });
    });
  }

  #makeLink(
    socket: Socket,
    options: TransportOptions,
    peer: Hello,
    portalUri: string | undefined,
    onGone: () => void,
  ): TcpLink {
    const onEnded = (ended: TcpLink) => {
      this.#links.delete(ended);
      onGone();
    };
    const link = new TcpLink(socket, { host: this.host, options, pool: this.#pool(options), peer, portalUri, onEnded });
    this.#links.add(link);
    if (options.typeOfService) {
      const failure = setTypeOfService(socket, options.typeOfService);
      if (failure !== undefined) this.host.report(failure);
    }
    return link;
  }

  #pool(options: TransportOptions): FrameBufferPool {
    const capacityBytes = frameHeaderBytes + framePayloadBytes(options.frameBytes);
    let pool = this.#pools.get(capacityBytes);
    if (pool === undefined) {
      pool = new FrameBufferPool(capacityBytes);
      this.#pools.set(capacityBytes, pool);
    }
    return pool;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // An error that nobody listens for would end the process; those that matter have listeners of their own.
    socket.on('error', ignore);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onSocketsGone?.();
    });
  }

  #addressKey(address: HostAddress, tls: object | undefined): string {
    if (tls === undefined) return formatHostPort(address.host, address.port);
    let number = this.#tlsNumbers.get(tls);
    if (number === undefined) {
      number = ++this.#lastTlsNumber;
      this.#tlsNumbers.set(tls, number);
    }
    return `${formatHostPort(address.name, address.port)} tls ${number}`;
  }

  #requireOpen(): void {
    if (this.#closed) throw new HeddleError('ERR_HEDDLE_CLOSED', 'the transport was closed: its context has stopped');
  }
}

function ignore(): void {}

type SystemError = Error & { code?: string; syscall?: string };

function checkOptions(options: TransportOptions): void {
  requireInteger('connectTimeoutMs', options.connectTimeoutMs, 1, longestTimerMs);
  requireInteger('frameBytes', options.frameBytes, minimumFramePayloadBytes, maximumFrameRecordBytes);
  requireInteger('socketBufferBytes', options.socketBufferBytes, minimumFramePayloadBytes, 2 ** 30);
}

function timeoutError(address: HostAddress, options: TransportOptions): HeddleError {
  const uri = formatHostUri('tcp', address.host, address.port);
  const { connectTimeoutMs } = options;
  return new HeddleError(
    'ERR_HEDDLE_TIMEOUT',
    `${uri} did not answer in time; is the host right, and does a firewall drop packets? ` +
      `connectTimeoutMs=${connectTimeoutMs}`,
    { details: { uri, connectTimeoutMs } },
  );
}

function refusedError(address: HostAddress, cause: SystemError): HeddleError {
  const uri = formatHostUri('tcp', address.host, address.port);
  return new HeddleError(
    'ERR_HEDDLE_REFUSED',
    `nothing that could be reached listens at ${uri}: start the service first, and look at host and port ` +
      `(${cause.code ?? cause.message})`,
    { cause, details: { uri, systemCode: cause.code } },
  );
}

function connectError(address: HostAddress, usesTls: boolean, cause: SystemError): HeddleError {
  const uri = formatHostUri('tcp', address.host, address.port);
  const details = { uri, systemCode: cause.code };
  if (cause.code === 'ETIMEDOUT') {
    const message = `${uri} did not answer in the time that the system gives; does a firewall drop packets?`;
    return new HeddleError('ERR_HEDDLE_TIMEOUT', message, { cause, details });
  }
  // Several addresses that all failed come as an AggregateError.
  const isOfSystem = cause.syscall !== undefined || cause instanceof AggregateError;
  if (usesTls && (!isOfSystem || details.systemCode === 'ECONNRESET')) {
    const message =
      `TLS with ${uri} failed: ${cause.message}; ` +
      `does ${formatHostPort(address.name, address.port)} use TLS, and is its certificate trusted here?`;
    return new HeddleError('ERR_HEDDLE_REFUSED', message, { cause, details });
  }
  return refusedError(address, cause);
}
