import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link } from '../../transports/transport.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import type { Codec } from '../message/codec.js';
import type { Message, MessageKind } from '../message/message.js';
import { type CancelAnswer, cancelAnswers, MessageFlag, RecordKind } from '../message/message-layout.js';
import type { Payload, Receipt, RequestOptions, SendOptions } from '../message/payload.js';
import { Segments } from '../message/segments.js';
import { type ConnectionEvent, ConnectionLife, type ConnectionState } from './connection-machine.js';
import { CreditPurse, ReleaseLedger } from './credits.js';
import type { SessionEvent } from './events.js';
import type { SessionHandlers } from './handlers.js';
import { Inbound, type InboundOwner, readError, writeError } from './inbound.js';
import { Keepalive } from './keepalive.js';
import { type ConnectionOptions, changeLiveOptions } from './options.js';
import { Outbound, type OutboundOwner } from './outbound.js';
import type { RequestOwner, RequestWaiter } from './pending-requests.js';
import { PromiseWaiter } from './promise-waiter.js';
import type { QueuedRecord } from './send-queue.js';
import type { Session } from './session.js';
import type { SessionHost, Wire, WireUser } from './session-host.js';
import type { SetupBody } from './setup-body.js';

/** A cancel that the peer has not answered yet. */
interface PendingCancel {
  readonly answer: Promise<CancelAnswer>;
  settle(answer: CancelAnswer): void;
}

/** What a connection needs of the session or server that made it. */
export interface ConnectionParent {
  readonly session: Session;
  readonly handlers: SessionHandlers;
  /** The connection is over: it is taken out of the context's table after its teardown event. */
  onConnectionOver(connection: Connection): void;
  /** This side ends the connection without the peer's agreement: the peer is to be told. */
  onConnectionAbandoned(connection: Connection): void;
  /** The connection lost its wire and is to be taken up again. */
  onConnectionResuming(connection: Connection): void;
  /** The wire was lost before the connection was online, or online again. */
  onConnectFailed(connection: Connection, error: HeddleError): void;
}

const noOptions: SendOptions = {};
const batchOptions: SendOptions = { more: true };

/**
 * One context's share of a session: the two-way stream of messages between this context and a context of the peer.
 * There is one for each context and session.
 *
 * Sends before the connection is online wait in its send queue; sends after it has ended throw
 * `ERR_HEDDLE_DISCONNECTED` or `ERR_HEDDLE_CLOSED` at once.
 */
export class Connection implements InboundOwner, OutboundOwner, RequestOwner, WireUser {
  /** @internal What the peer writes into records for this connection. */
  readonly id: number;
  /** The connection's number in its session, in the order of asking. */
  readonly index: number;
  /** For the user's own use. */
  userData: unknown;
  /** @internal */
  readonly host: SessionHost;
  /** What the connection keeps to. Set with {@link setOptions}. */
  options: ConnectionOptions;
  /** @internal */
  pendingRequests = 0;
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
  /** Resolves when the connection is online; rejects with the reason when it never will be. */
  readonly online: Promise<this>;
  /** Resolves when the connection has been torn down; never rejects. */
  readonly ended: Promise<void>;

  readonly #life = new ConnectionLife();
  readonly #parent: ConnectionParent;
  readonly #keepalive: Keepalive;
  readonly #receiptWaiters = new Map<number, (receipt: Receipt) => void>();
  readonly #requestReceipts = new Map<number, (receipt: Receipt) => void>();
  readonly #cancels = new Map<number, PendingCancel>();
  /** Requests of the peer that were kept, by the peer's id. */
  readonly #kept = new Map<number, Message>();
  #endError: HeddleError | undefined;
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
    this.#parent = parent;
    this.options = options;
    this.portalUri = portalUri;
    const ledger = new ReleaseLedger(options.receiveDepthMessages, options.receiveDepthBytes);
    this.outbound = new Outbound(this, ledger, 1);
    this.inbound = new Inbound(this, ledger, this.outbound);
    this.#keepalive = new Keepalive(host.clock, this);
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

