import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../record.js';
import * as layout from '../record.js';
import {
  closeRecordType,
  headIndex,
  maximumReasonBytes,
  openRing,
  type RingView,
  reasonByteOffset,
  reasonLengthIndex,
  ringShareBytes,
  tailIndex,
  wantsRoomIndex,
} from './ring-layout.js';

// Constants of this module are folded into its machine code; those of another are loaded and checked at each use, which
// for every record is worth saving.
const { firstUpperRecordType, paddingRecordType, recordHeaderBytes } = layout;

/** Takes what a consumer finds in its ring. May call {@link RingConsumer.stop} at any time. */
export interface RingConsumerOwner {
  /** A record of an upper layer. Its bytes may be overwritten as soon as the call returns. Returns for how many it counts. */
  onRingRecord(block: MemoryBlock, start: number, lengthBytes: number): number;
  /** The producer closed the ring; `reason` is empty when it did so gracefully. Nothing follows. */
  onRingClosed(reason: string): void;
  /** What lies in the ring is no record. Nothing follows. */
  onRingMalformed(error: HeddleError): void;
  /** Room was made that the producer waits for: it may have to be woken. */
  onRoomForProducer(): void;
}

/**
 * The reading side of a ring: looks at the producer's position once per poll, publishes its own at the poll's end and whenever it
 * has read a good share of the ring.
 */
export class RingConsumer {
  readonly ring: RingView;
  readonly owner: RingConsumerOwner;
  readonly header: Int32Array;
  readonly shareBytes: number;
  /** Position of the next record, as it was last published. */
  head: number;
  stopped = false;
  polling = false;

  constructor(memory: SharedArrayBuffer, owner: RingConsumerOwner) {
    const ring = openRing(memory);
    this.ring = ring;
    this.owner = owner;
    this.header = ring.header;
    this.shareBytes = ringShareBytes(ring.capacityBytes);
    this.head = Atomics.load(ring.header, headIndex);
  }

  /** Whether records wait. The load that follows the store of the sleeping flag, in the consumer's half of Dekker. */
  hasRecords(): boolean {
    if (this.stopped) return false;
    return Atomics.load(this.header, tailIndex) !== this.head;
  }

  /**
   * Hands records to the owner until they count for `budgetRecords` or more, and returns for how many they did. A call
   * from inside of a handler does nothing: records would overtake the one being handled.
   */
  poll(budgetRecords: number): number {
    if (this.polling || this.stopped) return 0;
    let head = this.head;
    // `Atomics.load` costs a call, thirty times this look, which most polls end with. What it misses the next poll finds;
    // before a context sleeps, `hasRecords` looks in earnest, and what that has seen no later look at the same word misses.
    if (this.header[tailIndex] === head) return 0;
    // The one barrier on the way in, an acquire: the records before this tail are complete, their plain loads below
    // cannot be served by older memory.
    const tail = Atomics.load(this.header, tailIndex);
    if (head === tail) return 0;
    const capacityBytes = this.ring.capacityBytes;
    const block = this.ring.records;
    const int32 = block.int32;
    const offsetMask = capacityBytes - 1;
    const owner = this.owner;
    const publishedBytes = (tail - head) | 0;
    if (publishedBytes < 0 || publishedBytes > capacityBytes || (tail & 7) !== 0) {
      this.#malformed(`the ring's positions are impossible: head=${head} tail=${tail} capacityBytes=${capacityBytes}`);
      return 0;
    }
    let records = 0;
    this.polling = true;
    try {
      while (head !== tail && records < budgetRecords) {
        const offset = head & offsetMask;
        const lengthBytes = int32[offset >> 2]!;
        // Against what was published first: a length that fits there cannot overflow when it is rounded up.
        if (
          lengthBytes < recordHeaderBytes ||
          lengthBytes > ((tail - head) | 0) ||
          lengthBytes > capacityBytes - offset
        ) {
          this.#malformed(
            `a record's length is impossible: lengthBytes=${lengthBytes} offset=${offset} ` +
              `publishedBytes=${(tail - head) | 0} capacityBytes=${capacityBytes}`,
          );
          break;
        }
        const type = int32[(offset >> 2) + 1]! & 0xff;
        // Compared here, though used below: V8 has no machine code for a comparison that never ran, and would throw that of
        // the loop away at the first wrap.
        const isPadding = type === paddingRecordType;
        head = (head + ((lengthBytes + 7) & ~7)) | 0;
        if (type >= firstUpperRecordType) {
          records += owner.onRingRecord(block, offset, lengthBytes);
          if (this.stopped) break;
          if (((head - this.head) | 0) >= this.shareBytes) this.#publishHead(head);
        } else if (!isPadding) {
          this.#transportRecord(type, offset);
          break;
        }
      }
    } finally {
      this.polling = false;
      if (head !== this.head) this.#publishHead(head);
    }
    return records;
  }

  /** Nothing more is delivered, even of the poll that is under way. */
  stop(): void {
    this.stopped = true;
  }

  #publishHead(head: number): void {
    this.head = head;
    // A release: all reads of the records before it are done, so the producer that sees it may overwrite them. Being
    // sequentially consistent it also stands before the load of the flag, this side's half of the room protocol: the
    // producer stores the flag and then loads the head, so one of the two sees the other.
    Atomics.store(this.header, headIndex, head);
    if (Atomics.load(this.header, wantsRoomIndex) !== 0) this.owner.onRoomForProducer();
  }

  #transportRecord(type: number, offset: number): void {
    if (type !== closeRecordType) {
      this.#malformed(`a record's type is unknown: type=${type} offset=${offset}`);
      return;
    }
    const reasonBytes = this.header[reasonLengthIndex]!;
    if (reasonBytes < 0 || reasonBytes > maximumReasonBytes) {
      this.#malformed(`the reason of a close is too long: reasonBytes=${reasonBytes} limit=${maximumReasonBytes}`);
      return;
    }
    this.stopped = true;
    this.owner.onRingClosed(this.ring.headerBytes.toString('utf8', reasonByteOffset, reasonByteOffset + reasonBytes));
  }

  #malformed(fact: string): void {
    this.stopped = true;
    this.owner.onRingMalformed(
      new HeddleError('ERR_HEDDLE_MALFORMED', `${fact}; the link is closed: something wrote into the ring's memory`),
    );
  }
}
