import { HeddleError } from '../../errors.js';
import type { BufferCarrier } from '../../transports/transport.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import type { Codec } from '../message/codec.js';
import {
  dataOffset,
  descriptorBytes,
  descriptorOfTransfer,
  descriptorOfUsersBuffer,
  lastCreditedKind,
  MessageFlag,
  paddedHeaderBytes,
  RecordKind,
} from '../message/message-layout.js';
import type { Payload, SendOptions } from '../message/payload.js';
import { BatchPlacer } from './batch-placer.js';
import type { ConnectionEvent } from './connection-machine.js';
import type { Credits, ReleaseLedger } from './credits.js';
import { LargeStream } from './large-stream.js';
import type { ConnectionOptions } from './options.js';
import { controlRecord, RecordMaker, tooLargeForPeer } from './record-maker.js';
import { Retransmitter } from './retransmitter.js';
import { type QueuedRecord, SendQueue } from './send-queue.js';
import type { SessionHost, Wire } from './session-host.js';

/** Is written anew for each large message, and copied into its record at once. */
const descriptor = Buffer.alloc(descriptorBytes);

/** What the sending half of a connection tells the connection. */
export interface OutboundOwner {
  readonly host: SessionHost;
  readonly codec: Codec;
  options: ConnectionOptions;
  /** Takes the fin, or the acknowledgement of the peer's, having been placed behind everything else. */
  step(event: ConnectionEvent): void;
  /** A queued record has been placed, with this serial number. */
  onRecordPlaced(record: QueuedRecord, serial: number): void;
  /** A queued record and all its data have been placed. */
  onRecordSent(record: QueuedRecord): void;
  /** Places what waits about regions, all of it or a little; returns whether anything was placed. */
  placeRegionRecords(all: boolean): boolean;
  /** A record was dropped before it was placed. */
  onRecordDropped(record: QueuedRecord, status: 'flushed' | 'discarded', error: HeddleError): void;
}

/**
 * The sending half of a connection: serial numbers, credits, the queues of what has to wait, and the placing of records
 * into the link. A message takes the straight way, encoded in place, when nothing waits before it; any other way goes
 * through a queue, in order.
 *
 * Posts (requests and one-way messages) and answers (responses, receipts, cancels and their answers) wait in queues of
 * their own and keep order within each: answers pass posts that wait for credits, since answering is what brings credits.
 */
export class Outbound extends BatchPlacer {
  /** Whether records may be placed: set by the connection. */
  isOnline = false;
  /** Whether a post, or an answer, can be placed at once: nothing waits before it. */
  straightPosts = false;
  straightAnswers = false;
  readonly posts = new SendQueue();
  readonly answers = new SendQueue();
  readonly #maker: RecordMaker;
  readonly #stream: LargeStream;
  /** Pings and pongs that found no room. */
  readonly #signsOfLife = new Set<number>();
  #finWanted = false;
  #finAckWanted = false;
  /** The peer knows that a message waits for more bytes than it has announced. */
  #creditsAsked = false;
  /** Nothing new may be sent: the straight way stays shut. */
  #isClosing = false;
  /** Everything was given back: nothing is sent any more. */
  #isFlushed = false;
  #readyWaiters: (() => void)[] = [];
  /** Records that were placed, and whose data has not gone whole. */
  readonly #underWay = new Set<QueuedRecord>();
  /** How many waiting records the statistics know of. */
  #countedRecords = 0;
  readonly #owner: OutboundOwner;

  constructor(owner: OutboundOwner, ledger: ReleaseLedger, initialSerial: number) {
    super(owner, ledger, initialSerial);
    this.#owner = owner;
    this.#maker = new RecordMaker(owner.host, owner.codec, this);
    this.#stream = new LargeStream(this, (record) => owner.onRecordSent(record));
  }

