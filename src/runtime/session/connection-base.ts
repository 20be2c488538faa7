import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link } from '../../transports/transport.js';
import type { Codec } from '../message/codec.js';
import { RecordKind } from '../message/message-layout.js';
import type { Connection } from './connection.js';
import { type ConnectionEvent, ConnectionLife, type ConnectionState } from './connection-machine.js';
import type { ConnectionParent } from './connection-parent.js';
import { ConnectionRegions } from './connection-regions.js';
import { CreditPurse, ReleaseLedger } from './credits.js';
import type { InboundOwner } from './delivery.js';
import { flushedError, lostWhileClosing } from './end-errors.js';
import type { SessionEvent } from './events.js';
import { Inbound } from './inbound.js';
import { Keepalive } from './keepalive.js';
import { MessageService } from './message-service.js';
import type { ConnectionOptions } from './options.js';
import { Outbound, type OutboundOwner } from './outbound.js';
import { Requester } from './requester.js';
import type { QueuedRecord } from './send-queue.js';
import type { Session } from './session.js';
import type { SessionHost, Wire, WireUser } from './session-host.js';
import type { SetupBody } from './setup-body.js';

/**
 * The life of a connection, as its machine tells it: from the first wire to the teardown, over losses of the wire and back,
 * with the events that the user sees in their order. What the user calls is in {@link Connection}.
 */
export abstract class ConnectionBase implements InboundOwner, OutboundOwner, WireUser {
  /** @internal What the peer writes into records for this connection. */
  readonly id: number;
  /** The connection's number in its session, in the order of asking. */
  readonly index: number;
  /** For the user's own use. */
  userData: unknown;
  /** @internal */
  readonly host: SessionHost;
  /** @internal How values are encoded, on both sides. */
  readonly codec: Codec;
  /** What the connection keeps to. Set with {@link setOptions}. */
  options: ConnectionOptions;
  /** @internal Ends the waiting for a client to come back. */
  resumeLimit: Timer | undefined;
  /** @internal The link that records of this connection may come by. */
  link: Link | undefined;
  /** @internal The portal it was made through: where to knock after a loss of the wire. */
  portalUri: string;
  /** @internal */
  readonly outbound: Outbound;
  /** @internal */
  readonly inbound: Inbound;
  /** @internal Hands the peer's messages to the user's handlers. */
  readonly service: MessageService;
  /** @internal Waits for the peer's answers. */
  readonly requester: Requester;
  /** @internal The context at the other end, by the name that its regions' handles carry. */
  peerContext: string | undefined;
  /** Resolves when the connection is online; rejects with the reason when it never will be. */
  readonly online: Promise<this>;
  /** Resolves when the connection has been torn down; never rejects. */
  readonly ended: Promise<void>;

  /** This object, as others know it: {@link Connection} is the one class that extends this one. */
  readonly #connection = this as unknown as Connection;
  readonly #life = new ConnectionLife();
  readonly #parent: ConnectionParent;
  /** @internal */
  protected readonly keepalive: Keepalive;
  #endError: HeddleError | undefined;
  #regions: ConnectionRegions | undefined;
  #closedByPeer = false;
  #cancelCloseTimer: (() => void) | undefined;
  #resolveOnline!: (connection: this) => void;
  #rejectOnline!: (error: HeddleError) => void;
  #resolveEnded!: () => void;

