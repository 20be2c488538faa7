import { HeddleError } from '../../errors.js';
import { copyBytes } from '../../transports/copy-bytes.js';
import type { Link } from '../../transports/transport.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import type { Codec } from '../message/codec.js';
import {
  descriptorBytes,
  flagsShift,
  headerLengthShift,
  MessageFlag,
  maximumHeaderBytes,
  paddedHeaderBytes,
} from '../message/message-layout.js';
import type { Payload, Receipt, SendOptions } from '../message/payload.js';
import { Segments, writeSegments } from '../message/segments.js';
import { requireNotEncoding, whileEncoding } from './encoding.js';
import { recordOverheadBytes } from './record-placer.js';
import type { QueuedRecord } from './send-queue.js';
import type { SessionHost } from './session-host.js';

/** What bounds the messages of a connection. */
export interface MessageLimits {
  /** The longest data, with its header, that goes in a record. */
  readonly inlineLimitBytes: number;
  /** Throws when a message of that kind and size can never be sent, or not be queued now. */
  requireRoom(kind: number, bytes: number): void;
}

/** Makes records that can wait in a queue of what the user sends: checks it, encodes it, and takes its bytes. */
export class RecordMaker {
  readonly #host: SessionHost;
  readonly #codec: Codec;
  readonly #limits: MessageLimits;

  constructor(host: SessionHost, codec: Codec, limits: MessageLimits) {
    this.#host = host;
    this.#codec = codec;
    this.#limits = limits;
  }

  /**
   * The record of a message, with its bytes taken or its buffer moved. Throws for what cannot be sent, before anything is
   * taken from the caller, and what the codec and the pool throw.
   */
  make(kind: number, flags: number, reference: number, payload: Payload, options: SendOptions): QueuedRecord {
    requireNotEncoding();
    const header = options.header;
    requireSendOptions(options);
    if (header !== undefined && header.length > maximumHeaderBytes) {
      throw new HeddleError(
        'ERR_HEDDLE_MESSAGE_TOO_LARGE',
        `a header of ${header.length} bytes exceeds maximumHeaderBytes=${maximumHeaderBytes}: send it as data`,
      );
    }
    const isEncoded = !(
      payload instanceof Uint8Array ||
      payload instanceof SharedBuffer ||
      payload instanceof Segments
    );
    let data: Uint8Array | undefined;
    let large: SharedBuffer | undefined;
    if (options.more === true) flags |= MessageFlag.more;
    if (isEncoded) {
      flags |= MessageFlag.encoded;
      data = whileEncoding(() => this.#codec.encode(payload));
    }
    const lengthBytes =
      data?.length ?? (payload instanceof Segments ? payload.encodedBytes : (payload as Uint8Array).length);
    const chargedBytes = lengthBytes + (header?.length ?? 0);
    // Before anything is taken from the caller.
    this.#limits.requireRoom(kind, chargedBytes);
    if (payload instanceof SharedBuffer) {
      // The user's object has moved from this call on, though the memory is still this context's until it is placed.
      const { slabId, memory, slot, handle, byteOffset, lengthBytes } = payload.moveTo(this.#host.contextId);
      large = this.#host.pool.adopt(slabId, memory, slot, handle, byteOffset, lengthBytes);
    } else if (payload instanceof Segments) {
      flags |= MessageFlag.segmented;
      large = this.#largeFor(lengthBytes, header);
      data = large === undefined ? Buffer.allocUnsafe(lengthBytes) : undefined;
      writeSegments(payload, (data ?? large?.bytes) as Buffer, 0);
    } else {
      const bytes = data ?? (payload as Uint8Array);
      large = this.#largeFor(lengthBytes, header);
      if (large !== undefined) {
        copyBytes(large.bytes, 0, bytes);
        this.#host.statistics.add('largeBytesCopied', lengthBytes);
        data = undefined;
      } else if (!isEncoded) data = Uint8Array.prototype.slice.call(bytes);
    }
    return {
      kind,
      flags: options.onReceipt === undefined ? flags : flags | MessageFlag.receipt,
      reference,
      header: header === undefined ? undefined : Uint8Array.prototype.slice.call(header),
      data,
      large,
      isUsersBuffer: payload instanceof SharedBuffer,
      chargedBytes,
      onSent: options.onSent,
      onReceipt: options.onReceipt as ((receipt: Receipt) => void) | undefined,
      context: options.context,
    };
  }

  /**
   * What was queued before the link was known may be too long for a record of it: the data then goes as that of a large
   * message. Returns why the message cannot be sent at all.
   */
  fitToLink(record: QueuedRecord, link: Link): HeddleError | undefined {
    const room = link.maximumRecordBytes - recordOverheadBytes - paddedHeaderBytes(record.header?.length ?? 0);
    const { data } = record;
    if (room < descriptorBytes) {
      return new HeddleError(
        'ERR_HEDDLE_MESSAGE_TOO_LARGE',
        `a header of ${record.header?.length} bytes does not fit a record of this link, of at most ` +
          `maximumRecordBytes=${link.maximumRecordBytes}: send it as data, or give the link larger records`,
      );
    }
    if (data === undefined || data.length <= room) return undefined;
    try {
      record.large = this.#host.pool.allocate(data.length);
    } catch (error) {
      return error as HeddleError;
    }
    copyBytes(record.large.bytes, 0, data);
    record.data = undefined;
    return undefined;
  }

  /** A buffer of the pool for data that is too long for a record; undefined when it is not. */
  #largeFor(lengthBytes: number, header: Uint8Array | undefined): SharedBuffer | undefined {
    if (lengthBytes + paddedHeaderBytes(header?.length ?? 0) <= this.#limits.inlineLimitBytes) return undefined;
    return this.#host.pool.allocate(lengthBytes);
  }
}

/** A small sequenced record about a message: a receipt, a cancel, the answer to one, a finAck. */
export function controlRecord(kind: number, flags: number, headerField: number, reference: number): QueuedRecord {
  return {
    kind,
    // The header length field of a control record carries its small number: see cancelAnswer.
    flags: flags | (headerField << (headerLengthShift - flagsShift)),
    reference,
    header: undefined,
    data: undefined,
    large: undefined,
    isUsersBuffer: false,
    chargedBytes: 0,
    onSent: undefined,
    onReceipt: undefined,
    context: undefined,
  };
}

/** The error of a message that the peer's credits never suffice for. */
export function tooLargeForPeer(bytes: number, depth: number): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_MESSAGE_TOO_LARGE',
    `a message of bytes=${bytes} exceeds the peer's receiveDepthBytes=${depth}: send it in parts, or raise that option there`,
    { details: { bytes, receiveDepthBytes: depth } },
  );
}

/** What the compiler would have told: a mistake here must not show up as a TypeError much later. */
function requireSendOptions({ header, onReceipt, onSent }: SendOptions): void {
  if (header !== undefined && !(header instanceof Uint8Array)) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `header must be bytes, a Uint8Array or Buffer, not ${typeof header}: use Buffer.from(text)`,
    );
  }
  requireCallback('onReceipt', onReceipt);
  requireCallback('onSent', onSent);
}

function requireCallback(name: string, given: unknown): void {
  if (given === undefined || typeof given === 'function') return;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name} must be a function, not ${typeof given}`);
}
