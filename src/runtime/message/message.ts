import { HeddleError } from '../../errors.js';
import { copyOf } from '../../transports/copy-bytes.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import type { Codec } from './codec.js';
import { copyOfBlock } from './kept-bytes.js';
import { MessageFlag } from './message-layout.js';
import { noOptions, type Payload, type SendOptions } from './payload.js';
import { readSegments } from './segments.js';

/** What a message needs of the connection that it came by. */
export interface MessageOwner {
  readonly codec: Codec;
  /** Called once, when the message is to outlive its handler: its owner stops using the object for others. */
  detach(message: Message): void;
  respond(message: Message, payload: Payload, options: SendOptions): void;
  respondError(message: Message, error: unknown): void;
  /** Gives the message's credits back to the peer, and its large buffer to its pool. */
  release(message: Message): void;
  /** Gives the message's credits back to the peer; its bytes stay. */
  returnCredits(message: Message): void;
}

/** What a message is. */
export type MessageKind = 'one-way' | 'request' | 'response';

const noBytes = Buffer.alloc(0);

/**
 * A message that has arrived.
 *
 * The object and the bytes that `data`, `header` and `segments` show are valid **until the handler returns**; for
 * speed, both are then used for the next message. A handler that returns a promise keeps its message by itself until
 * the promise settles. Any other handler that needs the message later calls {@link keep} first, and {@link release}
 * (or {@link respond}) in the end: that is what gives the sender its credits back. `value` is a copy, always safe to keep.
 *
 * `T` is the type of its value, which its user knows and nobody checks: `Message<{ a: number; b: number }>`.
 *
 * @example
 * onRequest: (message) => ({ sum: message.value.a + message.value.b })        // answer by returning
 * onRequest: async (message) => render(await load(message.value.id))          // or later, by a promise
 * onRequest: (message) => { waiting.push(message.keep()); }                   // or by respond(), from anywhere
 */
// biome-ignore lint/suspicious/noExplicitAny: a message's value is the user's, who knows its type
export class Message<T = any> {
  /** What the message is: it is fixed by how it was sent. */
  kind: MessageKind = 'one-way';
  /** Whether the sender said that more of the same batch follows. */
  more = false;
  /** Position of the message in its connection and direction. Wraps at 2^32. */
  serial = 0;
  /** The requester's id for the request that this is, or answers. */
  reference = 0;
  /** @internal Bits of {@link MessageFlag}. */
  flags = 0;
  /** @internal What the message took of the byte credits. */
  chargedBytes = 0;
  /** @internal */
  block: MemoryBlock | undefined;
  /** @internal */
  headerStart = 0;
  /** @internal */
  headerLength = 0;
  /** @internal */
  dataStart = 0;
  /** Bytes of data that the message carries. */
  length = 0;
  /** @internal Where the data of a large message lies. */
  large: SharedBuffer | Uint8Array | undefined;
  /** @internal What its requester lent for the data, who keeps it: `large` is a clone of it until the data is there. */
  lender: SharedBuffer | undefined = undefined;
  /** @internal Whether a user, who sent `large` or picked it, knows of it; otherwise it is a copy of bytes or of a value. */
  isUsersBuffer = false;
  /** @internal */
  isKept = false;
  /** @internal Whether it counts as held in its connection's ledger. */
  isHeld = false;
  /** @internal Whether nothing has been done with it since it arrived. */
  isFresh = true;
  /** @internal A request that has been answered. */
  isAnswered = false;
  /** @internal Whether a handler's promise is pending, which is to answer it. */
  isWorkedOn = false;
  /** @internal A message whose credits have gone back. */
  isReleased = false;
  /** @internal The receiver does not want the receipt to say that it took the message. */
  isRefused = false;
  /** @internal The receipt has gone on its own, without the response. */
  isReceiptSent = false;
  /** @internal */
  readonly owner: MessageOwner;
  #abort: AbortController | undefined;

  /** @internal */
  constructor(owner: MessageOwner) {
    this.owner = owner;
  }

  /** The data as bytes: a view that is valid until the handler returns, or until `release` of a kept message. */
  get data(): Buffer {
    const large = this.large;
    if (large !== undefined) return targetBytes(large, this.length);
    if (this.block === undefined) return noBytes;
    return this.block.view(this.dataStart, this.dataStart + this.length);
  }

  /** The header bytes that the sender gave; empty when there were none. Valid as long as {@link data}. */
  get header(): Buffer {
    if (this.block === undefined || this.headerLength === 0) return noBytes;
    return this.block.view(this.headerStart, this.headerStart + this.headerLength);
  }

  /** The pieces of a message sent as `segments(...)`; any other message is one piece. Valid as long as {@link data}. */
  get segments(): Buffer[] {
    const data = this.data;
    if ((this.flags & MessageFlag.segmented) === 0) return [data];
    return readSegments(data, 0, data.length);
  }

  /**
   * The value that was sent, decoded anew at each access. Bytes that were sent raw come as a Buffer of their own.
   * Throws `ERR_HEDDLE_CODEC` when the bytes do not decode.
   */
  get value(): T {
    return this.#decode() as T;
  }

