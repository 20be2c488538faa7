import { createServer, type Server, type Socket } from 'node:net';
import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { type Hello, listeningSide } from '../hello.js';
import { formatHostUri, type HostAddress, listenError, reachableHost } from '../host-uri.js';
import type { Portal, TransportHost, TransportOptions } from '../transport.js';
import { greet } from './tcp-greeting.js';

/** Sockets of one portal that may be on their way to a link at a time; more are closed at once. */
const maximumGreetings = 1024;

/** What a portal reports to its transport. */
export interface TcpPortalOwner {
  readonly host: TransportHost;
  /** A peer has said hello; `rest` is what arrived behind it. The socket is paused. */
  onGreeted(portal: TcpPortal, socket: Socket, peer: Hello, rest: Buffer): void;
  onPortalClosed(portal: TcpPortal): void;
}

/** A listening socket. */
export class TcpPortal implements Portal {
  readonly uri: string;
  readonly options: TransportOptions;
  readonly #server: Server;
  readonly #owner: TcpPortalOwner;
  /** Sockets that have not become links yet; with TLS those whose TLS handshake is done. */
  readonly #greetings = new Map<Socket, (reason: HeddleError) => void>();
  /** Sockets as they were accepted, which with TLS lie below those that links use. */
  readonly #accepted = new Set<Socket>();
  #tlsHandshakes = 0;
  #closed = false;

  private constructor(server: Server, uri: string, options: TransportOptions, owner: TcpPortalOwner) {
    this.#server = server;
    this.uri = uri;
    this.options = options;
    this.#owner = owner;
    const usesTls = options.tls !== undefined;
    server.on('error', (cause) => {
      const message = `the portal ${uri} had an error: ${cause.message}`;
      owner.host.report(new HeddleError('ERR_HEDDLE_DISCONNECTED', message, { cause }));
    });
    server.on('connection', (socket: Socket) => {
      this.#accepted.add(socket);
      socket.on('close', () => this.#accepted.delete(socket));
      if (this.#greetings.size + this.#tlsHandshakes >= maximumGreetings || this.#closed) {
        socket.on('error', ignore);
        socket.destroy();
      } else if (usesTls) {
        this.#tlsHandshakes++;
      } else {
        this.#greet(socket);
      }
    });
    if (usesTls) {
      server.on('secureConnection', (socket: Socket) => {
        this.#tlsHandshakes--;
        this.#greet(socket);
      });
      server.on('tlsClientError', (cause: Error, socket: Socket) => {
        this.#tlsHandshakes--;
        socket.destroy();
        const message = `a peer of the portal ${uri} failed in the TLS handshake: ${cause.message}`;
        owner.host.report(new HeddleError('ERR_HEDDLE_REFUSED', message, { cause }));
      });
    }
  }

  /** Listens. @throws HeddleError `ERR_HEDDLE_ADDRESS_IN_USE`, `ERR_HEDDLE_INVALID_URI` */
  static async listen(address: HostAddress, options: TransportOptions, owner: TcpPortalOwner): Promise<TcpPortal> {
    let server: Server;
    if (options.tls === undefined) {
      server = createServer({ noDelay: true });
    } else {
      const tls = await import('node:tls');
      server = tls.createServer({ ...options.tls, handshakeTimeout: options.connectTimeoutMs });
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(listenError('tcp', address, cause, cause.code === 'EADDRINUSE', { systemCode: cause.code }));
      });
      server.listen({ port: address.port, host: address.host === '*' ? undefined : address.host }, () => {
        server.removeAllListeners('error');
        resolve();
      });
    });
    const bound = server.address() as { port: number };
    return new TcpPortal(server, formatHostUri('tcp', reachableHost(address.host), bound.port), options, owner);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // The listening socket is closed before this returns; the event of the server would wait for all links.
    this.#server.close();
    const reason = new HeddleError('ERR_HEDDLE_CLOSED', `the portal ${this.uri} was closed`);
    for (const giveUp of [...this.#greetings.values()]) giveUp(reason);
    this.#owner.onPortalClosed(this);
  }

  /** Destroys what is left of accepted sockets, links' too. For when the transport closes and has ended its links. */
  destroySockets(): void {
    for (const socket of this.#accepted) socket.destroy();
  }

  #greet(socket: Socket): void {
    const host = this.#owner.host;
    if (this.#closed) {
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    let timer: Timer | undefined;
    const giveUp = greet(socket, listeningSide, (error, peer, rest) => {
      timer?.cancel();
      this.#greetings.delete(socket);
      if (error === undefined) this.#owner.onGreeted(this, socket, peer!, rest!);
      // Who just looks whether the port is open says nothing, and is none of the user's concern.
      else if (error.code !== 'ERR_HEDDLE_REFUSED' && error.code !== 'ERR_HEDDLE_CLOSED') host.report(error);
    });
    this.#greetings.set(socket, giveUp);
    const timeoutMs = this.options.connectTimeoutMs;
    const onTimeout = () => {
      const message = `a peer of the portal ${this.uri} did not say hello in time: connectTimeoutMs=${timeoutMs}`;
      giveUp(new HeddleError('ERR_HEDDLE_TIMEOUT', message, { details: { connectTimeoutMs: timeoutMs } }));
    };
    timer = host.clock.setTimer(timeoutMs, onTimeout, true);
  }
}

function ignore(): void {}
