import { HeddleError, thrownText } from '../../errors.js';
import type { Link, Portal } from '../../transports/transport.js';
import { RecordKind } from '../message/message-layout.js';
import type { Connection } from './connection.js';
import type { SessionHandlers } from './handlers.js';
import type { ConnectionOptions } from './options.js';
import { ServerSession } from './server-session.js';

import type { SessionLayer } from './session-layer.js';
import { SessionRequest } from './session-request.js';
import { required, type SetupBody } from './setup-body.js';
import { rdmaDeviceProblem } from './wire-requirement.js';
import type { SharedWire } from './wires.js';

/** What `context.listen` takes beside the URI. */
export interface ListenOptions extends SessionHandlers {
  /**
   * A client wants a session: accept it, reject it or redirect it, now or later. Without this handler every session is
   * accepted; with it, one that the handler (or its promise) returns from undecided is accepted too.
   */
  onSession?(request: SessionRequest): unknown;
  /** What the connections keep to; see ConnectionOptions. */
  readonly options?: Partial<ConnectionOptions> | undefined;
  /**
   * Refuses clients that come by a wire without an RDMA device; `connection.wire` tells which
   * wire is used. Default: false.
   */
  readonly requireRdmaDevice?: boolean | undefined;
}

/**
 * A service at a portal of this context. It goes on listening until it is closed, or its context stops.
 *
 * @example
 * const server = await context.listen('shm://adder', {
 *   onRequest: (message) => message.value.a + message.value.b,
 * });
 */
export class Server {
  /** Where it listens: a port of 0 is replaced by the real one. */
  readonly uri: string;
  readonly #layer: SessionLayer;
  readonly #portal: Portal;
  readonly #handlers: ListenOptions;
  readonly #options: ConnectionOptions;
  readonly #sessions = new Map<string, ServerSession>();
  readonly #undecided = new Set<SessionRequest>();
  #closing: Promise<void> | undefined;
  #isSuspended = false;

  /** @internal */
  constructor(layer: SessionLayer, portal: Portal, handlers: ListenOptions, options: ConnectionOptions) {
    this.#layer = layer;
    this.#portal = portal;
    this.uri = portal.uri;
    this.#handlers = handlers;
    this.#options = options;
  }

  /** The sessions that have connections here. */
  get sessions(): readonly ServerSession[] {
    return [...this.#sessions.values()];
  }

  /**
   * Takes no requests and one-way messages from any client until {@link resumeReception}, as `connection.suspendReception`
   * does for one; clients that come meanwhile are accepted, and wait likewise.
   */
  suspendReception(): void {
    this.#isSuspended = true;
    for (const connection of this.#connections()) connection.suspendReception();
  }

  /** Delivers what has waited on all connections, unless a handler suspends again; then what comes. */
  resumeReception(): void {
    this.#isSuspended = false;
    for (const connection of this.#connections()) {
      if (this.#isSuspended) return;
      connection.resumeReception();
    }
  }

  /** Whether reception is suspended for the whole service. */
  get isReceptionSuspended(): boolean {
    return this.#isSuspended;
  }

  #connections(): Connection[] {
    return this.sessions.flatMap(({ connections }) => connections);
  }

  /** Stops listening and closes all sessions gracefully. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Stops listening and closes all sessions gracefully: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const request of [...this.#undecided]) request.reject('the service is closing');
    await this.#portal.close();
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
    this.#layer.forgetServer(this);
  }

  /** @internal A client asks for a session. */
  onSetup(wire: SharedWire, body: SetupBody, privateData: Buffer): void {
    const refusal = this.#reasonToRefuse(wire, body);
    if (refusal !== undefined) {
      this.#refuse(wire, body, refusal);
      return;
    }
    const request = new SessionRequest(body, privateData, wire.link, {
      accept: (portals, data) => this.#accept(wire, body, privateData, portals, data),
      reject: (reason, data) =>
        this.#answer(wire, RecordKind.sessionReject, body, { sessionId: body.sessionId, reason }, data),
      redirect: (services) =>
        this.#answer(wire, RecordKind.sessionRedirect, body, { sessionId: body.sessionId, services }, undefined),
      onDecided: () => this.#undecided.delete(request),
    });
    this.#undecided.add(request);
    this.#decide(request).catch((cause: unknown) => {
      if (!request.isDecided) request.reject('the service failed to decide');
      const code = cause instanceof HeddleError ? cause.code : 'ERR_HEDDLE_INVALID_STATE';
      this.#layer.report(new HeddleError(code, `an onSession handler threw: ${thrownText(cause)}`, { cause }));
    });
  }

