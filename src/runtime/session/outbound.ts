import { HeddleError } from '../../errors.js';
import type { RecordWriter } from '../../transports/record-writer.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import {
  creditExtensionBytes,
  flagsShift,
  headerLengthShift,
  lastCreditedKind,
  lastSequencedKind,
  MessageFlag,
  maximumHeaderBytes,
  messageHeaderBytes,
  paddedHeaderBytes,
  RecordKind,
} from '../message/message-layout.js';
import type { Payload, Receipt, SendOptions } from '../message/payload.js';
import { Segments, writeSegments } from '../message/segments.js';
import type { CreditPurse, Credits, ReleaseLedger } from './credits.js';
import type { ConnectionOptions } from './options.js';
import { Retransmitter } from './retransmitter.js';
import { type QueuedRecord, SendQueue } from './send-queue.js';
import type { SessionHost, Wire } from './session-host.js';

/** What the sending half of a connection tells the connection. */
export interface OutboundOwner {
  readonly host: SessionHost;
  options: ConnectionOptions;
  /** The fin has been placed behind everything else. */
  onFinSent(): void;
  /** A queued record has been placed, with this serial number. */
  onRecordPlaced(record: QueuedRecord, serial: number): void;
  /** A queued record and all its data have been placed. */
  onRecordSent(record: QueuedRecord): void;
  /** A record was dropped before it was placed. */
  onRecordDropped(record: QueuedRecord, status: 'flushed' | 'discarded', error: HeddleError): void;
}

/** One message of this many has its way timed: the clock costs more than a small message. */
const timedEvery = 64;
const timedMask = timedEvery - 1;
/** Data of a large message goes over a wire in pieces of at most this many bytes. */
const maximumFragmentBytes = 64 * 1024;
/** What stands in a record for the data of a large message. */
const descriptorBytes = 24;
/** What a record costs beside its data at the most. */
const overheadBytes = messageHeaderBytes + creditExtensionBytes;

/**
 * The sending half of a connection: serial numbers, credits, the queues of what has to wait, and the placing of records
 * into the link. A message takes the straight way, encoded in place, when nothing waits before it; any other way goes
 * through a queue, in order.
 *
 * Posts (requests and one-way messages) and answers (responses, receipts, cancels and their answers) wait in queues of
 * their own and keep order within each: answers pass posts that wait for credits, since answering is what brings credits.
 */
export class Outbound {
  remoteId = 0;
  /** Whether records may be placed: set by the connection. */
  isOnline = false;
  credits!: CreditPurse;
  ledger: ReleaseLedger;
  /** Whether a post, or an answer, can be placed at once: nothing waits before it. */
  straightPosts = false;
  straightAnswers = false;
  nextSerial: number;
  /** Copies of what the peer may not have received: only where the connection may be resumed. */
  retransmitter: Retransmitter | undefined;
  /** Serial number that the peer's next sequenced record will have: goes with every credit extension. */
  expectedSerial = 0;

  readonly posts = new SendQueue();
  readonly answers = new SendQueue();
  wire!: Wire;
  #writer!: RecordWriter;
  #inlineLimitBytes = 0;
  #streaming: SharedBuffer | undefined;
  #streamedBytes = 0;
  /** The record whose data is being streamed; undefined when it is sent again after a reconnect. */
  #streamingRecord: QueuedRecord | undefined;
  /** Pings and pongs that found no room. */
  readonly #signsOfLife = new Set<number>();
  #finWanted = false;
  /** The peer knows that a message waits for more bytes than it has announced. */
  #creditsAsked = false;
  /** Nothing new may be sent: the straight way stays shut. */
  #isClosing = false;
  #readyWaiters: (() => void)[] = [];
  /** Size of the last encoded value: a guess for the next one. */
  #encodedBytes = 128;
  readonly #owner: OutboundOwner;
  readonly #host: SessionHost;

  constructor(owner: OutboundOwner, ledger: ReleaseLedger, initialSerial: number) {
    this.#owner = owner;
    this.#host = owner.host;
    this.ledger = ledger;
    this.nextSerial = initialSerial;
  }

  /** Takes up a wire, new or after the loss of another. Sending starts with `goOnline`. */
  attach(wire: Wire, remoteId: number): void {
    this.wire = wire;
    this.#creditsAsked = false;
    this.#signsOfLife.clear();
    this.#writer = wire.link.writer;
    this.remoteId = remoteId;
    this.applyOptions();
  }

