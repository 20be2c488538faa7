import { longestTimerMs } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { requireSignal, requireWaitMs } from '../../time-limits.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import type { Message } from '../message/message.js';
import { type CancelAnswer, cancelAnswers, MessageFlag, RecordKind } from '../message/message-layout.js';
import {
  isPlain,
  isValue,
  noOptions,
  type Payload,
  type Receipt,
  type RequestOptions,
  requestOptionNames,
  requireMessageOptions,
} from '../message/payload.js';
import type { Connection } from './connection.js';
import { requireTarget } from './landing.js';
import type { Outbound } from './outbound.js';
import type { RequestOwner, RequestWaiter } from './pending-requests.js';
import { PromiseWaiter } from './promise-waiter.js';
import { readError } from './response-error.js';
import type { QueuedRecord } from './send-queue.js';
import type { SessionHost } from './session-host.js';

/** A cancel that the peer has not answered yet. */
interface PendingCancel {
  readonly answer: Promise<CancelAnswer>;
  settle(answer: CancelAnswer): void;
}

/**
 * The asking side of a connection: sends requests and sees to it that each settles once, by its response, its deadline, a
 * cancel or the connection's end; and hands out receipts to those who asked for them.
 */
export class Requester implements RequestOwner {
  pendingRequests = 0;
  readonly #connection: Connection;
  readonly #host: SessionHost;
  readonly #outbound: Outbound;
  /** Who waits for the receipt of a one-way message, by its serial number. */
  readonly #receiptWaiters = new Map<number, (receipt: Receipt) => void>();
  /** Who waits for the receipt of a request, by its id. */
  readonly #requestReceipts = new Map<number, (receipt: Receipt) => void>();
  readonly #cancels = new Map<number, PendingCancel>();
  /** Where the data of large responses is to land, by the request's id. */
  readonly #responseBuffers = new Map<number, SharedBuffer | Uint8Array>();

  constructor(connection: Connection, outbound: Outbound) {
    this.#connection = connection;
    this.#host = connection.host;
    this.#outbound = outbound;
  }