  /** Messages that can be sent now without waiting for the peer to release any. */
  get freeSendMessages(): number {
    return this.outbound.credits?.posts.messages ?? 0;
  }

  /** Bytes that can be sent now without waiting for the peer to release any. */
  get freeSendBytes(): number {
    return this.outbound.credits?.posts.bytes ?? 0;
  }

  /** Messages that wait here for credits or for the wire. */
  get queuedMessages(): number {
    return this.outbound.posts.length + this.outbound.answers.length;
  }

  /** @internal */
  get codec(): Codec {
    return this.host.codec;
  }

  /** Changes live options. Throws `ERR_HEDDLE_INVALID_ARGUMENT`, and `ERR_HEDDLE_INVALID_STATE` for fixed ones. */
  setOptions(changes: Partial<ConnectionOptions>): void {
    this.options = changeLiveOptions(this.options, changes);
    this.outbound.applyOptions();
    this.#keepalive.restart(this.options);
  }

  // ---- sending

  /**
   * Sends a one-way message. Returns false when it had to be queued: a caller with much to send then waits for
   * {@link ready}, or meets `ERR_HEDDLE_SEND_QUEUE_FULL` in the end.
   *
   * Without `more` the message is visible to the peer when the call returns; with it, when the batch's last message is
   * sent, when this turn of the event loop ends, or when the frame is full.
   *
   * @throws ERR_HEDDLE_SEND_QUEUE_FULL, ERR_HEDDLE_MESSAGE_TOO_LARGE, ERR_HEDDLE_CODEC, and the connection's end.
   */
  send(payload: Payload, options: SendOptions = noOptions): boolean {
    const outbound = this.outbound;
    if (outbound.straightPosts && (options === noOptions || isPlain(options))) {
      if (payload instanceof Uint8Array) {
        if (outbound.placeBytes(RecordKind.oneWay, 0, payload, options.more === true)) return true;
      } else if (isValue(payload) && outbound.placeValue(RecordKind.oneWay, 0, payload, options.more === true)) {
        return true;
      }
    }
    this.#requireSendable();
    return outbound.submit(RecordKind.oneWay, 0, 0, payload, options);
  }