  /** Takes up a wire, new or after the loss of another. Sending starts with `goOnline`. */
  override attach(wire: Wire, remoteId: number): void {
    this.#creditsAsked = false;
    this.#signsOfLife.clear();
    super.attach(wire, remoteId);
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
    const cutShort = this.#stream.stop();
    if (cutShort !== undefined) this.#underWay.add(cutShort);
  }

  /**
   * The way of any message: what cannot be placed now waits, in order. Returns whether it was placed. The payload's
   * bytes are taken at the call. Throws `ERR_HEDDLE_SEND_QUEUE_FULL` and `ERR_HEDDLE_MESSAGE_TOO_LARGE`, and what the
   * codec and the pool throw; nothing is sent then.
   */
  submit(kind: number, flags: number, reference: number, payload: Payload, options: SendOptions): boolean {
    const queue = kind === RecordKind.response ? this.answers : this.posts;
    const record = this.#maker.make(kind, flags, reference, payload, options);
    queue.push(record);
    this.pump();
    const placed = queue.length === 0;
    if (this.isOnline) {
      if (options.more === true) this.host.wires.batch(this.wire);
      else this.publish();
    }
    return placed;
  }

  /** Places a small sequenced record about a message: a receipt, a cancel, the answer to one. */
  submitControl(kind: number, flags: number, headerField: number, reference: number): void {
    // What a handler decides after the connection has ended has nowhere to go.
    if (this.#isFlushed) return;
    this.answers.push(controlRecord(kind, flags, headerField, reference));
    this.pump();
    if (this.isOnline) this.host.wires.batch(this.wire);
  }

  /** Places an unsequenced record: it is never queued; what is lost of these is sent again by itself. */
  placeUnsequenced(kind: number): boolean {
    if (!this.isOnline) return false;
    const placed = this.place(kind, 0, 0, undefined, undefined, kind === RecordKind.credit);
    if (placed) this.host.wires.batch(this.wire);
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
    this.#finAckWanted = true;
    this.submitControl(RecordKind.finAck, 0, 0, 0);
    if (this.isOnline) this.publish();
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
    if (this.isOnline && !this.wire.isBlocked) this.#placeWaiting();
    else {
      // What waits now is not to be overtaken.
      if (this.posts.length > 0) this.straightPosts = false;
      if (this.answers.length > 0) this.straightAnswers = false;
    }
    this.#countWaiting();
  }

  #placeWaiting(): void {
    this.settle();
    const placedBefore = this.nextSerial;
    const fragmentsBefore = this.#stream.placedFragments;
    // Nothing may come between the fragments of a large message: not even what a callback sends meanwhile.
    this.straightAnswers = false;
    this.straightPosts = false;
    const hasServed = this.#owner.placeRegionRecords(false);
    if (this.#resendPending() && this.#stream.goOn()) {
      if (this.#drain(this.answers, this.credits.responses)) this.#drain(this.posts, this.credits.posts);
      this.#finishIfEmpty();
    }
    if (this.ledger.isAnnouncementDue) this.announceCredits();
    if (this.#signsOfLife.size > 0) this.#placeSignsOfLife();
    if (this.#owner.placeRegionRecords(true) || hasServed) this.host.wires.batch(this.wire);
    const idle = !this.#stream.isActive && this.isOnline && !this.retransmitter;
    this.straightAnswers = idle && this.answers.length === 0;
    this.straightPosts = idle && this.posts.length === 0 && !this.#isClosing;
    if (this.posts.length === 0 && this.#readyWaiters.length > 0) this.#resolveReady();
    const hasStreamed = fragmentsBefore !== this.#stream.placedFragments;
    if (placedBefore !== this.nextSerial || hasStreamed) this.host.wires.batch(this.wire);
  }

  /** Tells the statistics how many records wait more, or less, than they know of. */
  #countWaiting(): void {
    const waiting = this.posts.length + this.answers.length;
    if (waiting === this.#countedRecords) return;
    this.host.statistics.recordWaiting(waiting - this.#countedRecords);
    this.#countedRecords = waiting;
  }

  /** Gives back everything that was not sent, each record once. */
  flush(error: HeddleError): void {
    this.#isFlushed = true;
    this.goOffline();
    for (const record of this.#underWay) {
      // Who waits for a request's answer, or for a receipt, hears of the end otherwise.
      if (record.kind !== RecordKind.request) this.#drop({ ...record, onReceipt: undefined }, error);
    }
    this.#underWay.clear();
    for (const queue of [this.answers, this.posts]) {
      for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
        record.large?.release();
        if (record.kind <= lastCreditedKind) {
          this.#drop(record, error);
        }
      }
    }
    this.#countWaiting();
    this.retransmitter?.clear();
    this.#resolveReady();
  }

  /** Tells of a message that will never go. */
  #drop(record: QueuedRecord, error: HeddleError): void {
    this.#owner.onRecordDropped(record, record.kind === RecordKind.response ? 'discarded' : 'flushed', error);
  }

  #resolveReady(): void {
    const waiters = this.#readyWaiters;
    if (waiters.length === 0) return;
    this.#readyWaiters = [];
    for (const resolve of waiters) resolve();
    this.host.endTurnSoon();
  }

  /** Throws when a message of that size can never be sent, or not be queued now. */
  requireRoom(kind: number, bytes: number): void {
    const depth = this.credits?.peerDepthBytes;
    if (depth !== undefined && bytes > depth) throw tooLargeForPeer(bytes, depth);
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

  /** Places what the queue holds until it is empty (true), or the link has no room (false). */
  #drain(queue: SendQueue, credits: Credits): boolean {
    for (let record = queue.head; record !== undefined; record = queue.head) {
      const credited = record.kind <= lastCreditedKind;
      if (credited) {
        if (record.chargedBytes > this.credits.peerDepthBytes) {
          queue.shift();
          record.large?.release();
          const error = tooLargeForPeer(record.chargedBytes, this.credits.peerDepthBytes);
          this.#owner.onRecordDropped(record, 'flushed', error);
          continue;
        }
        if (credits.messages <= 0 || credits.bytes < record.chargedBytes) {
          this.host.statistics.add('creditStalls');
          // The peer announces by halves of its depth: the other half may be what this message needs.
          if (credits.messages > 0 && !this.#creditsAsked) {
            this.#creditsAsked = this.placeUnsequenced(RecordKind.creditsWanted);
          }
          return true;
        }
      }
      const misfit = this.#maker.fitToLink(record, this.wire.link);
      if (misfit !== undefined) {
        queue.shift();
        record.large?.release();
        this.#drop(record, misfit);
        continue;
      }
      const serial = this.nextSerial;
      if (!this.#placeQueued(record)) return false;
      queue.shift();
      this.#owner.onRecordPlaced(record, serial);
      if (credited) {
        credits.messages--;
        credits.bytes -= record.chargedBytes;
        this.host.statistics.recordSent(record.kind - RecordKind.oneWay, 1, record.chargedBytes);
      }
      // Data that goes beside the records has been sent when the peer has it.
      if (record.large !== undefined && this.wire.link.buffers !== undefined) continue;
      if (!this.#stream.isActive) this.#owner.onRecordSent(record);
      else if (!this.#stream.goOn()) return false;
    }
    return true;
  }

  #placeQueued(record: QueuedRecord): boolean {
    const large = record.large;
    if (large === undefined) {
      return this.place(record.kind, record.flags, record.reference, record.header, record.data, true, record);
    }
    const link = this.wire.link;
    const inlineBytes = large.length + paddedHeaderBytes(record.header?.length ?? 0);
    // No bytes are nothing to carry beside the record, however long its header.
    if (!link.sharesMemory && (inlineBytes <= this.inlineLimitBytes || large.length === 0)) {
      if (!this.place(record.kind, record.flags, record.reference, record.header, large.bytes, true)) return false;
      large.release();
      record.large = undefined;
      return true;
    }
    const flags = record.flags | MessageFlag.large;
    descriptor.fill(0);
    descriptor.writeInt32LE(large.length, 0);
    descriptor.writeInt32LE(record.isUsersBuffer ? descriptorOfUsersBuffer : 0, 20);
    const { buffers } = link;
    if (buffers !== undefined) {
      const transfer = buffers.nextTransfer();
      descriptor.writeInt32LE(transfer, 4);
      descriptor.writeInt32LE(descriptor.readInt32LE(20) | descriptorOfTransfer, 20);
      if (!this.place(record.kind, flags, record.reference, record.header, descriptor, true, record)) return false;
      this.#sendBeside(buffers, transfer, large, record);
      return true;
    }
    if (!link.sharesMemory) {
      if (!this.place(record.kind, flags, record.reference, record.header, descriptor, true, record)) return false;
      this.#stream.begin(large, (this.nextSerial - 1) | 0, record);
      return true;
    }
    const moved = large.moveTo(link.peerContextId);
    descriptor.writeInt32LE(moved.slabId, 4);
    descriptor.writeInt32LE(moved.slot, 8);
    descriptor.writeInt32LE(moved.handle, 12);
    descriptor.writeInt32LE(moved.byteOffset, 16);
    link.shareSlab(moved.slabId, moved.memory);
    if (!this.place(record.kind, flags, record.reference, record.header, descriptor, true, record)) {
      large.undoMove();
      return false;
    }
    this.host.statistics.add('sharedBuffersMoved');
    return true;
  }

  /** Places again what the peer did not receive before the link was lost. True when nothing (more) is to be done. */
  #resendPending(): boolean {
    const retransmitter = this.retransmitter;
    if (retransmitter === undefined) return true;
    for (let copy = retransmitter.nextToResend(); copy !== undefined; copy = retransmitter.nextToResend()) {
      if (!this.#stream.goOn()) return false;
      const start = this.writer.claim(copy.bytes.length);
      if (start < 0) return false;
      const block = this.writer.block;
      block.bytes.set(copy.bytes, start);
      block.int32[(start >> 2) + 2] = this.remoteId;
      retransmitter.resent();
      this.host.statistics.add('messagesResent');
      this.host.wires.batch(this.wire);
      if (copy.streamed === undefined) continue;
      const { buffers } = this.wire.link;
      if (buffers === undefined) this.#stream.begin(copy.streamed, copy.serial, undefined);
      else {
        const transfer = buffers.nextTransfer();
        block.bytes.writeInt32LE(transfer, start + dataOffset(block.int32[(start >> 2) + 1]) + 4);
        this.#sendBeside(buffers, transfer, copy.streamed, undefined);
      }
    }
    return true;
  }

  /** Offers the data of a large message, whose record was placed, to the peer. */
  #sendBeside(buffers: BufferCarrier, transfer: number, large: SharedBuffer, record: QueuedRecord | undefined): void {
    // Where the message may have to be sent again, the retransmitter holds the buffer until the peer says that it has it.
    const held = this.retransmitter === undefined ? large : large.clone();
    this.host.statistics.add('largeBuffersCarried');
    if (record !== undefined) this.#underWay.add(record);
    buffers.send(transfer, held.bytes, (error) => {
      if (held.isHeld) held.release();
      if (record === undefined || this.#isFlushed) return;
      // What the link's end has cut short comes back with what waits.
      if (error !== undefined && this.retransmitter === undefined) return;
      this.#underWay.delete(record);
      this.#owner.onRecordSent(record);
    });
  }

  #finishIfEmpty(): void {
    if (!this.#finWanted && !this.#finAckWanted) return;
    if (this.#stream.isActive || this.posts.length > 0 || this.answers.length > 0) return;
    if (this.#finWanted) {
      if (!this.place(RecordKind.fin, 0, 0, undefined, undefined, true)) return;
      this.#finWanted = false;
      this.publish();
      this.#owner.step({ type: 'finSent' });
    }
    if (this.#finAckWanted) {
      this.#finAckWanted = false;
      this.publish();
      this.#owner.step({ type: 'finAckSent' });
    }
  }
}