  /** @internal */
  constructor(
    id: number,
    index: number,
    host: SessionHost,
    parent: ConnectionParent,
    options: ConnectionOptions,
    portalUri: string,
  ) {
    this.id = id;
    this.index = index;
    this.host = host;
    this.codec = host.codecOf(parent.handlers);
    this.#parent = parent;
    this.options = options;
    this.portalUri = portalUri;
    const ledger = new ReleaseLedger(options.receiveDepthMessages, options.receiveDepthBytes);
    this.outbound = new Outbound(this, ledger, 1);
    this.service = new MessageService(this.#connection, parent.handlers, this.outbound);
    this.requester = new Requester(this.#connection, this.outbound);
    this.inbound = new Inbound(this, ledger, this.outbound);
    this.service.serve(this.inbound);
    this.keepalive = new Keepalive(host.clock, this);
    this.online = new Promise((resolve, reject) => {
      this.#resolveOnline = resolve;
      this.#rejectOnline = reject;
    });
    // Who does not ask for `online` still learns of the end by events.
    this.online.catch(() => {});
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** The session that the connection belongs to. */
  get session(): Session {
    return this.#parent.session;
  }

  /** @internal The memory of both sides that the other one may reach; made on first use. */
  get regions(): ConnectionRegions {
    this.#regions ??= new ConnectionRegions(this.#connection);
    return this.#regions;
  }

  /** Where the connection is in its life. */
  get state(): ConnectionState {
    return this.#life.state;
  }

  /** Whether messages can be sent and received now. */
  get isOnline(): boolean {
    return this.outbound.isOnline && this.#life.state === 'online';
  }

  /** The peer's address, as far as the transport knows it. */
  get peerAddress(): string {
    return this.link?.peerAddress ?? this.portalUri;
  }

  /** This side's address, as far as the transport knows it. */
  get localAddress(): string {
    return this.link?.localAddress ?? '';
  }

  /**
   * Closes gracefully: everything queued is sent, then each side tells the other that nothing follows. Resolves after the
   * teardown event, within `closeTimeoutMs`. Requests without a response reject with `ERR_HEDDLE_FLUSHED`.
   */
  close(): Promise<void> {
    if (!this.#life.isOver && this.#cancelCloseTimer === undefined) {
      const timer = this.host.clock.setTimer(this.options.closeTimeoutMs, () => this.destroy());
      this.#cancelCloseTimer = () => timer.cancel();
      this.#endError ??= new HeddleError('ERR_HEDDLE_CLOSED', 'the connection was closed on request of this side');
      this.service.gate.close();
      this.step({ type: 'close' });
    }
    return this.ended;
  }

  /**
   * Ends the connection at once, without waiting for the peer: what was not sent is flushed. The event here is
   * `connection-closed`, or `connection-disconnected` with the `error` if one is given; the peer finds itself disconnected.
   */
  destroy(error?: HeddleError): void {
    if (this.#life.isOver) return;
    if (error !== undefined) this.#endError = error;
    else this.#endError ??= new HeddleError('ERR_HEDDLE_CLOSED', 'the connection was destroyed by this side');
    this.#parent.onConnectionAbandoned(this.#connection);
    this.step({ type: error === undefined ? 'destroy' : 'abandon' });
  }

  /** @internal The peer says that there is no such connection at its end any more. */
  onReset(): void {
    this.#lose(new HeddleError('ERR_HEDDLE_DISCONNECTED', `${this.peerAddress} has ended the connection`));
    this.step({ type: 'linkLost', resumable: false });
  }

  #lose(reason: HeddleError): void {
    if (this.#life.isUnacknowledged) this.#endError = lostWhileClosing(reason);
    else if (!this.#life.isOver) this.#endError ??= reason;
  }

  /** Closes gracefully: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- life

  /** @internal The records of this connection go by `wire` from now on. */
  attach(wire: Wire): void {
    this.link = wire.link;
    wire.users.add(this);
    this.step({ type: 'open' });
  }

  /** @internal Both sides know the connection: messages flow. */
  welcome(wire: Wire, peer: SetupBody, resumable: boolean): void {
    const outbound = this.outbound;
    this.peerContext = peer.context;
    if (outbound.credits === undefined) {
      outbound.credits = new CreditPurse(peer.receiveDepthMessages ?? 1, peer.receiveDepthBytes ?? 1);
      this.inbound.expectedSerial = peer.initialSerial ?? 1;
      outbound.expectedSerial = this.inbound.expectedSerial;
      if (resumable) outbound.retainForResume();
    }
    outbound.attach(wire, peer.connectionId ?? outbound.remoteId);
    this.step({ type: 'welcomed' });
  }

  /** @internal What the peer has received and released, after a reconnect. */
  resync(expectedSerial: number, released: readonly number[]): void {
    const { credits, retransmitter } = this.outbound;
    credits.refill(credits.posts, released[0], released[1]);
    credits.refill(credits.responses, released[2], released[3]);
    retransmitter?.acknowledge(expectedSerial);
    retransmitter?.rewind();
  }

  /** @internal */
  fail(error: HeddleError): void {
    if (this.#life.isOver) return;
    this.#endError = error;
    this.#parent.onConnectionAbandoned(this.#connection);
    this.step({ type: 'fault' });
  }

  /** @internal The way back on was refused, or its time is over. */
  failResume(error: HeddleError): void {
    // What is reported is why it did not come back; its cause is why it had to.
    if (this.isResuming) this.#endError = error;
    this.step({ type: 'resumeFailed' });
  }

  /** @internal Whether nothing can happen to it any more. */
  get isOver(): boolean {
    return this.#life.isOver;
  }

  /** @internal Why the connection ended, or is about to. */
  get endError(): HeddleError | undefined {
    return this.#endError;
  }

  /** @internal */
  get isResuming(): boolean {
    return this.#life.isResuming;
  }

  /** @internal Takes an event through the machine and carries out what it says. */
  step(event: ConnectionEvent): void {
    const effects = this.#life.handle(event);
    for (const effect of effects) {
      switch (effect) {
        case 'queueFin':
          this.outbound.queueFin();
          break;
        case 'sendFinAck':
          this.outbound.placeFinAck();
          break;
        case 'announceEstablished':
          this.#goOnline();
          this.emit({ type: 'connection-established', connection: this.#connection });
          break;
        case 'announceReconnected':
          this.resumeLimit?.cancel();
          this.#endError = undefined;
          this.#goOnline();
          this.emit({ type: 'connection-reconnected', connection: this.#connection });
          break;
        case 'announceReconnecting':
          this.#goOffline();
          this.#regions?.interrupt(this.theEndError());
          this.emit({ type: 'connection-reconnecting', connection: this.#connection, error: this.theEndError() });
          // Unless the event's handler has ended it.
          if (this.isResuming) this.#parent.onConnectionResuming(this.#connection);
          break;
        case 'announceClosed':
          this.emit({ type: 'connection-closed', connection: this.#connection, byPeer: this.#closedByPeer });
          break;
        case 'announceDisconnected':
          this.emit({ type: 'connection-disconnected', connection: this.#connection, error: this.theEndError() });
          break;
        case 'announceError':
          this.emit({ type: 'connection-error', connection: this.#connection, error: this.theEndError() });
          break;
        case 'flushMessages':
          this.#flushMessages();
          break;
        case 'tearDown':
          this.#tearDown();
          break;
      }
    }
  }

  #goOnline(): void {
    this.outbound.goOnline();
    this.keepalive.restart(this.options);
    this.#resolveOnline(this);
    this.host.endTurnSoon();
  }

  #goOffline(): void {
    this.keepalive.stop();
    this.outbound.goOffline();
    this.inbound.interrupt();
  }

  /** @internal Why the connection ended, with a reason made up where none was given. */
  theEndError(): HeddleError {
    this.#endError ??= new HeddleError('ERR_HEDDLE_DISCONNECTED', `the peer ${this.peerAddress} is gone`);
    return this.#endError;
  }

  #flushMessages(): void {
    this.#goOffline();
    const flushed = flushedError(this.theEndError());
    this.#regions?.end(flushed);
    this.outbound.flush(flushed);
    this.requester.flush(flushed);
    this.service.abandon(flushed);
  }

  #tearDown(): void {
    this.#cancelCloseTimer?.();
    this.resumeLimit?.cancel();
    this.emit({ type: 'connection-teardown', connection: this.#connection });
    this.#rejectOnline(this.theEndError());
    this.#parent.onConnectionOver(this.#connection);
    this.#resolveEnded();
    this.host.endTurnSoon();
  }

  /** @internal */
  emit(event: SessionEvent): void {
    this.host.guard(() => this.#parent.handlers.onEvent?.(event));
  }

  // ---- the wire's side

  /** @internal */
  onWritable(): void {
    this.keepalive.onRoom();
    this.outbound.pump();
  }

  /** @internal */
  onLinkClosed(error: HeddleError | undefined): void {
    const isFault = error?.code === 'ERR_HEDDLE_PROTOCOL' || error?.code === 'ERR_HEDDLE_MALFORMED';
    const reason = error ?? new HeddleError('ERR_HEDDLE_DISCONNECTED', `the link to ${this.peerAddress} was closed`);
    this.link = undefined;
    if (this.#life.state === 'init' || this.#life.state === 'established') {
      // Not the end yet: there may be other services to ask, or time left to come back.
      this.#parent.onConnectFailed(this.#connection, reason);
      return;
    }
    if (isFault && !this.#life.isOver) this.#endError = reason;
    else this.#lose(reason);
    if (isFault) this.step({ type: 'fault' });
    else this.step({ type: 'linkLost', resumable: this.outbound.retransmitter !== undefined });
  }

  /** @internal One record of this connection. Returns how many messages it held, 1 for any other record. */
  receive(link: Link, kind: number, block: MemoryBlock, start: number, length: number): number {
    if (!this.outbound.isOnline) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', `a record of kind=${kind} came before the connection was online`);
    }
    return this.inbound.receive(link, kind, block, start, length);
  }

  // ---- the receiving half's side

  /** @internal */
  onFin(): void {
    // What the peer sent before it closed is delivered first.
    this.service.gate.whenEmpty(() => {
      if (this.#life.state === 'online') this.#closedByPeer = true;
      this.#endError ??= new HeddleError('ERR_HEDDLE_CLOSED', 'the peer closed the connection');
      this.step({ type: 'finReceived' });
    });
  }

  /** @internal */
  onCredits(): void {
    this.outbound.creditsArrived();
  }

  /** @internal */
  onPing(): void {
    this.outbound.placeUnsequenced(RecordKind.pong);
  }

  // ---- the sending half's side

  /** @internal */
  onRecordDropped(record: QueuedRecord, status: 'flushed' | 'discarded', error: HeddleError): void {
    this.host.statistics.add('messagesFlushed');
    if (record.kind === RecordKind.request) {
      this.requester.onDropped(record.reference, error);
      return;
    }
    this.emit({
      type: 'message-error',
      connection: this.#connection,
      status,
      direction: 'out',
      kind: record.kind === RecordKind.response ? 'response' : 'one-way',
      error,
      payload: record.data,
      context: record.context,
    });
    const onReceipt = record.onReceipt;
    if (onReceipt !== undefined) this.host.guard(() => onReceipt({ accepted: false, error }));
  }

  /** @internal */
  placeRegionRecords(all: boolean): boolean {
    const regions = this.#regions;
    if (regions === undefined) return false;
    return all ? regions.placeAll() : regions.placeSome();
  }

  /** @internal */
  onRecordPlaced(record: QueuedRecord, serial: number): void {
    this.requester.onRecordPlaced(record, serial);
  }

  /** @internal */
  onRecordSent(record: QueuedRecord): void {
    if (record.onSent !== undefined) this.host.guard(record.onSent);
  }

  /** @internal Throws when nothing can be sent any more. */
  requireSendable(): void {
    const state = this.#life.state;
    if (state === 'init' || state === 'established' || state === 'online') return;
    const code = this.#endError?.code === 'ERR_HEDDLE_CLOSED' ? 'ERR_HEDDLE_CLOSED' : 'ERR_HEDDLE_DISCONNECTED';
    throw new HeddleError(code, `the connection to ${this.peerAddress} is in state ${state}: nothing can be sent`, {
      cause: this.#endError,
    });
  }
}
