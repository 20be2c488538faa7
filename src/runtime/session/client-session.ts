import { randomBytes } from 'node:crypto';
import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { Link } from '../../transports/transport.js';
import { RecordKind } from '../message/message-layout.js';
import type { Connection } from './connection.js';
import type { SessionEvent } from './events.js';
import type { SessionHandlers } from './handlers.js';
import type { ConnectionOptions } from './options.js';
import { Session } from './session.js';
import type { SessionLayer } from './session-layer.js';
import { required, requirePrivateData, type SetupBody } from './setup-body.js';
import { createTicket, failTicket, readTicket, type SessionTicket, settleTicket, takeIndex } from './ticket.js';
import { rdmaDeviceProblem } from './wire-requirement.js';
import type { SharedWire } from './wires.js';

/** Services that a client follows from one redirect to the next before it gives up. */
const maximumRedirects = 8;
/** How often a context that joins looks whether the session is established. */
const ticketPollMs = 1;

/** What `context.connect`, `open` and `join` take. */
export interface ConnectOptions extends SessionHandlers {
  /** Up to 3840 bytes that the service sees before it decides. Who joins a session has those of its first connection. */
  readonly privateData?: Uint8Array | undefined;
  /** What the connection keeps to; see ConnectionOptions. */
  readonly options?: Partial<ConnectionOptions> | undefined;
  /**
   * Fails instead of using a wire without an RDMA device (`ERR_HEDDLE_TRANSPORT_UNAVAILABLE`); `connection.wire` tells which
   * wire is used. Default: false.
   */
  readonly requireRdmaDevice?: boolean | undefined;
}

/** The client's side of a session, in one context: sets it up, follows redirects and portals, reconnects. */
export class ClientSession extends Session {
  readonly role = 'client';
  #privateData: Buffer;
  readonly #requireRdmaDevice: boolean;
  readonly #deadline: Timer;
  /** The one connection of this context in the session. */
  readonly connection: Connection;
  #ticket: SessionTicket | undefined;
  #token = '';
  #portals: readonly string[] = [];
  #services: string[] = [];
  #redirects = 0;
  #failure: HeddleError | undefined;
  #rejection: { reason: string; privateData: Buffer } | undefined;
  #resumeDeadlineMicros = 0;
  /** Tries to come back since the wire was lost. */
  #resumeTries = 0;
  #resumeTimer: Timer | undefined;
  /** The process that knows the connection. */
  #peerInstanceId: string | undefined;
  #joinTimer: Timer | undefined;

