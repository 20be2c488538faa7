import { describe, HeddleError, requireKnownOptions } from '../../errors.js';
import type { WireDescription } from '../../transports/transport.js';
import type { RegionHandle } from '../memory/region-handle.js';
import type { Message } from '../message/message.js';
import type { CancelAnswer } from '../message/message-layout.js';
import * as layout from '../message/message-layout.js';
import type { Payload, Receipt, RequestOptions, SendOptions } from '../message/payload.js';
import * as payloads from '../message/payload.js';
import { ConnectionBase } from './connection-base.js';
import { type ConnectionOptions, changeLiveOptions } from './options.js';
import type { RequestWaiter } from './pending-requests.js';
import type { RegionOperationOptions, RemoteRegion } from './remote-region.js';

// See record-placer.ts.
const { RecordKind } = layout;
const {
  receiptlessOptionNames,
  fastRequestOptionNames,
  isPlain,
  isValue,
  noOptions,
  requireMessageOptions,
  sendOptionNames,
} = payloads;

/**
 * One context's share of a session: the two-way stream of messages between this context and a context of the peer.
 * There is one for each context and session.
 *
 * Sends before the connection is online wait in its send queue; sends after it has ended throw
 * `ERR_HEDDLE_DISCONNECTED` or `ERR_HEDDLE_CLOSED` at once.
 */
export class Connection extends ConnectionBase {
  /** Messages that can be sent now without waiting for the peer to release any. */
  get freeSendMessages(): number {
    return this.outbound.freeMessages;
  }

  /** Bytes that can be sent now without waiting for the peer to release any. */
  get freeSendBytes(): number {
    return this.outbound.freeBytes;
  }

  /** The wire that the connection really goes by; undefined while it has none. */
  get wire(): WireDescription | undefined {
    return this.link?.wireDescription;
  }

  /** Messages that wait here for credits or for the wire. */
  get queuedMessages(): number {
    return this.outbound.posts.length + this.outbound.answers.length;
  }

  /** Changes live options. Throws `ERR_HEDDLE_INVALID_ARGUMENT`, and `ERR_HEDDLE_INVALID_STATE` for fixed ones. */
  setOptions(changes: Partial<ConnectionOptions>): void {
    this.options = changeLiveOptions(this.options, changes);
    this.outbound.applyOptions();
    this.keepalive.restart(this.options);
  }

  /**
   * Sends a one-way message. Returns false when it had to be queued: a caller with much to send then waits for
   * {@link ready}, or meets `ERR_HEDDLE_SEND_QUEUE_FULL` in the end.
   *
   * Without `more` the message is visible to the peer when the call returns; with it, when the batch's last message is
   * sent, when this turn of the event loop ends, or when the frame is full or the ring has 8 KiB or eight messages of it,
   * whichever is more.
   *
   * @throws ERR_HEDDLE_SEND_QUEUE_FULL, ERR_HEDDLE_MESSAGE_TOO_LARGE, ERR_HEDDLE_CODEC, and the connection's end.
   */
  send(payload: Payload, options: SendOptions = noOptions): boolean {
    if (options !== noOptions) requireMessageOptions('send', options, sendOptionNames);
    const outbound = this.outbound;
    if (outbound.straightPosts === true && (options === noOptions || isPlain(options))) {
      if (!(payload instanceof Uint8Array)) {
        if (this.#placeValue(payload, options) === true) return true;
      } else if (options.more === true) {
        if (outbound.appendBytes(payload) === true) return true;
      } else if (outbound.placeBytes(RecordKind.oneWay, 0, payload, false) === true) return true;
    }
    this.requireSendable();
    return outbound.submit(RecordKind.oneWay, 0, 0, payload, options);
  }

  /** Apart from `send`, which is small enough without it to become part of the loop that calls it. */
  #placeValue(payload: Payload, options: SendOptions): boolean {
    if (!isValue(payload)) return false;
    return options.more === true
      ? this.outbound.appendValue(payload)
      : this.outbound.placeValue(RecordKind.oneWay, 0, payload, false);
  }

  /** Sends a one-way message and waits for its receipt: resolves with it, or rejects when the connection ends first. */
  deliver(payload: Payload, options: Omit<SendOptions, 'onReceipt'> = noOptions): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      if (options !== noOptions) requireKnownOptions('deliver', options, receiptlessOptionNames);
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
   * response (or declare it with `using`). Large data that landed in a `responseBuffer` lies there, and is no copy.
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
    return this.requester.request<R>(payload, options);
  }

  /**
   * Sends a request whose response goes to `waiter`, and returns the request's id, for {@link cancel}. This is the fast
   * form of {@link request}: nothing is allocated for it, and the response need not be copied. It takes no signal.
   */
  requestWith(payload: Payload, waiter: RequestWaiter, options: Omit<RequestOptions, 'signal'> = noOptions): number {
    if (typeof waiter?.onResponse !== 'function') throw noWaiter(waiter);
    if (options !== noOptions) requireMessageOptions('requestWith', options, fastRequestOptionNames);
    return this.requester.requestWith(payload, waiter, options);
  }

  /**
   * Cancels a request. The answer is `cancelled` (its waiter gets `ERR_HEDDLE_CANCELLED`), `failed` (the peer goes on with
   * it, a response will come) or `not-found` (it is answered, or never was). Always settles, within `requestTimeoutMs`.
   */
  cancel(requestId: number): Promise<CancelAnswer> {
    return this.requester.cancel(requestId);
  }

  /**
   * Opens a region that the context at the other end has exported, by the handle that it sent. It can be used until it is
   * closed, revoked, or this connection ends.
   *
   * @throws ERR_HEDDLE_REGION_UNKNOWN (revoked, or forged), ERR_HEDDLE_TIMEOUT, ERR_HEDDLE_CANCELLED, ERR_HEDDLE_FLUSHED,
   * ERR_HEDDLE_INVALID_ARGUMENT, ERR_HEDDLE_OUT_OF_MEMORY
   */
  openRegion(handle: RegionHandle, options: RegionOperationOptions = {}): Promise<RemoteRegion> {
    return this.regions.open(handle, options);
  }

  /**
   * Takes no requests and one-way messages from the peer until {@link resumeReception}. Those that arrive wait here, in order,
   * and hold their credits: past the receive depth the peer's own sends wait, then fail. Responses, receipts and the answers to
   * cancels still arrive. When the peer closes, its last messages are delivered first, so resume or close in the end;
   * when this side closes, what waits is dropped.
   */
  suspendReception(): void {
    this.service.gate.suspend();
  }

  /** Delivers what has waited, before this returns, unless a handler suspends again; then what comes. */
  resumeReception(): void {
    this.service.gate.resume();
    this.host.endTurnSoon();
  }

  /** Whether reception is suspended. */
  get isReceptionSuspended(): boolean {
    return this.service.gate.isSuspended;
  }

  /** Requests and one-way messages that have arrived and wait for {@link resumeReception}. */
  get heldMessages(): number {
    return this.service.gate.length;
  }

  /** Resolves when no message waits to be sent any more, or the connection has ended. */
  ready(): Promise<void> {
    return this.isOver ? Promise.resolve() : this.outbound.ready();
  }

  /** Makes everything sent so far visible to the peer. */
  flush(): void {
    if (this.outbound.isOnline) this.outbound.publish();
  }
}

function noWaiter(given: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `requestWith takes a waiter with onResponse(message) and onError(error), not ${describe(given)}`,
  );
}