  #decode(): unknown {
    if ((this.flags & MessageFlag.encoded) === 0) return copyOf(this.data);
    const large = this.large;
    if (large !== undefined) return this.owner.codec.decode(targetBytes(large, this.length), 0, this.length);
    if (this.block === undefined) return undefined;
    return this.owner.codec.decode(this.block.bytes, this.dataStart, this.dataStart + this.length);
  }

  /** Whether the sender asked for a receipt. */
  get wantsReceipt(): boolean {
    return this.kind !== 'response' && (this.flags & MessageFlag.receipt) !== 0;
  }

  /** The 32-bit integer at byte `offset` of the data, read without making a view. */
  readInt32(offset: number): number {
    if ((offset | 0) !== offset || offset < 0 || offset + 4 > this.length) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `offset=${offset} is outside of ${this.length} bytes of data`,
      );
    }
    const block = this.block;
    const position = this.dataStart + offset;
    if (block !== undefined && this.large === undefined && (position & 3) === 0) return block.int32[position >> 2];
    return this.data.readInt32LE(offset);
  }

  /**
   * Takes the large data out of the message: the buffer is the caller's from now on, to be sent on or released.
   * Undefined for a message whose data came with it, or lies where its receiver had it land: in a `Uint8Array`, or in the
   * `responseBuffer` of its request.
   */
  takeBuffer(): SharedBuffer | undefined {
    const large = this.large;
    this.isFresh = false;
    if (large === undefined || large instanceof Uint8Array || large === this.lender) return undefined;
    this.forgetLarge();
    return large;
  }

  /** @internal Nothing is left to be looked at: the record held where the data was, and is another message's by now. */
  forgetLarge(): void {
    this.large = undefined;
    this.lender = undefined;
    this.length = 0;
    this.block = undefined;
  }

  /**
   * @internal Gives a large buffer that the receiver's user knows nothing of back to its pool; the bytes are copied to
   * where the garbage collector takes care of them.
   */
  unshare(): void {
    const large = this.large;
    if (this.isUsersBuffer || large === undefined || large instanceof Uint8Array) return;
    this.large = copyOf(large.bytes);
    large.release();
  }

  /** Keeps the message beyond its handler, with a copy of its bytes. Returns the message. */
  keep(): this {
    if (this.isKept) return this;
    this.isKept = true;
    this.isFresh = false;
    this.copyBytes();
    this.owner.detach(this);
    return this;
  }

  /** @internal Takes header and data out of the memory that the next record will overwrite. */
  copyBytes(): void {
    const block = this.block;
    if (block !== undefined) {
      const start = this.headerLength > 0 ? this.headerStart : this.dataStart;
      const end = this.large === undefined ? this.dataStart + this.length : this.headerStart + this.headerLength;
      this.block = copyOfBlock(block, start, end);
      this.headerStart -= start;
      this.dataStart -= start;
    }
  }

  /**
   * Answers a request. Throws `ERR_HEDDLE_ALREADY_ANSWERED` the second time and `ERR_HEDDLE_INVALID_STATE` for anything
   * but a request. After the connection has ended the answer is discarded, and a `message-error` event says so.
   */
  respond(payload?: Payload, options: Omit<SendOptions, 'onReceipt'> = noOptions): void {
    this.owner.respond(this, payload, options);
  }

  /** Answers a request with an error, whose class name, message, code and stack go to the requester. */
  respondError(error: unknown): void {
    this.owner.respondError(this, error);
  }

  /** Lets the receipt, if one was asked for, say that this side refused the message. */
  refuseReceipt(): void {
    this.isFresh = false;
    this.isRefused = true;
  }

  /** Is done with a kept message: its credits go back to the sender and its large buffer, if any, to its pool. */
  release(): void {
    this.owner.release(this);
  }

  /** @internal */
  returnCredits(): void {
    this.owner.returnCredits(this);
  }

  /** Aborted when the requester cancels the request, and when the connection ends before the answer. */
  get signal(): AbortSignal {
    this.isFresh = false;
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  /** As {@link release}, and harmless when that was done: for `using`. */
  [Symbol.dispose](): void {
    if (this.isKept && (!this.isReleased || this.large !== undefined)) this.release();
  }

  /** @internal Whether anyone listens for a cancel. */
  get isCancellable(): boolean {
    return this.#abort !== undefined;
  }

  /** @internal Whether its handler was told that nobody waits for the answer any more. */
  get isAborted(): boolean {
    return this.#abort?.signal.aborted === true;
  }

  /** @internal */
  abort(error: HeddleError): void {
    this.#abort?.abort(error);
  }

  /** @internal Makes a flyweight forget what was done with the message before. */
  refresh(): void {
    this.isFresh = true;
    this.isAnswered = false;
    this.isReleased = false;
    this.isRefused = false;
    this.isReceiptSent = false;
    this.large = undefined;
    this.lender = undefined;
    this.#abort = undefined;
  }
}

/** The bytes of what data lies or lands in, exactly as long as the data. */
export function targetBytes(target: SharedBuffer | Uint8Array, lengthBytes: number): Buffer {
  const bytes = target instanceof Uint8Array ? target : target.bytes;
  if (Buffer.isBuffer(bytes) && bytes.length === lengthBytes) return bytes;
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, lengthBytes);
}