  constructor(layer: SessionLayer, uri: string, connect: ConnectOptions, joining?: SessionTicket) {
    super(layer, joining?.sessionId ?? randomBytes(16).toString('hex'), uri, connect);
    requirePrivateData(connect.privateData);
    this.#privateData = Buffer.from(connect.privateData ?? []);
    this.#ticket = joining;
    this.#requireRdmaDevice = connect.requireRdmaDevice === true;
    const options = layer.optionsWith(connect.options);
    this.connection = layer.makeConnection(joining === undefined ? 0 : takeIndex(joining), this, options, uri);
    this.addConnection(this.connection);
    this.#deadline = layer.clock.setTimer(options.connectTimeoutMs, () =>
      this.#fail(
        new HeddleError(
          'ERR_HEDDLE_TIMEOUT',
          `no session with ${this.uri} within connectTimeoutMs=${options.connectTimeoutMs}: does the service decide in time?`,
        ),
      ),
    );
    this.step({ type: 'connect' });
    if (joining === undefined) void this.#setUp(uri);
    else this.#join(joining);
  }

  /** A ticket by which other contexts of this process take part in the session, each with a connection of its own. */
  ticket(): SessionTicket {
    this.#ticket ??= createTicket(this.id);
    this.#settleTicket();
    return this.#ticket;
  }

  #settleTicket(): void {
    const ticket = this.#ticket;
    if (ticket === undefined) return;
    if (this.#token !== '') {
      settleTicket(ticket, {
        uri: this.uri,
        token: this.#token,
        portals: this.#portals,
        privateData: this.#privateData.toString('base64'),
        peerPrivateData: this.peerPrivateData.toString('base64'),
      });
    } else if (this.state !== 'connect' && this.state !== 'redirected' && this.state !== 'init') failTicket(ticket);
  }

  async #setUp(uri: string): Promise<void> {
    this.layer.wires.leave(this.connection);
    this.uri = uri;
    this.connection.portalUri = uri;
    await this.#introduce(uri, RecordKind.sessionSetup);
  }

  /** Opens the wire to `uri` and says on it who we are and what we want. Failures are the session's. */
  async #introduce(uri: string, kind: number): Promise<void> {
    const { connection, layer } = this;
    try {
      const wire = await layer.wires.acquire(uri, connection.options.connectTimeoutMs);
      if (connection.endError !== undefined) return;
      this.#checkWire(wire);
      connection.attach(wire);
      const body: SetupBody = {
        ...layer.introduction(connection),
        sessionId: this.id,
        token: this.#token === '' ? undefined : this.#token,
        uri,
      };
      layer.wires.placeSetup(wire, kind, 0, body, this.#privateData);
    } catch (error) {
      this.#onUnreachable(error as HeddleError);
    }
  }

  #checkWire(wire: SharedWire): void {
    const problem = this.#requireRdmaDevice ? rdmaDeviceProblem(wire.link) : undefined;
    if (problem !== undefined) throw problem;
  }

  #onUnreachable(error: HeddleError): void {
    const next = this.#services.shift();
    if (next !== undefined && this.state === 'connect') void this.#setUp(next);
    else this.#fail(error);
  }

  #join(ticket: SessionTicket): void {
    const { connection } = this;
    if (connection.endError !== undefined) return;
    try {
      const terms = readTicket(ticket);
      if (terms === undefined) {
        this.#joinTimer = this.layer.clock.setTimer(ticketPollMs, () => this.#join(ticket));
        return;
      }
      this.uri = terms.uri;
      this.#token = terms.token;
      this.#portals = terms.portals;
      this.#privateData = Buffer.from(terms.privateData, 'base64');
      this.peerPrivateData = Buffer.from(terms.peerPrivateData, 'base64');
      this.step({ type: 'acceptedWithPortals' });
      void this.#goToPortal(terms.portals.length > 0 ? terms.portals : [terms.uri]);
    } catch (error) {
      this.#fail(error as HeddleError);
    }
  }

  #goToPortal(portals: readonly string[]): Promise<void> {
    const portal = portals[this.connection.index % portals.length];
    this.connection.portalUri = portal;
    return this.#introduce(portal, RecordKind.connectionHello);
  }

  /** @internal An answer of the service to what we said of ourselves. False when nobody waits for it any more. */
  onSetupAnswer(link: Link, kind: number, body: SetupBody, privateData: Buffer): boolean {
    const { connection } = this;
    if (link !== connection.link) return false;
    // Online already: an answer to a question that was asked twice.
    if (connection.state === 'established') this.#takeSetupAnswer(kind, body, privateData);
    return true;
  }

  #takeSetupAnswer(kind: number, body: SetupBody, privateData: Buffer): void {
    const { connection } = this;
    switch (kind) {
      case RecordKind.sessionAccept:
        this.#token = required(body, 'token');
        this.peerPrivateData = privateData;
        if (body.portals !== undefined) {
          this.#portals = body.portals;
          this.step({ type: 'acceptedWithPortals' });
          this.#settleTicket();
          this.layer.wires.leave(connection);
          void this.#goToPortal(body.portals);
          return;
        }
        this.#checkCodec(body);
        this.#deadline.cancel();
        this.step({ type: 'accepted' });
        this.#settleTicket();
        this.#welcome(body);
        break;
      case RecordKind.connectionWelcome:
        this.#checkCodec(body);
        this.#deadline.cancel();
        this.step({ type: 'connectionOnline' });
        this.#welcome(body);
        break;
      case RecordKind.sessionReject:
        this.#rejection = { reason: body.reason ?? '', privateData };
        this.#end(
          { type: 'rejected' },
          new HeddleError(
            'ERR_HEDDLE_REJECTED',
            `${this.uri} rejected the session: ${body.reason ?? 'no reason given'}`,
          ),
        );
        break;
      case RecordKind.sessionRedirect:
        this.#redirect(required(body, 'services'));
        break;
      case RecordKind.resumed:
        this.#resumeTimer?.cancel();
        connection.resync(required(body, 'expectedSerial'), required(body, 'released'));
        this.#welcome(body);
        break;
      case RecordKind.connectionRefuse: {
        const error = new HeddleError(
          'ERR_HEDDLE_REFUSED',
          `${connection.portalUri} refused: ${body.reason ?? 'no reason given'}`,
          { cause: connection.endError },
        );
        if (connection.isResuming) connection.failResume(error);
        else this.#onUnreachable(error);
        break;
      }
    }
  }

  #welcome(body: SetupBody): void {
    const wire = this.layer.wires.of(this.connection);
    if (wire === undefined) return;
    this.#peerInstanceId = wire.link.peerInstanceId;
    this.connection.welcome(wire, body, this.#isResumable(body));
  }

  #isResumable(body: SetupBody): boolean {
    return this.connection.options.reconnectTimeoutMs > 0 && body.resumable === true;
  }

  #checkCodec(body: SetupBody): void {
    const ours = this.connection.codec.name;
    if (body.codec === ours) return;
    throw new HeddleError(
      'ERR_HEDDLE_PROTOCOL',
      `this side encodes with codec=${ours}, the peer with codec=${body.codec}`,
    );
  }

  #redirect(services: readonly string[]): void {
    this.step({ type: 'redirected' });
    this.emit({ type: 'session-redirected', session: this, services });
    if (this.connection.endError !== undefined) return;
    if (++this.#redirects > maximumRedirects) {
      this.step({ type: 'connect' });
      this.#fail(new HeddleError('ERR_HEDDLE_REFUSED', `${this.uri}: more than maximumRedirects=${maximumRedirects}`));
      return;
    }
    this.#services = [...services];
    this.step({ type: 'connect' });
    void this.#setUp(this.#services.shift() as string);
  }

  #fail(error: HeddleError): void {
    this.#failure = error;
    this.#end({ type: 'refused' }, error);
  }

  #end(event: { type: 'rejected' } | { type: 'refused' }, error: HeddleError): void {
    this.#deadline.cancel();
    this.step(event);
    this.#settleTicket();
    this.connection.destroy(error);
  }

  protected describe(effect: 'announceRejected' | 'announceRefused'): SessionEvent {
    if (effect === 'announceRejected' && this.#rejection !== undefined) {
      return { type: 'session-rejected', session: this, ...this.#rejection };
    }
    return { type: 'session-refused', session: this, error: this.#failure as HeddleError };
  }

  protected onOver(): void {
    this.#settleTicket();
    this.#deadline.cancel();
    this.#resumeTimer?.cancel();
    this.#joinTimer?.cancel();
    this.layer.forgetClientSession(this);
  }

  /** @internal The wire was lost before the connection was (again) online. */
  onConnectFailed(connection: Connection, error: HeddleError): void {
    if (connection.isResuming) this.#resumeIn(connection.options.reconnectDelayMs);
    else this.#onUnreachable(error);
  }

  /** @internal */
  onConnectionResuming(connection: Connection): void {
    this.#resumeDeadlineMicros = this.layer.clock.nowMicros() + connection.options.reconnectTimeoutMs * 1000;
    this.#resumeTries = 0;
    void this.#tryResume();
  }

  #resumeIn(delayMs: number): void {
    const leftMs = (this.#resumeDeadlineMicros - this.layer.clock.nowMicros()) / 1000;
    this.#resumeTimer?.cancel();
    this.#resumeTimer = this.layer.clock.setTimer(Math.max(1, Math.min(delayMs, leftMs)), () => void this.#tryResume());
  }

  async #tryResume(): Promise<void> {
    const { connection, layer } = this;
    const { reconnectDelayMs, connectTimeoutMs } = connection.options;
    // A wire that does not answer must not take all the time there is; one that is slow to answer must get through.
    const firstTryMs = Math.max(1000, 10 * reconnectDelayMs);
    const tryMs = Math.max(firstTryMs, Math.min(firstTryMs * 2 ** this.#resumeTries++, connectTimeoutMs));
    const leftMs = (this.#resumeDeadlineMicros - layer.clock.nowMicros()) / 1000;
    if (!connection.isResuming) return;
    if (leftMs <= 0) {
      connection.failResume(
        new HeddleError(
          'ERR_HEDDLE_DISCONNECTED',
          `${connection.portalUri} could not be reached again within reconnectTimeoutMs=${connection.options.reconnectTimeoutMs}`,
          { cause: connection.endError },
        ),
      );
      return;
    }
    try {
      const wire = await layer.wires.acquire(connection.portalUri, Math.max(1, Math.ceil(Math.min(leftMs, tryMs))));
      if (!connection.isResuming) return;
      this.#checkWire(wire);
      if (wire.link.peerInstanceId !== this.#peerInstanceId) {
        connection.failResume(
          new HeddleError(
            'ERR_HEDDLE_REFUSED',
            `another process answers at ${connection.portalUri} now, which knows nothing of this connection: connect anew`,
            { cause: connection.endError },
          ),
        );
        return;
      }
      layer.wires.leave(connection);
      connection.attach(wire);
      layer.wires.placeSetup(wire, RecordKind.resume, 0, {
        ...layer.introduction(connection),
        ...layer.progress(connection),
        sessionId: this.id,
        token: this.#token,
        uri: connection.portalUri,
        peerConnectionId: connection.outbound.remoteId,
      });
      // The next try is due when this one has had its time without an answer, or earlier when it fails.
      this.#resumeIn(tryMs);
    } catch {
      this.#resumeIn(reconnectDelayMs);
    }
  }
}
