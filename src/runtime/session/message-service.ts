import { HeddleError, thrownText } from '../../errors.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import type { Codec } from '../message/codec.js';
import type { Message, MessageOwner } from '../message/message.js';
import type { CancelAnswer } from '../message/message-layout.js';
import * as layout from '../message/message-layout.js';
import {
  isPlain,
  isValue,
  noOptions,
  type Payload,
  receiptlessOptionNames,
  requireMessageOptions,
  type SendOptions,
} from '../message/payload.js';
import * as thenable from '../message/thenable.js';
import type { Connection } from './connection.js';
import type { SessionHandlers } from './handlers.js';
import type { Inbound } from './inbound.js';
import { borrow, releaseLarge, requireTarget } from './landing.js';
import type { Outbound } from './outbound.js';
import { type GateTarget, ReceptionGate } from './reception-gate.js';
import { writeError } from './response-error.js';
import type { SessionHost } from './session-host.js';

// See record-placer.ts.
const { cancelAnswers, MessageFlag, RecordKind } = layout;
const { promiseOf } = thenable;

const batchOptions: SendOptions = { more: true };

/**
 * The serving side of a connection: hands the peer's one-way messages and requests to the user's handlers, and sends what
 * becomes of them, be it responses, receipts, answers to cancels, or the credits of what was released.
 *
 * What every message needs stands in plain fields: one with `#` is undefined until the constructor sets it, and V8 then looks
 * anew at each use at what it holds.
 */
export class MessageService implements MessageOwner, GateTarget {
  private readonly connection: Connection;
  private readonly handlers: SessionHandlers;
  private readonly host: SessionHost;
  private readonly outbound: Outbound;
  private inbound!: Inbound;
  /** Requests of the peer that were kept, by the peer's id. */
  readonly #kept = new Map<number, Message>();
  /** Where requests and one-way messages wait while the user wants none. */
  readonly gate = new ReceptionGate(this);

  constructor(connection: Connection, handlers: SessionHandlers, outbound: Outbound) {
    this.connection = connection;
    this.handlers = handlers;
    this.host = connection.host;
    this.outbound = outbound;
  }

  /** The receiving half, which is made with this. */
  serve(inbound: Inbound): void {
    this.inbound = inbound;
  }

  get codec(): Codec {
    return this.connection.codec;
  }

  /** Where the data of a large message is to land, if the user has a wish. */
  assignBuffer(message: Message, lengthBytes: number): SharedBuffer | Uint8Array | undefined {
    const { kind } = message;
    if (kind === 'response') {
      const offered = this.connection.requester.responseBuffer(message.reference);
      const lent = offered === undefined ? undefined : borrow(message, offered, lengthBytes);
      if (lent !== undefined) return lent;
    }
    let assigned: SharedBuffer | Uint8Array | undefined;
    this.host.guard(() => {
      const picked = this.handlers.onAssignBuffer?.({ connection: this.connection, kind, lengthBytes });
      if (picked === undefined) return;
      requireTarget('what onAssignBuffer returns', picked);
      if (picked.length < lengthBytes) {
        throw new HeddleError(
          'ERR_HEDDLE_INVALID_ARGUMENT',
          `onAssignBuffer gave ${picked.length} bytes for a message of lengthBytes=${lengthBytes}: the pool's are used`,
        );
      }
      assigned = picked;
    });
    return assigned;
  }

  /** The connection has ended: whoever works on a kept request may stop. */
  abandon(error: HeddleError): void {
    this.gate.drop();
    for (const message of [...this.#kept.values()]) this.host.guard(() => message.abort(error));
    this.#kept.clear();
  }

  detach(message: Message): void {
    this.inbound.detach(message);
    if (!message.isHeld && !message.isReleased) {
      message.isHeld = true;
      const { ledger } = this.inbound;
      ledger.hold(message.kind === 'response' ? ledger.responses : ledger.posts, message.chargedBytes);
    }
    if (message.kind === 'request' && !message.isAnswered) this.#kept.set(message.reference, message);
  }

  /** The gate lets a message through that has waited there. */
  deliver(message: Message): void {
    // It was kept for the gate, so that `onRead` is never owed for it.
    if (message.kind === 'one-way') this.#serveOneWay(message);
    else this.#serveRequest(message);
  }

  /** A one-way message has arrived. */
  onOneWay(message: Message): void {
    if (this.onAppended(message)) this.onRead(1, message.chargedBytes);
  }

  /** A one-way message of a batch has arrived. True when nothing was done with it but reading it: {@link onRead} is owed. */
  onAppended(message: Message): boolean {
    // `=== true`, here and below: see record-placer.ts.
    if (this.gate.isShut === true) {
      this.gate.hold(message);
      return false;
    }
    return this.#serveOneWay(message);
  }

  /** The credits of so many one-way messages, with whom nothing was done but reading them, go back. */
  onRead(messages: number, bytes: number): void {
    const { ledger } = this.inbound;
    if (ledger.release(ledger.posts, messages, bytes) === true) this.outbound.announceCredits();
  }

  /** Returns whether nothing was done with the message but reading it. */
  #serveOneWay(message: Message): boolean {
    let result: unknown;
    try {
      result = this.handlers.onMessage?.(message, this.connection);
    } catch (cause) {
      this.#handlerFailed(message, cause);
    }
    const promise = promiseOf(result);
    if (promise !== undefined) {
      this.#finishLater(message, promise);
      return false;
    }
    if ((message.flags & MessageFlag.receipt) !== 0) this.#sendReceipt(message);
    if (message.isFresh === true) return true;
    if (!message.isKept) this.release(message);
    return false;
  }

  // In a method of its own: a function that holds closures allocates room for what they share whenever it is entered.
  #finishLater(message: Message, result: Promise<unknown>): void {
    message.keep();
    result.then(
      () => this.#finishOneWay(message),
      (cause: unknown) => {
        this.#handlerFailed(message, cause);
        this.#finishOneWay(message);
      },
    );
  }