  /** Reads the options anew. */
  applyOptions(): void {
    if (this.wire === undefined) return;
    this.#inlineLimitBytes = Math.min(
      this.#owner.options.inlineLimitBytes,
      this.wire.link.maximumRecordBytes - overheadBytes,
    );
  }

  retainForResume(): void {
    this.retransmitter ??= new Retransmitter();
  }

  goOnline(): void {
    this.isOnline = true;
    this.pump();
  }

  goOffline(): void {
    this.isOnline = false;
    this.straightPosts = false;
    this.straightAnswers = false;
    // A message that was being streamed is sent again as a whole: its copy is with the retransmitter.
    const record = this.#streamingRecord;
    if (this.#streaming !== undefined && this.retransmitter === undefined) this.#streaming.release();
    this.#streaming = undefined;
    this.#streamingRecord = undefined;
    if (record !== undefined && this.retransmitter !== undefined) this.#owner.onRecordSent(record);
  }

  /**
   * The straight way for raw bytes: into the ring or frame at once. False when the message must take the other way.
   * The hot path: no allocation, no closure, no call into native code but the copy itself.
   */
  placeBytes(kind: number, reference: number, data: Uint8Array, more: boolean): boolean {
    const length = data.length;
    const credits = kind === RecordKind.response ? this.credits.responses : this.credits.posts;
    if (length > this.#inlineLimitBytes || credits.messages <= 0 || credits.bytes < length) return false;
    const writer = this.#writer;
    const start = writer.claim(messageHeaderBytes + length);
    if (start < 0) return false;
    credits.messages--;
    credits.bytes -= length;
    const serial = this.nextSerial;
    this.nextSerial = (serial + 1) | 0;
    const block = writer.block;
    const int32 = block.int32;
    const word = start >> 2;
    int32[word] = messageHeaderBytes + length;
    int32[word + 1] = more ? kind | (MessageFlag.more << flagsShift) : kind;
    int32[word + 2] = this.remoteId;
    int32[word + 3] = serial;
    int32[word + 4] = reference;
    int32[word + 5] = (serial & timedMask) === 0 ? this.#timeOfSending() : 0;
    block.bytes.set(data, start + messageHeaderBytes);
    this.#host.statistics.recordSent(kind - RecordKind.oneWay, length);
    if (more) this.#host.wires.batch(this.wire);
    else this.wire.link.publish();
    return true;
  }

  /** The straight way for a value: encoded in place. False when it must take the other way. */
  placeValue(kind: number, reference: number, value: unknown, more: boolean): boolean {
    const credits = kind === RecordKind.response ? this.credits.responses : this.credits.posts;
    const room = Math.min(this.#inlineLimitBytes, 2 * this.#encodedBytes + 64);
    if (credits.messages <= 0 || credits.bytes < room) return false;
    const writer = this.#writer;
    const start = writer.claim(messageHeaderBytes + room);
    if (start < 0) return false;
    const block = writer.block;
    const dataStart = start + messageHeaderBytes;
    let end: number;
    try {
      end = this.#host.codec.encodeInto(value, block.bytes, dataStart, dataStart + room);
    } catch (error) {
      writer.trim(start, 0);
      throw error;
    }
    if (end < 0) {
      writer.trim(start, 0);
      return false;
    }
    const length = end - dataStart;
    writer.trim(start, messageHeaderBytes + length);
    this.#encodedBytes = length;
    credits.messages--;
    credits.bytes -= length;
    const serial = this.nextSerial;
    this.nextSerial = (serial + 1) | 0;
    const int32 = block.int32;
    const word = start >> 2;
    const flags = more ? MessageFlag.encoded | MessageFlag.more : MessageFlag.encoded;
    int32[word] = messageHeaderBytes + length;
    int32[word + 1] = kind | (flags << flagsShift);
    int32[word + 2] = this.remoteId;
    int32[word + 3] = serial;
    int32[word + 4] = reference;
    int32[word + 5] = (serial & timedMask) === 0 ? this.#timeOfSending() : 0;
    this.#host.statistics.recordSent(kind - RecordKind.oneWay, length);
    if (more) this.#host.wires.batch(this.wire);
    else this.wire.link.publish();
    return true;
  }

  /**
   * The way of any message: what cannot be placed now waits, in order. Returns whether it was placed. The payload's
   * bytes are taken at the call. Throws `ERR_HEDDLE_SEND_QUEUE_FULL` and `ERR_HEDDLE_MESSAGE_TOO_LARGE`, and what the
   * codec and the pool throw; nothing is sent then.
   */
  submit(kind: number, flags: number, reference: number, payload: Payload, options: SendOptions): boolean {
    const queue = kind === RecordKind.response ? this.answers : this.posts;
    const record = this.#makeRecord(kind, flags, reference, payload, options);
    queue.push(record);
    this.pump();
    const placed = queue.length === 0;
    if (!placed) this.#host.statistics.recordSendQueueLength(queue.length);
    if (this.isOnline) this.#publish(options.more === true);
    return placed;
  }

  /** Places a small sequenced record about a message: a receipt, a cancel, the answer to one. */
  submitControl(kind: number, flags: number, headerField: number, reference: number): void {
    this.answers.push({
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
    });
    this.pump();
    if (this.isOnline) this.#host.wires.batch(this.wire);
  }

  /** Places an unsequenced record: it is never queued; what is lost of these is sent again by itself. */
  placeUnsequenced(kind: number): boolean {
    if (!this.isOnline) return false;
    const placed = this.#place(kind, 0, 0, undefined, undefined, kind === RecordKind.credit);
    if (placed) this.#host.wires.batch(this.wire);
    // A sign of life that finds no room goes when there is some: the peer may wait for this one.
    else if (kind === RecordKind.ping || kind === RecordKind.pong) this.#signsOfLife.add(kind);
    return placed;
  }

  #placeSignsOfLife(): void {
    const kinds = [...this.#signsOfLife];
    this.#signsOfLife.clear();
    for (const kind of kinds) this.placeUnsequenced(kind);
  }

  /** The peer has announced what it released. */
  creditsArrived(): void {
    this.#creditsAsked = false;
    if (!this.straightPosts || !this.straightAnswers) this.pump();
  }

  /** Tells the peer what has been released; when there is no room the next pump does it. */
  announceCredits(): void {
    this.placeUnsequenced(RecordKind.credit);
  }

  /** Sends the fin once everything queued before it has been placed. */
  queueFin(): void {
    this.#finWanted = true;
    this.#isClosing = true;
    this.pump();
  }

  /** Acknowledges the peer's fin. */
  placeFinAck(): void {
    this.submitControl(RecordKind.finAck, 0, 0, 0);
    if (this.isOnline) this.wire.link.publish();
  }

  /** Takes a request that has not been placed yet out of the queue. */
  removeQueuedRequest(requestId: number): QueuedRecord | undefined {
    const record = this.posts.remove((one) => one.kind === RecordKind.request && one.reference === requestId);
    if (record === undefined) return undefined;
    record.large?.release();
    // It may have held up others, the fin, or who waits for the queue to be empty.
    this.pump();
    return record;
  }

  /** Resolves when nothing waits to be placed. */
  ready(): Promise<void> {
    if (this.posts.length === 0 && this.isOnline) return Promise.resolve();
    return new Promise((resolve) => this.#readyWaiters.push(resolve));
  }

  /** Places what waits, as far as credits and room allow. */
  pump(): void {
    if (!this.isOnline || this.wire.isBlocked) return;
    const placedBefore = this.nextSerial;
    const hadStreamed = this.#streamedBytes;
    // Nothing may come between the fragments of a large message: not even what a callback sends meanwhile.
    this.straightAnswers = false;
    this.straightPosts = false;
    if (this.#resendPending() && this.#continueStream()) {
      if (this.#drain(this.answers, this.credits.responses)) this.#drain(this.posts, this.credits.posts);
      this.#finishIfEmpty();
    }
    if (this.ledger.isAnnouncementDue) this.announceCredits();
    if (this.#signsOfLife.size > 0) this.#placeSignsOfLife();
    const idle = this.#streaming === undefined && this.isOnline && !this.retransmitter;
    this.straightAnswers = idle && this.answers.length === 0;
    this.straightPosts = idle && this.posts.length === 0 && !this.#isClosing;
    if (this.posts.length === 0 && this.#readyWaiters.length > 0) this.#resolveReady();
    if (placedBefore !== this.nextSerial || hadStreamed !== this.#streamedBytes) this.#host.wires.batch(this.wire);
  }

  /** Gives back everything that was not sent, each record once. */
  flush(error: HeddleError): void {
    this.goOffline();
    for (const queue of [this.answers, this.posts]) {
      for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
        record.large?.release();
        if (record.kind <= lastCreditedKind) {
          this.#owner.onRecordDropped(record, record.kind === RecordKind.response ? 'discarded' : 'flushed', error);
        }
      }
    }
    this.retransmitter?.clear();
    this.#resolveReady();
  }

  #resolveReady(): void {
    const waiters = this.#readyWaiters;
    if (waiters.length === 0) return;
    this.#readyWaiters = [];
    for (const resolve of waiters) resolve();
    this.#host.endTurnSoon();
  }

  #publish(more: boolean): void {
    if (more) this.#host.wires.batch(this.wire);
    else this.wire.link.publish();
  }

  /** Throws when a message of that size can never be sent, or not be queued now. */
  #requireRoom(kind: number, bytes: number): void {
    if (this.credits !== undefined && bytes > this.credits.peerDepthBytes) throw this.#tooLarge(bytes);
    if (kind === RecordKind.response) return;
    const { sendQueueDepthMessages, sendQueueDepthBytes } = this.#owner.options;
    const posts = this.posts;
    if (posts.length >= sendQueueDepthMessages || (posts.length > 0 && posts.bytes + bytes > sendQueueDepthBytes)) {
      throw new HeddleError(
        'ERR_HEDDLE_SEND_QUEUE_FULL',
        `the send queue holds messages=${posts.length} of ${sendQueueDepthMessages} and bytes=${posts.bytes} of ` +
          `${sendQueueDepthBytes}: when send() returns false, wait for ready() before sending more`,
        { details: { messages: posts.length, bytes: posts.bytes } },
      );
    }
  }

  #makeRecord(kind: number, flags: number, reference: number, payload: Payload, options: SendOptions): QueuedRecord {
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
      data = this.#host.codec.encode(payload);
    }
    const lengthBytes =
      data?.length ?? (payload instanceof Segments ? payload.encodedBytes : (payload as Uint8Array).length);
    const chargedBytes = lengthBytes + (header?.length ?? 0);
    // Before anything is taken from the caller.
    this.#requireRoom(kind, chargedBytes);
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
        large.bytes.set(bytes);
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

  /** A buffer of the pool for data that is too long for a record; undefined when it is not. */
  #largeFor(lengthBytes: number, header: Uint8Array | undefined): SharedBuffer | undefined {
    const limit = this.wire === undefined ? this.#owner.options.inlineLimitBytes : this.#inlineLimitBytes;
    if (lengthBytes + paddedHeaderBytes(header?.length ?? 0) <= limit) return undefined;
    return this.#host.pool.allocate(lengthBytes);
  }

  #tooLarge(bytes: number): HeddleError {
    const depth = this.credits.peerDepthBytes;
    return new HeddleError(
      'ERR_HEDDLE_MESSAGE_TOO_LARGE',
      `a message of bytes=${bytes} exceeds the peer's receiveDepthBytes=${depth}: send it in parts, or raise that option there`,
      { details: { bytes, receiveDepthBytes: depth } },
    );
  }

  /** Places what the queue holds until it is empty (true), or the link has no room (false). */
  #drain(queue: SendQueue, credits: Credits): boolean {
    for (let record = queue.head; record !== undefined; record = queue.head) {
      const credited = record.kind <= lastCreditedKind;
      if (credited) {
        if (record.chargedBytes > this.credits.peerDepthBytes) {
          queue.shift();
          record.large?.release();
          this.#owner.onRecordDropped(record, 'flushed', this.#tooLarge(record.chargedBytes));
          continue;
        }
        if (credits.messages <= 0 || credits.bytes < record.chargedBytes) {
          this.#host.statistics.add('creditStalls');
          // The peer announces by halves of its depth: the other half may be what this message needs.
          if (credits.messages > 0 && !this.#creditsAsked) {
            this.#creditsAsked = this.placeUnsequenced(RecordKind.creditsWanted);
          }
          return true;
        }
      }
      const misfit = this.#fitToLink(record);
      if (misfit !== undefined) {
        queue.shift();
        record.large?.release();
        this.#owner.onRecordDropped(record, record.kind === RecordKind.response ? 'discarded' : 'flushed', misfit);
        continue;
      }
      const serial = this.nextSerial;
      if (!this.#placeQueued(record)) return false;
      queue.shift();
      this.#owner.onRecordPlaced(record, serial);
      if (credited) {
        credits.messages--;
        credits.bytes -= record.chargedBytes;
        this.#host.statistics.recordSent(record.kind - RecordKind.oneWay, record.chargedBytes);
      }
      if (this.#streaming === undefined) this.#owner.onRecordSent(record);
      else if (!this.#continueStream()) return false;
    }
    return true;
  }

  /**
   * What was queued before the link was known may be too long for a record of it: the data then goes as that of a large
   * message. Returns why the message cannot be sent at all.
   */
  #fitToLink(record: QueuedRecord): HeddleError | undefined {
    const room = this.wire.link.maximumRecordBytes - overheadBytes - paddedHeaderBytes(record.header?.length ?? 0);
    const { data } = record;
    if (room < descriptorBytes) {
      return new HeddleError(
        'ERR_HEDDLE_MESSAGE_TOO_LARGE',
        `a header of ${record.header?.length} bytes does not fit a record of this link, of at most ` +
          `maximumRecordBytes=${this.wire.link.maximumRecordBytes}: send it as data, or give the link larger records`,
      );
    }
    if (data === undefined || data.length <= room) return undefined;
    try {
      record.large = this.#host.pool.allocate(data.length);
    } catch (error) {
      return error as HeddleError;
    }
    record.large.bytes.set(data);
    record.data = undefined;
    return undefined;
  }

  #placeQueued(record: QueuedRecord): boolean {
    const large = record.large;
    if (large === undefined) {
      return this.#place(record.kind, record.flags, record.reference, record.header, record.data, true, record);
    }
    const link = this.wire.link;
    if (!link.sharesMemory && large.length + paddedHeaderBytes(record.header?.length ?? 0) <= this.#inlineLimitBytes) {
      if (!this.#place(record.kind, record.flags, record.reference, record.header, large.bytes, true)) return false;
      large.release();
      return true;
    }
    const flags = record.flags | MessageFlag.large;
    const descriptor = Buffer.alloc(descriptorBytes);
    descriptor.writeInt32LE(large.length, 0);
    descriptor.writeInt32LE(record.isUsersBuffer ? 1 : 0, 20);
    if (!link.sharesMemory) {
      if (!this.#place(record.kind, flags, record.reference, record.header, descriptor, true, record)) return false;
      this.#streaming = large;
      this.#streamingRecord = record;
      this.#streamedBytes = 0;
      return true;
    }
    const moved = large.moveTo(link.peerContextId);
    descriptor.writeInt32LE(moved.slabId, 4);
    descriptor.writeInt32LE(moved.slot, 8);
    descriptor.writeInt32LE(moved.handle, 12);
    descriptor.writeInt32LE(moved.byteOffset, 16);
    link.shareSlab(moved.slabId, moved.memory);
    if (this.#place(record.kind, flags, record.reference, record.header, descriptor, true, record)) return true;
    large.undoMove();
    return false;
  }

  /** Streams on where a large message stopped. True when there is nothing (more) to stream. */
  #continueStream(): boolean {
    const large = this.#streaming;
    if (large === undefined) return true;
    const limit = Math.min(maximumFragmentBytes, this.wire.link.maximumRecordBytes - messageHeaderBytes);
    const bytes = large.bytes;
    while (this.#streamedBytes < large.length) {
      const end = Math.min(this.#streamedBytes + limit, large.length);
      const piece = bytes.subarray(this.#streamedBytes, end);
      if (!this.#place(RecordKind.fragment, 0, this.#streamedBytes, undefined, piece, false)) return false;
      this.#streamedBytes = end;
    }
    const record = this.#streamingRecord;
    this.#streaming = undefined;
    this.#streamingRecord = undefined;
    if (this.retransmitter === undefined) large.release();
    if (record !== undefined) this.#owner.onRecordSent(record);
    return true;
  }

  /** Places again what the peer did not receive before the link was lost. True when nothing (more) is to be done. */
  #resendPending(): boolean {
    const retransmitter = this.retransmitter;
    if (retransmitter === undefined) return true;
    for (let copy = retransmitter.nextToResend(); copy !== undefined; copy = retransmitter.nextToResend()) {
      if (!this.#continueStream()) return false;
      const start = this.#writer.claim(copy.bytes.length);
      if (start < 0) return false;
      const block = this.#writer.block;
      block.bytes.set(copy.bytes, start);
      block.int32[(start >> 2) + 2] = this.remoteId;
      retransmitter.resent();
      this.#host.statistics.add('messagesResent');
      this.#host.wires.batch(this.wire);
      if (copy.streamed !== undefined) {
        this.#streaming = copy.streamed;
        this.#streamedBytes = 0;
      }
    }
    return true;
  }

  /** What is measured on one message of many: when it was sent, and how full its link was. Never 0. */
  #timeOfSending(): number {
    this.#host.statistics.recordLinkOccupancy(this.wire.link.occupancyBytes());
    return this.#host.clock.nowMicros() | 1;
  }

  #finishIfEmpty(): void {
    if (!this.#finWanted || this.#streaming !== undefined || this.posts.length > 0 || this.answers.length > 0) return;
    if (!this.#place(RecordKind.fin, 0, 0, undefined, undefined, true)) return;
    this.#finWanted = false;
    this.wire.link.publish();
    this.#owner.onFinSent();
  }

  /** Places one record of any kind. False when the link has no room now. */
  #place(
    kind: number,
    flags: number,
    reference: number,
    header: Uint8Array | undefined,
    data: Uint8Array | undefined,
    mayCarryCredits: boolean,
    record?: QueuedRecord,
  ): boolean {
    const ledger = this.ledger;
    const carries = mayCarryCredits && (kind === RecordKind.credit || ledger.isWorthCarrying);
    const headerLength = header === undefined ? 0 : header.length;
    const headerStart = messageHeaderBytes + (carries ? creditExtensionBytes : 0);
    const dataStart = headerStart + paddedHeaderBytes(headerLength);
    const total = dataStart + (data === undefined ? 0 : data.length);
    const start = this.#writer.claim(total);
    if (start < 0) return false;
    const block = this.#writer.block;
    const int32 = block.int32;
    const word = start >> 2;
    const isSequenced = kind <= lastSequencedKind;
    const serial = this.nextSerial;
    if (isSequenced) this.nextSerial = (serial + 1) | 0;
    const flagBits = carries ? flags | MessageFlag.credits : flags;
    int32[word] = total;
    int32[word + 1] = kind | (flagBits << flagsShift) | (headerLength << headerLengthShift);
    int32[word + 2] = this.remoteId;
    int32[word + 3] = isSequenced ? serial : 0;
    int32[word + 4] = reference;
    int32[word + 5] = isSequenced && (serial & timedMask) === 0 ? this.#timeOfSending() : 0;
    if (carries) {
      int32[word + 6] = ledger.posts.releasedMessages;
      int32[word + 7] = ledger.posts.releasedBytes;
      int32[word + 8] = ledger.responses.releasedMessages;
      int32[word + 9] = ledger.responses.releasedBytes;
      int32[word + 10] = this.expectedSerial;
      int32[word + 11] = 0;
      ledger.announced();
    }
    if (header !== undefined) block.bytes.set(header, start + headerStart);
    if (data !== undefined) block.bytes.set(data, start + dataStart);
    if (isSequenced && this.retransmitter !== undefined) {
      const streamed = (flags & MessageFlag.large) !== 0 && !this.wire.link.sharesMemory ? record?.large : undefined;
      this.retransmitter.remember(serial, block.bytes, start, total, streamed);
    }
    return true;
  }
}

/** What the compiler would have told: a mistake here must not show up as a TypeError much later. */
function requireSendOptions({ header, onReceipt, onSent }: SendOptions): void {
  if (header !== undefined && !(header instanceof Uint8Array)) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `header must be bytes, a Uint8Array or Buffer, not ${typeof header}: use Buffer.from(text)`,
    );
  }
  for (const [name, callback] of Object.entries({ onReceipt, onSent })) {
    if (callback === undefined || typeof callback === 'function') continue;
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name} must be a function, not ${typeof callback}`);
  }
}
