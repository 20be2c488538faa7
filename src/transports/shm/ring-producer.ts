import { HeddleError } from '../../errors.js';
import { paddingRecordType } from '../record.js';
import { type RecordSink, RecordWriter } from '../record-writer.js';
import {
  closedIndex,
  closeRecordType,
  closeReserveBytes,
  headIndex,
  maximumReasonBytes,
  maximumRingRecordBytes,
  openRing,
  type RingView,
  reasonByteOffset,
  reasonLengthIndex,
  ringPublishBytes,
  tailIndex,
  wantsRoomIndex,
} from './ring-layout.js';

/** What a producer tells its link from inside of a claim. */
export interface RingProducerOwner {
  /** What was claimed has been published, since the ring is full or much has gathered: the consumer may have to be woken. */
  onPublishedByClaim(): void;
}

/**
 * The writing side of a ring. Records are placed by `writer`, whose window is the longest contiguous piece known to be
 * free, and only as long as is worth publishing by itself; when it is used up the producer looks at the consumer's position,
 * and publishes what has gathered, however much more of the batch follows.
 *
 * Position of a record = `lapStart` + its offset, where `lapStart` is the position that offset 0 has in this lap.
 */
export class RingProducer implements RecordSink {
  readonly writer: RecordWriter;
  readonly maximumRecordBytes: number;
  /**
   * Room in bytes that a failed claim waits for, 0 when none waits. Plain fields here and below: they are read once
   * per poll or publication.
   */
  wantedBytes = 0;
  readonly ring: RingView;
  readonly owner: RingProducerOwner;
  readonly header: Int32Array;
  readonly capacityBytes: number;
  lapStart: number;
  publishedTail: number;
  /** The consumer's position as last seen. The true one is never behind it, so room counted from it is really there. */
  cachedHead: number;
  closed = false;

  constructor(memory: SharedArrayBuffer, owner: RingProducerOwner) {
    const ring = openRing(memory);
    this.ring = ring;
    this.owner = owner;
    this.header = ring.header;
    this.capacityBytes = ring.capacityBytes;
    this.maximumRecordBytes = maximumRingRecordBytes(ring.capacityBytes);
    this.publishedTail = Atomics.load(ring.header, tailIndex);
    this.cachedHead = Atomics.load(ring.header, headIndex);
    this.writer = new RecordWriter(ring.records, this);
    this.writer.cursor = this.publishedTail & (ring.capacityBytes - 1);
    // Set twice: V8 takes a field that is set once for a constant, and would throw the machine code of a send away at the
    // first wrap, some thousand messages after it was made.
    this.lapStart = this.publishedTail;
    this.lapStart = (this.publishedTail - this.writer.cursor) | 0;
  }

  /**
   * Makes everything claimed so far visible to the consumer, and returns whether that was anything. The caller must
   * look afterwards whether the consumer sleeps.
   */
  publish(): boolean {
    const tail = (this.lapStart + this.writer.cursor) | 0;
    if (tail === this.publishedTail || this.closed) return false;
    this.publishedTail = tail;
    this.writer.seal();
    // The one barrier on the way out. As a release it keeps the records' plain stores before it, so that a consumer
    // that sees this tail sees the records; being sequentially consistent it also stands before the load of the
    // consumer's sleeping flag that follows, the producer's half of the sleep protocol.
    Atomics.store(this.header, tailIndex, tail);
    return true;
  }