  #finishOneWay(message: Message): void {
    if (message.wantsReceipt) this.#sendReceipt(message);
    if (!message.isReleased) this.release(message);
  }

  /** A request has arrived. */
  onRequest(message: Message): void {
    if (this.gate.isShut) this.gate.hold(message);
    else this.#serveRequest(message);
  }

  #serveRequest(message: Message): void {
    const onRequest = this.handlers.onRequest;
    if (onRequest === undefined) {
      this.respondError(
        message,
        new HeddleError('ERR_HEDDLE_INVALID_STATE', 'this side of the connection has no onRequest handler'),
      );
      return;
    }
    let result: unknown;
    try {
      result = onRequest.call(this.handlers, message, this.connection);
    } catch (error) {
      this.#answerFailure(message, error);
      return;
    }
    const promise = promiseOf(result);
    if (promise !== undefined) {
      this.#answerLater(message, promise);
      return;
    }
    // The answers to a batch are a batch: whoever sent its requests together waits for all of them.
    if (message.isKept || message.isAnswered) this.#handlerReturned(message);
    else this.#answer(message, result, message.more ? batchOptions : noOptions);
  }

  #answerLater(message: Message, result: Promise<unknown>): void {
    if (message.isAnswered) {
      // The object may be another message's by the time that the promise settles.
      result.then(undefined, (error: unknown) => this.#reportFailure(error));
      return;
    }
    if (message.isKept) {
      // Who keeps the message answers it by respond(); the promise only tells of a failure.
      result.then(
        () => this.#handlerReturned(message),
        (error: unknown) => this.#answerFailure(message, error),
      );
      return;
    }
    message.keep();
    message.isWorkedOn = true;
    result.then(
      (value: unknown) => {
        this.#answer(message, value, noOptions);
        this.release(message);
      },
      (error: unknown) => {
        this.#answerFailure(message, error);
        this.release(message);
      },
    );
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

  #answerFailure(message: Message, error: unknown): void {
    this.host.statistics.add('handlerErrors');
    message.refuseReceipt();
    if (!message.isAnswered) this.host.guard(() => this.respondError(message, error));
    // A handler that was told to stop, and does so by throwing, has done what it was asked to.
    else if (!message.isAborted) this.#reportFailure(error);
  }

  /** A handler failed after it had answered: nobody else would learn of it. */
  #reportFailure(cause: unknown): void {
    const code = cause instanceof HeddleError ? cause.code : 'ERR_HEDDLE_INVALID_STATE';
    this.host.report(
      new HeddleError(code, `an onRequest handler failed after its request was answered: ${thrownText(cause)}`, {
        cause,
      }),
    );
  }

  #handlerFailed(message: Message, cause: unknown): void {
    this.host.statistics.add('handlerErrors');
    message.refuseReceipt();
    const error = new HeddleError('ERR_HEDDLE_INVALID_STATE', `the onMessage handler threw: ${thrownText(cause)}`, {
      cause,
    });
    if (this.handlers.onEvent === undefined) {
      this.host.report(error);
      return;
    }
    this.connection.emit({
      type: 'message-error',
      connection: this.connection,
      status: 'handler',
      direction: 'in',
      kind: 'one-way',
      error,
    });
  }

  respond(message: Message, payload: Payload, options: SendOptions): void {
    if (options !== noOptions) requireMessageOptions('respond', options, receiptlessOptionNames);
    this.#respond(message, payload, 0, options);
  }

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
    if (this.connection.isOver) {
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
    const cause = this.connection.theEndError();
    this.connection.emit({
      type: 'message-error',
      connection: this.connection,
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
    if (ledger.release(counters, 1, message.chargedBytes)) this.outbound.announceCredits();
    if (message.isKept && message.kind === 'request') this.#kept.delete(message.reference);
  }

  release(message: Message): void {
    this.returnCredits(message);
    if (message.large !== undefined) releaseLarge(message);
  }

  #sendReceipt(message: Message): void {
    if (this.connection.isOver || message.isReceiptSent) return;
    message.isReceiptSent = true;
    message.isFresh = false;
    const isRequest = message.kind === 'request';
    const flags = (isRequest ? MessageFlag.receipt : 0) | (message.isRefused ? MessageFlag.refused : 0);
    this.outbound.submitControl(RecordKind.receipt, flags, 0, isRequest ? message.reference : message.serial);
  }

  onCancel(requestId: number): void {
    const message = this.#kept.get(requestId);
    let answer: CancelAnswer = 'not-found';
    if (message !== undefined) {
      const error = new HeddleError('ERR_HEDDLE_CANCELLED', 'the requester cancelled the request');
      const handlers = this.handlers;
      // One that no handler has seen is not begun.
      const isWaiting = this.gate.remove(message);
      let cancelled = isWaiting || message.isCancellable;
      if (!isWaiting && handlers.onCancel !== undefined) {
        this.host.guard(() => {
          cancelled = handlers.onCancel?.(message, this.connection) === true;
        });
      }
      answer = cancelled ? 'cancelled' : 'failed';
      if (cancelled) {
        message.isAnswered = true;
        message.isFresh = false;
        this.#kept.delete(requestId);
        this.host.guard(() => message.abort(error));
        // A handler whose promise is pending may be at work on the bytes. Who has kept the message was just told.
        if (message.isWorkedOn) this.returnCredits(message);
        else this.release(message);
      }
    }
    this.outbound.submitControl(RecordKind.cancelAnswer, 0, cancelAnswers.indexOf(answer), requestId);
  }
}