  async #decide(request: SessionRequest): Promise<void> {
    const result = this.#handlers.onSession?.(request);
    // A handler that decides at once is not made to wait for a turn of the microtask queue.
    if (result !== undefined) await result;
    if (!request.isDecided) request.accept();
  }

  #reasonToRefuse(wire: SharedWire, body: SetupBody): string | undefined {
    if (this.#closing !== undefined) return 'the service is closing';
    const problem = this.#handlers.requireRdmaDevice === true ? rdmaDeviceProblem(wire.link) : undefined;
    if (problem !== undefined) return problem.message;
    const ours = this.#layer.codecOf(this.#handlers).name;
    if (body.codec !== ours) {
      return `the service encodes with codec=${ours}, the client with codec=${body.codec}`;
    }
    return undefined;
  }

  #accept(
    wire: SharedWire,
    body: SetupBody,
    privateData: Buffer,
    portals: readonly string[] | undefined,
    answer: Uint8Array | undefined,
  ): void {
    const token = this.#layer.tokens.of(body.sessionId);
    if (portals !== undefined) {
      // No connection here: each goes to a portal, where it shows the token.
      this.#answer(wire, RecordKind.sessionAccept, body, { sessionId: body.sessionId, token, portals }, answer);
      return;
    }
    if (!wire.link.isOpen) return;
    const connection = this.#admit(wire, body, privateData);
    if (connection === undefined) return;
    const mine = { ...this.#layer.introduction(connection), sessionId: body.sessionId, token };
    this.#answer(wire, RecordKind.sessionAccept, body, mine, answer);
    this.#welcome(connection, wire, body);
  }

  /** @internal A further connection of a session, or the first of one whose lead connection was elsewhere. */
  onHello(wire: SharedWire, body: SetupBody, privateData: Buffer): void {
    const refusal =
      this.#reasonToRefuse(wire, body) ??
      (this.#layer.tokens.matches(body.sessionId, required(body, 'token'))
        ? undefined
        : 'the token is not of this session');
    if (refusal !== undefined) {
      this.#refuse(wire, body, refusal);
      return;
    }
    const connection = this.#admit(wire, body, privateData);
    if (connection === undefined) return;
    const mine = { ...this.#layer.introduction(connection), sessionId: body.sessionId };
    this.#answer(wire, RecordKind.connectionWelcome, body, mine, undefined);
    this.#welcome(connection, wire, body);
  }

  #admit(wire: SharedWire, body: SetupBody, privateData: Buffer): Connection | undefined {
    let session = this.#sessions.get(body.sessionId);
    const index = required(body, 'index');
    if (session?.connections.some((connection) => connection.index === index)) {
      this.#refuse(wire, body, `the session has a connection with index=${index} already`);
      return undefined;
    }
    if (session === undefined) {
      session = new ServerSession(this.#layer, body.sessionId, body.uri ?? this.uri, this.#handlers, () =>
        this.#sessions.delete(body.sessionId),
      );
      session.peerPrivateData = privateData;
      this.#sessions.set(body.sessionId, session);
    }
    const connection = this.#layer.makeConnection(index, session, this.#options, this.uri);
    if (this.#isSuspended) connection.suspendReception();
    session.addConnection(connection);
    connection.attach(wire);
    return connection;
  }

  #welcome(connection: Connection, wire: SharedWire, body: SetupBody): void {
    connection.session.step({ type: 'connect' });
    connection.session.step({ type: 'accepted' });
    connection.welcome(wire, body, this.#options.reconnectTimeoutMs > 0 && body.resumable === true);
  }

  #refuse(wire: SharedWire, body: SetupBody, reason: string): void {
    this.#answer(wire, RecordKind.connectionRefuse, body, { sessionId: body.sessionId, reason }, undefined);
  }

  #answer(wire: SharedWire, kind: number, to: SetupBody, body: SetupBody, data: Uint8Array | undefined): void {
    this.#layer.wires.placeSetup(wire, kind, required(to, 'connectionId'), body, data);
  }

  /** @internal Whether links through this portal may ask for this service. */
  answersFor(link: Link, uri: string | undefined): boolean {
    return link.portalUri === this.uri || (link.portalUri === undefined && uri === this.uri);
  }
}