  /** {@link RecordSink.makeRoom}. The slow way of a claim: a wrap, or a window used up, or a full ring. */
  makeRoom(writer: RecordWriter, alignedBytes: number): boolean {
    if (this.closed) return false;
    if (alignedBytes > this.maximumRecordBytes) {
      throw new HeddleError(
        'ERR_HEDDLE_MESSAGE_TOO_LARGE',
        `a record of lengthBytes=${alignedBytes} exceeds maximumRecordBytes=${this.maximumRecordBytes} of this ring; ` +
          'send the bytes in a SharedBuffer, or make the rings larger',
        { details: { lengthBytes: alignedBytes, maximumRecordBytes: this.maximumRecordBytes } },
      );
    }
    const cursor = writer.cursor;
    const toEnd = this.capacityBytes - cursor;
    const paddingBytes = alignedBytes > toEnd ? toEnd : 0;
    const neededBytes = paddingBytes + alignedBytes;
    if (this.#freeBytes() < neededBytes) {
      this.#refreshHead();
      if (this.#freeBytes() < neededBytes && !this.#roomAfterAsking(neededBytes)) return false;
    }
    if (paddingBytes > 0) {
      // Shorter than this record, so at most an eighth of the ring is lost to it.
      const int32 = this.ring.records.int32;
      int32[cursor >> 2] = paddingBytes;
      int32[(cursor >> 2) + 1] = paddingRecordType;
    }
    if (alignedBytes > toEnd) this.#startLap();
    const publishBytes = ringPublishBytes(this.capacityBytes, alignedBytes);
    // By the writer's contract every record claimed before this claim is filled in, and sealed.
    if (this.#unpublishedBytes() + alignedBytes > publishBytes && this.publish()) this.owner.onPublishedByClaim();
    this.#moveWindowEnd(publishBytes);
    // wantedBytes stays: an earlier claim that failed is owed its onWritable, whatever succeeds in between.
    return true;
  }

  /** Whether a claim failed that has room now. */
  hasWantedRoom(): boolean {
    if (this.wantedBytes === 0) return false;
    this.#refreshHead();
    return this.#freeBytes() >= this.wantedBytes;
  }

  /** Like {@link hasWantedRoom}, and takes the wish back: true once for each wait. */
  roomHasCome(): boolean {
    if (!this.hasWantedRoom()) return false;
    this.wantedBytes = 0;
    Atomics.store(this.header, wantsRoomIndex, 0);
    return true;
  }

  /** Bytes claimed, padding included, that the consumer has not taken out yet. */
  occupancyBytes(): number {
    this.#refreshHead();
    return (this.lapStart + this.writer.cursor - this.cachedHead) | 0;
  }

  /**
   * Publishes what was claimed, and after it the close record, for which room was kept. `reason` is empty for a
   * graceful close. Nothing can be claimed or published afterwards.
   */
  close(reason: string): void {
    if (this.closed) return;
    const writer = this.writer;
    writer.seal();
    const { headerBytes, records } = this.ring;
    // Buffer.write stops before a character that does not fit whole.
    const reasonBytes = headerBytes.write(reason, reasonByteOffset, maximumReasonBytes, 'utf8');
    this.header[reasonLengthIndex] = reasonBytes;
    // Before the tail: whoever has seen the close record finds the flag set. The directory reads it by itself.
    Atomics.store(this.header, closedIndex, 1);
    if (writer.cursor === this.capacityBytes) this.#startLap();
    records.int32[writer.cursor >> 2] = closeReserveBytes;
    records.int32[(writer.cursor >> 2) + 1] = closeRecordType;
    writer.cursor += closeReserveBytes;
    this.publish();
    this.closed = true;
    this.wantedBytes = 0;
    // An empty window sends every later claim to makeRoom, which refuses it.
    writer.end = 0;
  }

  /** Ends this side without a word to the consumer, which is gone. */
  abandon(): void {
    this.writer.seal();
    this.closed = true;
    this.wantedBytes = 0;
    this.writer.end = 0;
    Atomics.store(this.header, closedIndex, 1);
  }

  #startLap(): void {
    this.lapStart = (this.lapStart + this.capacityBytes) | 0;
    this.writer.cursor = 0;
  }

  #freeBytes(): number {
    return this.capacityBytes - closeReserveBytes - ((this.lapStart + this.writer.cursor - this.cachedHead) | 0);
  }

  #unpublishedBytes(): number {
    return (this.lapStart + this.writer.cursor - this.publishedTail) | 0;
  }

  /**
   * The window ends where `publishBytes` have gathered, enough to be published: no fewer than what is unpublished and the record
   * that is about to be claimed.
   */
  #moveWindowEnd(publishBytes: number): void {
    const writer = this.writer;
    const windowBytes = publishBytes - this.#unpublishedBytes();
    writer.end = Math.min(this.capacityBytes, writer.cursor + Math.min(this.#freeBytes(), windowBytes));
  }

  #refreshHead(): void {
    // An acquire: the consumer's reads of the records before this position are over, their bytes may be overwritten.
    // As part of waiting for room it is also the load that follows the store of a flag (see #roomAfterAsking).
    const head = Atomics.load(this.header, headIndex);
    const used = (this.publishedTail - head) | 0;
    // A position outside of what was published would let records be overwritten that were not read, so it is not
    // believed: the ring then counts as full.
    if (used >= 0 && used <= this.capacityBytes) this.cachedHead = head;
  }

  /** The ring is full: leaves word with the consumer that room is wanted, unless room turns up meanwhile. */
  #roomAfterAsking(neededBytes: number): boolean {
    // What is claimed must be published now: a consumer that cannot see it would never make room.
    if (this.publish()) this.owner.onPublishedByClaim();
    // The flag is stored before the head is loaded again; the consumer stores the head before it loads the flag. In a
    // sequentially consistent order one of the two sees the other's store, so room cannot come unnoticed. A context
    // that then goes to sleep looks for room once more, after its own flag. Stored once for each wait: a caller that
    // keeps trying must not keep taking the line away from the consumer.
    if (this.wantedBytes === 0) Atomics.store(this.header, wantsRoomIndex, 1);
    this.#refreshHead();
    if (this.#freeBytes() >= neededBytes) {
      if (this.wantedBytes === 0) Atomics.store(this.header, wantsRoomIndex, 0);
      return true;
    }
    this.wantedBytes = Math.max(this.wantedBytes, neededBytes);
    return false;
  }
}