  /** See {@link Connection.request}. */
  request<R>(payload: Payload, options: RequestOptions): Promise<Message<R>> {
    return new Promise((resolve, reject) => {
      if (options !== noOptions) requireMessageOptions('request', options, requestOptionNames);
      const signal = options.signal;
      requireSignal(signal);
      if (signal?.aborted) {
        reject(cancelledError(signal.reason));
        return;
      }
      const waiter = new PromiseWaiter(resolve, reject, this.#host, signal, () => {
        const found = this.#host.pending.take(this, requestId);
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

  /** See {@link Connection.requestWith}. */
  requestWith(payload: Payload, waiter: RequestWaiter, options: RequestOptions): number {
    const outbound = this.#outbound;
    const timeoutMs = options.timeoutMs ?? this.#connection.options.requestTimeoutMs;
    requireWaitMs('timeoutMs', timeoutMs);
    const responseBuffer = options.responseBuffer;
    if (responseBuffer !== undefined) requireTarget('responseBuffer', responseBuffer);
    if (!outbound.straightPosts) this.#connection.requireSendable();
    this.#host.stayAwake();
    const requestId = this.#host.pending.add(this, waiter, timeoutMs);
    if (responseBuffer !== undefined) this.#responseBuffers.set(requestId, responseBuffer);
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
      this.#responseBuffers.delete(requestId);
      this.#host.pending.take(this, requestId);
      throw error;
    }
    return requestId;
  }

  /** See {@link Connection.cancel}. */
  cancel(requestId: number): Promise<CancelAnswer> {
    // What is no id at all would be cut to one.
    const isId = typeof requestId === 'number' && (requestId | 0) === requestId;
    if (!isId || !this.#host.pending.has(this, requestId)) return Promise.resolve('not-found');
    const earlier = this.#cancels.get(requestId);
    if (earlier !== undefined) return earlier.answer;
    const queued = this.#outbound.removeQueuedRequest(requestId);
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
      this.#host.endTurnSoon();
    };
    const limitMs = Math.min(this.#connection.options.requestTimeoutMs, longestTimerMs);
    const timer = this.#host.clock.setTimer(limitMs, () => settle('failed'), true);
    this.#cancels.set(requestId, { answer, settle });
    return answer;
  }

  /** The connection has ended: whoever waits is told. */
  flush(flushed: HeddleError): void {
    this.#host.pending.takeAll(this, (waiter) => this.#fail(waiter, flushed));
    for (const waiters of [this.#receiptWaiters, this.#requestReceipts]) {
      for (const onReceipt of waiters.values()) this.#host.guard(() => onReceipt({ accepted: false, error: flushed }));
      waiters.clear();
    }
    this.#responseBuffers.clear();
    for (const cancel of [...this.#cancels.values()]) cancel.settle('not-found');
  }

  /** A request was dropped before it was placed. */
  onDropped(requestId: number, error: HeddleError): void {
    this.#giveUpReceipt(requestId, error);
    this.#fail(this.#host.pending.take(this, requestId), error);
  }

  /** Where the request wants the data of a large response, if it does and still waits for it. */
  responseBuffer(requestId: number): SharedBuffer | Uint8Array | undefined {
    return this.#host.pending.has(this, requestId) ? this.#responseBuffers.get(requestId) : undefined;
  }

  /** A response has arrived. */
  onResponse(message: Message): void {
    const waiter = this.#host.pending.take(this, message.reference);
    if (this.#responseBuffers.size > 0) this.#responseBuffers.delete(message.reference);
    if ((message.flags & MessageFlag.receipt) !== 0) {
      this.onReceipt(message.reference, true, (message.flags & MessageFlag.refused) === 0);
    }
    // A response without a waiter comes after its deadline or cancel: only its credits matter.
    if (waiter !== undefined) {
      if ((message.flags & MessageFlag.error) !== 0) this.#fail(waiter, readError(message));
      else {
        try {
          waiter.onResponse(message);
        } catch (cause) {
          this.#host.reportThrown(cause);
        }
      }
    }
    if (!message.isKept) message.owner.release(message);
  }

  onReceipt(reference: number, isForRequest: boolean, accepted: boolean): void {
    const waiters = isForRequest ? this.#requestReceipts : this.#receiptWaiters;
    const onReceipt = waiters.get(reference);
    if (onReceipt === undefined) return;
    waiters.delete(reference);
    try {
      onReceipt({ accepted });
    } catch (cause) {
      this.#host.reportThrown(cause);
    }
  }

  onRecordPlaced(record: QueuedRecord, serial: number): void {
    if (record.kind === RecordKind.oneWay && record.onReceipt !== undefined) {
      this.#receiptWaiters.set(serial, record.onReceipt);
    }
  }

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
    this.#fail(this.#host.pending.take(this, requestId), error);
  }

  /** No receipt will come for a request that is not waited for any more, and its buffer is not used. */
  #giveUpReceipt(requestId: number, error: HeddleError): void {
    this.#responseBuffers.delete(requestId);
    const onReceipt = this.#requestReceipts.get(requestId);
    if (onReceipt === undefined) return;
    this.#requestReceipts.delete(requestId);
    this.#host.guard(() => onReceipt({ accepted: false, error }));
  }

  /** The deadline of a request has passed. */
  onDeadline(requestId: number, waiter: RequestWaiter): void {
    this.#outbound.removeQueuedRequest(requestId);
    const error = new HeddleError(
      'ERR_HEDDLE_TIMEOUT',
      `no response from ${this.#connection.peerAddress} in time: the handler is slow or stuck, or timeoutMs is too short`,
      { details: { requestId, peer: this.#connection.peerAddress } },
    );
    this.#giveUpReceipt(requestId, error);
    this.#fail(waiter, error);
  }

  // In a method of its own: a function that holds closures allocates room for what they share whenever it is entered.
  #fail(waiter: RequestWaiter | undefined, error: HeddleError): void {
    this.#host.guard(() => waiter?.onError(error));
  }

  #sendCancel(requestId: number): void {
    if (this.#outbound.removeQueuedRequest(requestId) === undefined) {
      this.#outbound.submitControl(RecordKind.cancel, 0, 0, requestId);
    }
  }
}

function cancelledError(cause: unknown): HeddleError {
  return new HeddleError('ERR_HEDDLE_CANCELLED', 'the request was cancelled', { cause });
}