  /** Sends a one-way message and waits for its receipt: resolves with it, or rejects when the connection ends first. */
  deliver(payload: Payload, options: SendOptions = noOptions): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const onReceipt = (receipt: Receipt) => {
        if (receipt.error === undefined) resolve(receipt);
        else reject(receipt.error);
        this.host.endTurnSoon();
      };
      this.send(payload, { ...options, onReceipt });
    });
  }

  /**
   * Sends a request and resolves with the response, which is the caller's and stays valid. Only when the other side answers
   * with a SharedBuffer is there something to give back: take it with `takeBuffer()`, or `release()` the
   * response (or declare it with `using`).
   *
   * Rejects with `ERR_HEDDLE_TIMEOUT`, `ERR_HEDDLE_CANCELLED`, `ERR_HEDDLE_FLUSHED` when the connection ends first,
   * `RemoteError` when the handler threw, and whatever `send` throws. `R` is the type of the response's value.
   *
   * @example
   * const response = await connection.request({ id: 7 }, { timeoutMs: 500 });
   * console.log(response.value);
   */
  // biome-ignore lint/suspicious/noExplicitAny: the type of a response is the user's to say
  request<R = any>(payload: Payload, options: RequestOptions = noOptions): Promise<Message<R>> {
    return new Promise((resolve, reject) => {
      const signal = options.signal;
      if (signal !== undefined && !(signal instanceof AbortSignal)) {
        throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `signal must be an AbortSignal, not ${String(signal)}`);
      }
      if (signal?.aborted) {
        reject(cancelledError(signal.reason));
        return;
      }
      const waiter = new PromiseWaiter(resolve, reject, this.host, signal, () => {
        const found = this.host.pending.take(this, requestId);
        if (found === undefined) return;
        const error = cancelledError(signal?.reason);
        this.#sendCancel(requestId);
        this.#giveUpReceipt(requestId, error);
        found.onError(error);
      });
      let requestId = 0;
      try {
        requestId = this.requestWith(payload, waiter, options);
      } catch (error) {
        waiter.onError(error as HeddleError);
      }
    });
  }

  /**
   * Sends a request whose response goes to `waiter`, and returns the request's id, for {@link cancel}. This is the fast
   * form of {@link request}: nothing is allocated for it, and the response need not be copied.
   */
  requestWith(payload: Payload, waiter: RequestWaiter, options: RequestOptions = noOptions): number {
    const outbound = this.outbound;
    const timeoutMs = options.timeoutMs ?? this.options.requestTimeoutMs;
    if (!(timeoutMs > 0)) {
      throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `timeoutMs=${timeoutMs} must be above 0, or Infinity`);
    }
    if (!outbound.straightPosts) this.#requireSendable();
    this.host.stayAwake();
    const requestId = this.host.pending.add(this, waiter, timeoutMs);
    try {
      if (outbound.straightPosts && isPlain(options)) {
        const more = options.more === true;
        if (payload instanceof Uint8Array) {
          if (outbound.placeBytes(RecordKind.request, requestId, payload, more)) return requestId;
        } else if (isValue(payload) && outbound.placeValue(RecordKind.request, requestId, payload, more)) {
          return requestId;
        }
      }
      if (options.onReceipt !== undefined) this.#requestReceipts.set(requestId, options.onReceipt);
      outbound.submit(RecordKind.request, 0, requestId, payload, options);
    } catch (error) {
      this.#requestReceipts.delete(requestId);
      this.host.pending.take(this, requestId);
      throw error;
    }
    return requestId;
  }

  /**
   * Cancels a request. The answer is `cancelled` (its waiter gets `ERR_HEDDLE_CANCELLED`), `failed` (the peer goes on with
   * it, a response will come) or `not-found` (it is answered, or never was). Always settles, within `requestTimeoutMs`.
   */
  cancel(requestId: number): Promise<CancelAnswer> {
    if (!this.host.pending.has(this, requestId)) return Promise.resolve('not-found');
    const earlier = this.#cancels.get(requestId);
    if (earlier !== undefined) return earlier.answer;
    const queued = this.outbound.removeQueuedRequest(requestId);
    if (queued !== undefined) {
      this.#endCancelled(requestId);
      return Promise.resolve('cancelled');
    }
    this.#sendCancel(requestId);
    let resolveAnswer!: (answer: CancelAnswer) => void;
    const answer = new Promise<CancelAnswer>((resolve) => {
      resolveAnswer = resolve;
    });
    const settle = (given: CancelAnswer) => {
      timer.cancel();
      this.#cancels.delete(requestId);
      resolveAnswer(given);
      this.host.endTurnSoon();
    };
    const limitMs = Math.min(this.options.requestTimeoutMs, 2 ** 31 - 1);
    const timer = this.host.clock.setTimer(limitMs, () => settle('failed'), true);
    this.#cancels.set(requestId, { answer, settle });
    return answer;
  }

  /** Resolves when no message waits to be sent any more, or the connection has ended. */
  ready(): Promise<void> {
    return this.#life.isOver ? Promise.resolve() : this.outbound.ready();
  }

  /** Makes everything sent so far visible to the peer. */
  flush(): void {
    if (this.outbound.isOnline) this.link?.publish();
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
      this.step({ type: 'close' });
    }
    return this.ended;
  }

  /**
   * Ends the connection at once, without waiting for the peer: what was not sent is flushed. The event here is
   * `connection-closed`, since this side asked for it; the peer finds itself disconnected.
   */
  destroy(error?: HeddleError): void {
    if (this.#life.isOver) return;
    this.#endError ??= error ?? new HeddleError('ERR_HEDDLE_CLOSED', 'the connection was destroyed by this side');
    this.#parent.onConnectionAbandoned(this);
    this.step(error === undefined ? { type: 'destroy' } : { type: 'linkLost', resumable: false });
  }

  /** @internal The peer says that there is no such connection at its end any more. */
  onReset(): void {
    this.#endError ??= new HeddleError('ERR_HEDDLE_DISCONNECTED', `${this.peerAddress} has ended the connection`);
    this.step({ type: 'linkLost', resumable: false });
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
    this.#endError ??= error;
    this.#parent.onConnectionAbandoned(this);
    this.step({ type: 'fault' });
  }

  /** @internal The way back on was refused, or its time is over. */
  failResume(error: HeddleError): void {
    // What is reported is why it did not come back; its cause is why it had to.
    if (this.isResuming) this.#endError = error;
    this.step({ type: 'resumeFailed' });
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
          this.#emit({ type: 'connection-established', connection: this });
          break;
        case 'announceReconnected':
          this.resumeLimit?.cancel();
          this.#endError = undefined;
          this.#goOnline();
          this.#emit({ type: 'connection-reconnected', connection: this });
          break;
        case 'announceReconnecting':
          this.#goOffline();
          this.#emit({ type: 'connection-reconnecting', connection: this, error: this.#theEndError() });
          // Unless the event's handler has ended it.
          if (this.isResuming) this.#parent.onConnectionResuming(this);
          break;
        case 'announceClosed':
          this.#emit({ type: 'connection-closed', connection: this, byPeer: this.#closedByPeer });
          break;
        case 'announceDisconnected':
          this.#emit({ type: 'connection-disconnected', connection: this, error: this.#theEndError() });
          break;
        case 'announceError':
          this.#emit({ type: 'connection-error', connection: this, error: this.#theEndError() });
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
    this.#keepalive.restart(this.options);
    this.#resolveOnline(this);
    this.host.endTurnSoon();
  }

  #goOffline(): void {
    this.#keepalive.stop();
    this.outbound.goOffline();
    this.inbound.interrupt();
  }

  #theEndError(): HeddleError {
    this.#endError ??= new HeddleError('ERR_HEDDLE_DISCONNECTED', `the peer ${this.peerAddress} is gone`);
    return this.#endError;
  }

  #flushMessages(): void {
    this.#goOffline();
    const cause = this.#theEndError();
    const flushed = new HeddleError(
      'ERR_HEDDLE_FLUSHED',
      `the connection ended before the message was through: ${cause.message}`,
      {
        cause,
      },
    );
    this.outbound.flush(flushed);
    this.host.pending.takeAll(this, (waiter) => this.#guard(() => waiter.onError(flushed)));
    for (const waiters of [this.#receiptWaiters, this.#requestReceipts]) {
      for (const onReceipt of waiters.values()) this.#guard(() => onReceipt({ accepted: false, error: flushed }));
      waiters.clear();
    }
    for (const cancel of [...this.#cancels.values()]) cancel.settle('not-found');
    for (const message of [...this.#kept.values()]) this.#guard(() => message.abort(flushed));
    this.#kept.clear();
  }

  #tearDown(): void {
    this.#cancelCloseTimer?.();
    this.resumeLimit?.cancel();
    this.#emit({ type: 'connection-teardown', connection: this });
    this.#rejectOnline(this.#theEndError());
    this.#parent.onConnectionOver(this);
    this.#resolveEnded();
    this.host.endTurnSoon();
  }

  #emit(event: SessionEvent): void {
    this.#guard(() => this.#parent.handlers.onEvent?.(event));
  }

  /** Runs the user's code: what it throws is reported, and harms nothing else. */
  #guard(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      this.host.report(
        new HeddleError('ERR_HEDDLE_INVALID_STATE', `a callback of the user's threw: ${String(cause)}`, { cause }),
      );
    }
  }

  // ---- the wire's side

  /** @internal */
  onWritable(): void {
    this.outbound.pump();
  }

  /** @internal */
  onLinkClosed(error: HeddleError | undefined): void {
    const isFault = error?.code === 'ERR_HEDDLE_PROTOCOL' || error?.code === 'ERR_HEDDLE_MALFORMED';
    const reason = error ?? new HeddleError('ERR_HEDDLE_DISCONNECTED', `the link to ${this.peerAddress} was closed`);
    this.link = undefined;
    if (this.#life.state === 'init' || this.#life.state === 'established') {
      // Not the end yet: there may be other services to ask, or time left to come back.
      this.#parent.onConnectFailed(this, reason);
      return;
    }
    if (!this.#life.isOver) this.#endError ??= reason;
    if (isFault) this.step({ type: 'fault' });
    else this.step({ type: 'linkLost', resumable: this.outbound.retransmitter !== undefined });
  }

  /** @internal One record of this connection. */
  receive(link: Link, kind: number, block: MemoryBlock, start: number, length: number): void {
    if (!this.outbound.isOnline) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', `a record of kind=${kind} came before the connection was online`);
    }
    this.inbound.receive(link, kind, block, start, length);
  }

  // ---- the receiving half's side

  /** @internal */
  detach(message: Message): void {
    this.inbound.detach(message);
    if (!message.isHeld && !message.isReleased) {
      message.isHeld = true;
      const { ledger } = this.inbound;
      ledger.hold(message.kind === 'response' ? ledger.responses : ledger.posts, message.chargedBytes);
    }
    if (message.kind === 'request' && !message.isAnswered) this.#kept.set(message.reference, message);
  }

  /** @internal */
  assignBuffer(kind: MessageKind, lengthBytes: number): SharedBuffer | Uint8Array | undefined {
    let assigned: SharedBuffer | Uint8Array | undefined;
    this.#guard(() => {
      const picked = this.#parent.handlers.onAssignBuffer?.({ connection: this, kind, lengthBytes });
      if (picked !== undefined && picked.length < lengthBytes) {
        throw new HeddleError(
          'ERR_HEDDLE_INVALID_ARGUMENT',
          `onAssignBuffer gave ${picked.length} bytes for a message of lengthBytes=${lengthBytes}: the pool's are used`,
        );
      }
      assigned = picked;
    });
    return assigned;
  }

  /** @internal */
  onMessage(message: Message): void {
    if (message.kind === 'response') this.#handleResponse(message);
    else if (message.kind === 'request') this.#handleRequest(message);
    else this.#handleOneWay(message);
  }

  #handleOneWay(message: Message): void {
    let result: unknown;
    try {
      result = this.#parent.handlers.onMessage?.(message, this);
    } catch (cause) {
      this.#handlerFailed(message, cause);
    }
    if (isThenable(result)) {
      message.keep();
      result.then(
        () => this.#finishOneWay(message),
        (cause: unknown) => {
          this.#handlerFailed(message, cause);
          this.#finishOneWay(message);
        },
      );
      return;
    }
    if (message.wantsReceipt) this.#sendReceipt(message);
    if (message.isFresh) {
      // The hot path: nothing was done with the message but reading it.
      const { ledger } = this.inbound;
      if (ledger.release(ledger.posts, message.chargedBytes)) this.outbound.announceCredits();
    } else if (!message.isKept) this.release(message);
  }

  #finishOneWay(message: Message): void {
    if (message.wantsReceipt) this.#sendReceipt(message);
    if (!message.isReleased) this.release(message);
  }

  #handleRequest(message: Message): void {
    const onRequest = this.#parent.handlers.onRequest;
    if (onRequest === undefined) {
      this.respondError(
        message,
        new HeddleError('ERR_HEDDLE_INVALID_STATE', 'this side of the connection has no onRequest handler'),
      );
      return;
    }
    let result: unknown;
    try {
      result = onRequest.call(this.#parent.handlers, message, this);
    } catch (error) {
      this.#answerFailure(message, error);
      return;
    }
    if (isThenable(result)) {
      if (message.isAnswered) {
        // The object may be another message's by the time that the promise settles.
        result.then(undefined, (error: unknown) => this.#reportFailure(error));
        return;
      }
      // Who keeps the message answers it by respond(); the promise only tells of a failure.
      const answersByPromise = !message.isKept;
      message.keep();
      result.then(
        (value: unknown) => {
          if (answersByPromise) this.#answer(message, value, noOptions);
          else this.#handlerReturned(message);
        },
        (error: unknown) => this.#answerFailure(message, error),
      );
      return;
    }
    // The answers to a batch are a batch: whoever sent its requests together waits for all of them.
    if (message.isKept || message.isAnswered) this.#handlerReturned(message);
    else this.#answer(message, result, message.more ? batchOptions : noOptions);
  }

  /** The handler has returned, and answers by itself. */
  #handlerReturned(message: Message): void {
    if (!message.isAnswered && message.wantsReceipt) this.#sendReceipt(message);
  }

  #answer(message: Message, value: unknown, options: SendOptions): void {
    try {
      if (!message.isAnswered) this.respond(message, value, options);
    } catch (cause) {
      // The value cannot be sent: the requester gets the reason instead.
      this.#answerFailure(message, cause);
    }
    // A buffer that a handler returns is given away, whatever becomes of the answer: nobody else could release it.
    if (value instanceof SharedBuffer && value.isHeld) value.release();
  }

  /** A handler failed after it had answered: nobody else would learn of it. */
  #reportFailure(cause: unknown): void {
    const code = cause instanceof HeddleError ? cause.code : 'ERR_HEDDLE_INVALID_STATE';
    this.host.report(
      new HeddleError(code, `an onRequest handler failed after its request was answered: ${String(cause)}`, { cause }),
    );
  }

  #answerFailure(message: Message, error: unknown): void {
    this.host.statistics.add('handlerErrors');
    message.refuseReceipt();
    if (!message.isAnswered) this.#guard(() => this.respondError(message, error));
    // A handler that was told to stop, and does so by throwing, has done what it was asked to.
    else if (!message.isAborted) this.#reportFailure(error);
  }

  #handleResponse(message: Message): void {
    const waiter = this.host.pending.take(this, message.reference);
    if ((message.flags & MessageFlag.receipt) !== 0) {
      this.onReceipt(message.reference, true, (message.flags & MessageFlag.refused) === 0);
    }
    // A response without a waiter comes after its deadline or cancel: only its credits matter.
    if (waiter !== undefined) {
      if ((message.flags & MessageFlag.error) !== 0) this.#guard(() => waiter.onError(readError(message)));
      else {
        try {
          waiter.onResponse(message);
        } catch (cause) {
          this.#guard(() => {
            throw cause;
          });
        }
      }
    }
    if (!message.isKept) this.release(message);
  }

  #handlerFailed(message: Message, cause: unknown): void {
    this.host.statistics.add('handlerErrors');
    message.refuseReceipt();
    const error = new HeddleError('ERR_HEDDLE_INVALID_STATE', `the onMessage handler threw: ${String(cause)}`, {
      cause,
    });
    if (this.#parent.handlers.onEvent === undefined) {
      this.host.report(error);
      return;
    }
    this.#emit({ type: 'message-error', connection: this, status: 'handler', direction: 'in', kind: 'one-way', error });
  }

  /** @internal */
  respond(message: Message, payload: Payload, options: SendOptions): void {
    this.#respond(message, payload, 0, options);
  }

  /** @internal */
  respondError(message: Message, error: unknown): void {
    // The requester must learn of it, however little it takes.
    const limitBytes = this.outbound.credits?.peerDepthBytes ?? 0;
    this.#respond(message, writeError(error, limitBytes), MessageFlag.error, noOptions);
  }

  #respond(message: Message, payload: Payload, flags: number, options: SendOptions): void {
    if (message.kind !== 'request') {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        `a ${message.kind} message cannot be answered: send() a new one`,
      );
    }
    if (message.isAnswered) {
      throw new HeddleError('ERR_HEDDLE_ALREADY_ANSWERED', `request ${message.reference} was answered before`);
    }
    if (this.#life.isOver) {
      message.isAnswered = true;
      message.isFresh = false;
      this.#discard(payload, options.context);
      this.release(message);
      return;
    }
    const outbound = this.outbound;
    let receipt = 0;
    // The receipt rides on the response, unless the handler returned before and it has gone on its own.
    if (message.wantsReceipt && !message.isReceiptSent) {
      receipt = message.isRefused ? MessageFlag.receipt | MessageFlag.refused : MessageFlag.receipt;
    }
    const plain = flags === 0 && receipt === 0 && outbound.straightAnswers && isPlain(options);
    const more = options.more === true;
    const placed =
      plain &&
      (payload instanceof Uint8Array
        ? outbound.placeBytes(RecordKind.response, message.reference, payload, more)
        : isValue(payload) && outbound.placeValue(RecordKind.response, message.reference, payload, more));
    if (!placed) outbound.submit(RecordKind.response, flags | receipt, message.reference, payload, options);
    message.isAnswered = true;
    message.isFresh = false;
    this.#kept.delete(message.reference);
    this.release(message);
  }

  #discard(payload: Payload, context: unknown): void {
    const cause = this.#theEndError();
    this.#emit({
      type: 'message-error',
      connection: this,
      status: 'discarded',
      direction: 'out',
      kind: 'response',
      error: new HeddleError('ERR_HEDDLE_DISCARDED', `the connection ended before the answer: ${cause.message}`, {
        cause,
      }),
      payload,
      context,
    });
    // It was given away with the answer: whoever wanted it back has taken it by now.
    if (payload instanceof SharedBuffer && payload.isHeld) payload.release();
  }

  /** @internal */
  returnCredits(message: Message): void {
    if (message.isReleased) return;
    message.isReleased = true;
    message.isFresh = false;
    const { ledger } = this.inbound;
    const counters = message.kind === 'response' ? ledger.responses : ledger.posts;
    if (message.isHeld) {
      message.isHeld = false;
      ledger.unhold(counters, message.chargedBytes);
    }
    if (ledger.release(counters, message.chargedBytes)) this.outbound.announceCredits();
    if (message.isKept && message.kind === 'request') this.#kept.delete(message.reference);
  }

  /** @internal */
  release(message: Message): void {
    this.returnCredits(message);
    const large = message.large;
    if (large !== undefined) {
      message.large = undefined;
      if (large instanceof SharedBuffer && large.isHeld) large.release();
    }
  }

  #sendReceipt(message: Message): void {
    if (this.#life.isOver || message.isReceiptSent) return;
    message.isReceiptSent = true;
    message.isFresh = false;
    const isRequest = message.kind === 'request';
    const flags = (isRequest ? MessageFlag.receipt : 0) | (message.isRefused ? MessageFlag.refused : 0);
    this.outbound.submitControl(RecordKind.receipt, flags, 0, isRequest ? message.reference : message.serial);
  }

  /** @internal */
  onReceipt(reference: number, isForRequest: boolean, accepted: boolean): void {
    const waiters = isForRequest ? this.#requestReceipts : this.#receiptWaiters;
    const onReceipt = waiters.get(reference);
    if (onReceipt === undefined) return;
    waiters.delete(reference);
    this.#guard(() => onReceipt({ accepted }));
  }

  /** @internal */
  onCancel(requestId: number): void {
    const message = this.#kept.get(requestId);
    let answer: CancelAnswer = 'not-found';
    if (message !== undefined) {
      const error = new HeddleError('ERR_HEDDLE_CANCELLED', 'the requester cancelled the request');
      const handlers = this.#parent.handlers;
      let cancelled = message.isCancellable;
      if (handlers.onCancel !== undefined) {
        this.#guard(() => {
          cancelled = handlers.onCancel?.(message, this) === true;
        });
      }
      answer = cancelled ? 'cancelled' : 'failed';
      if (cancelled) {
        message.isAnswered = true;
        message.isFresh = false;
        this.#kept.delete(requestId);
        this.#guard(() => message.abort(error));
        this.release(message);
      }
    }
    this.outbound.submitControl(RecordKind.cancelAnswer, 0, cancelAnswers.indexOf(answer), requestId);
  }

  /** @internal */
  onCancelAnswer(requestId: number, answerIndex: number): void {
    const answer = cancelAnswers[answerIndex];
    const cancel = this.#cancels.get(requestId);
    if (answer === undefined || cancel === undefined) return;
    if (answer === 'cancelled') this.#endCancelled(requestId);
    cancel.settle(answer);
  }

  /** The request is cancelled, as everyone agrees. */
  #endCancelled(requestId: number): void {
    const error = cancelledError(undefined);
    this.#giveUpReceipt(requestId, error);
    const waiter = this.host.pending.take(this, requestId);
    this.#guard(() => waiter?.onError(error));
  }

  /** No receipt will come for a request that is not waited for any more. */
  #giveUpReceipt(requestId: number, error: HeddleError): void {
    const onReceipt = this.#requestReceipts.get(requestId);
    if (onReceipt === undefined) return;
    this.#requestReceipts.delete(requestId);
    this.#guard(() => onReceipt({ accepted: false, error }));
  }

  /** @internal */
  onFin(): void {
    if (this.#life.state === 'online') this.#closedByPeer = true;
    this.#endError ??= new HeddleError('ERR_HEDDLE_CLOSED', 'the peer closed the connection');
    this.step({ type: 'finReceived' });
  }

  /** @internal */
  onFinAck(): void {
    this.step({ type: 'finAcked' });
  }

  /** @internal */
  onFinSent(): void {
    this.step({ type: 'finSent' });
  }

  /** @internal */
  onCredits(): void {
    this.outbound.creditsArrived();
  }

  /** @internal */
  onPing(): void {
    this.outbound.placeUnsequenced(RecordKind.pong);
  }

  /** @internal */
  onReleaseDue(): void {
    this.outbound.announceCredits();
  }

  // ---- the sending half's side

  /** @internal */
  onRecordDropped(record: QueuedRecord, status: 'flushed' | 'discarded', error: HeddleError): void {
    this.host.statistics.add('messagesFlushed');
    if (record.kind === RecordKind.request) {
      this.#giveUpReceipt(record.reference, error);
      const waiter = this.host.pending.take(this, record.reference);
      this.#guard(() => waiter?.onError(error));
      return;
    }
    this.#emit({
      type: 'message-error',
      connection: this,
      status,
      direction: 'out',
      kind: record.kind === RecordKind.response ? 'response' : 'one-way',
      error,
      payload: record.data,
      context: record.context,
    });
    const onReceipt = record.onReceipt;
    if (onReceipt !== undefined) this.#guard(() => onReceipt({ accepted: false, error }));
  }

  /** @internal */
  onRecordSent(record: QueuedRecord): void {
    if (record.onSent !== undefined) this.#guard(record.onSent);
  }

  /** @internal */
  onRecordPlaced(record: QueuedRecord, serial: number): void {
    if (record.kind === RecordKind.oneWay && record.onReceipt !== undefined) {
      this.#receiptWaiters.set(serial, record.onReceipt);
    }
  }

  /** @internal The deadline of a request has passed. */
  onDeadline(requestId: number, waiter: RequestWaiter): void {
    this.outbound.removeQueuedRequest(requestId);
    const error = new HeddleError(
      'ERR_HEDDLE_TIMEOUT',
      `no response from ${this.peerAddress} in time: the handler is slow or stuck, or timeoutMs is too short`,
      { details: { requestId, peer: this.peerAddress } },
    );
    this.#giveUpReceipt(requestId, error);
    this.#guard(() => waiter.onError(error));
  }

  #sendCancel(requestId: number): void {
    if (this.outbound.removeQueuedRequest(requestId) === undefined) {
      this.outbound.submitControl(RecordKind.cancel, 0, 0, requestId);
    }
  }

  #requireSendable(): void {
    const state = this.#life.state;
    if (state === 'init' || state === 'established' || state === 'online') return;
    const code = this.#endError?.code === 'ERR_HEDDLE_CLOSED' ? 'ERR_HEDDLE_CLOSED' : 'ERR_HEDDLE_DISCONNECTED';
    throw new HeddleError(code, `the connection to ${this.peerAddress} is in state ${state}: nothing can be sent`, {
      cause: this.#endError,
    });
  }
}

/** Whether the straight way can carry everything that the options ask for. */
function isPlain(options: SendOptions): boolean {
  return options.header === undefined && options.onReceipt === undefined && options.onSent === undefined;
}

/** Whether the payload is one for the codec. */
function isValue(payload: Payload): boolean {
  return !(payload instanceof SharedBuffer) && !(payload instanceof Segments);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}

function cancelledError(cause: unknown): HeddleError {
  return new HeddleError('ERR_HEDDLE_CANCELLED', 'the request was cancelled', { cause });
}
