import { HeddleError } from '../../errors.js';
import { nextLinkId } from '../link-id.js';
import type { MemoryBlock } from '../record.js';
import type { RecordWriter } from '../record-writer.js';
import type { Link, RecordReceiver, WireDescription } from '../transport.js';
import { awakeIndex, bellIndex, sleepingIndex } from './context-table.js';
import type { PortDoorbell } from './doorbell.js';
import { RingConsumer, type RingConsumerOwner } from './ring-consumer.js';
import type { RingPair } from './ring-pair.js';
import { RingProducer, type RingProducerOwner } from './ring-producer.js';

/** More messages than any ring can hold. */
const allRecords = 0x3fffffff;

const shmWire: WireDescription = { transports: ['shm'], devices: [], usesRdmaDevice: false };

/** What a link needs of its transport. */
export interface ShmLinkOwner {
  readonly receiver: RecordReceiver;
  /** The context table's words. */
  readonly tableWords: Int32Array;
  readonly contextId: number;
  /** The link has ended and is no longer to be polled. */
  onLinkEnded(link: ShmLink): void;
  /** Wakes a sleeping peer by its native bell, if this thread can ring such. */
  ringNativeBell(bell: number): boolean;
  /** A sleeping peer has been woken. */
  onDoorbellRung(): void;
}

/** The link between two contexts of a process: a ring each way, shared by all portals of both. */
export class ShmLink implements Link, RingConsumerOwner, RingProducerOwner {
  readonly id = nextLinkId();
  readonly writer: RecordWriter;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly portalUri = undefined;
  readonly maximumRecordBytes: number;
  readonly wireDescription = shmWire;
  readonly sharesMemory = true;
  readonly peerContextId: number;
  isOpen = true;
  // Plain fields: each is read on every publication or poll.
  readonly producer: RingProducer;
  readonly consumer: RingConsumer;
  readonly receiver: RecordReceiver;
  readonly tableWords: Int32Array;
  readonly peerSleepingIndex: number;
  readonly doorbell: PortDoorbell;
  readonly #owner: ShmLinkOwner;

  constructor(owner: ShmLinkOwner, pair: RingPair, doorbell: PortDoorbell) {
    this.#owner = owner;
    this.receiver = owner.receiver;
    this.tableWords = owner.tableWords;
    this.peerContextId = pair.peerContextId;
    this.peerSleepingIndex = sleepingIndex(pair.peerContextId);
    this.peerAddress = `shm context=${pair.peerContextId}`;
    this.localAddress = `shm context=${owner.contextId}`;
    this.producer = new RingProducer(pair.outgoing, this);
    this.consumer = new RingConsumer(pair.incoming, this);
    this.writer = this.producer.writer;
    this.maximumRecordBytes = this.producer.maximumRecordBytes;
    this.doorbell = doorbell;
  }

  publish(): void {
    if (this.producer.publish()) this.#wakePeer();
  }

  occupancyBytes(): number {
    return this.producer.closed ? 0 : this.producer.occupancyBytes();
  }

  shareSlab(slabId: number, memory: SharedArrayBuffer): void {
    if (this.isOpen) this.doorbell.sendSlab(slabId, memory);
  }

  forgetSlab(slabId: number): void {
    this.doorbell.forgetSlab(slabId);
  }

  sharedSlab(slabId: number): SharedArrayBuffer | undefined {
    return this.doorbell.slab(slabId);
  }

  close(error?: HeddleError): void {
    this.#end(error === undefined ? '' : `${error.code}: ${error.message}`, error);
  }

  /** Delivers about `budgetRecords` records and returns how many; tells the receiver of room that has come. */
  poll(budgetRecords: number): number {
    const records = this.consumer.poll(budgetRecords);
    const producer = this.producer;
    if (producer.wantedBytes !== 0 && producer.roomHasCome()) this.receiver.onWritable(this);
    return records;
  }

  /** Whether a poll would do anything. Called after the sleeping flag has been stored. */
  hasWork(): boolean {
    const producer = this.producer;
    return this.consumer.hasRecords() || (producer.wantedBytes !== 0 && producer.hasWantedRoom());
  }

  /**
   * The peer will never write again: delivers all that it has published, its close record included if it wrote one,
   * and ends the link with `error` if that did not end it. From inside of one of this link's own handlers the records
   * that follow the one being handled are dropped, as they cannot be delivered before it is done.
   */
  finishPeer(error: HeddleError): void {
    if (this.consumer.hasRecords()) this.consumer.poll(allRecords);
    if (!this.isOpen) return;
    // Nobody is there to read a close record; the mark alone is for the directory.
    this.producer.abandon();
    this.#end('', error);
  }

  /** {@link RingConsumerOwner} */
  onRingRecord(block: MemoryBlock, start: number, lengthBytes: number): number {
    return this.receiver.onRecord(this, block, start, lengthBytes);
  }

  /** {@link RingConsumerOwner} */
  onRingClosed(reason: string): void {
    const error =
      reason === ''
        ? undefined
        : new HeddleError('ERR_HEDDLE_DISCONNECTED', `the peer (${this.peerAddress}) closed the link: ${reason}`, {
            details: { peerContextId: this.peerContextId, reason },
          });
    this.#end('', error);
  }

  /** {@link RingConsumerOwner} */
  onRingMalformed(error: HeddleError): void {
    this.close(error);
  }

  /** {@link RingConsumerOwner} */
  onRoomForProducer(): void {
    this.#wakePeer();
  }

  /** {@link RingProducerOwner} */
  onPublishedByClaim(): void {
    this.#wakePeer();
  }

  /** The producer's half of the sleep protocol, after a store of the tail or the head. */
  #wakePeer(): void {
    const words = this.tableWords;
    const index = this.peerSleepingIndex;
    // The load is sequentially consistent and follows the store of a position: if the peer's flag is not seen here,
    // the peer stores it later and then sees the position. The swap makes one ring of many producers' attempts.
    // A link that has ended must not take the flag: it has promised never to ring again.
    if (Atomics.load(words, index) === 1 && this.isOpen && Atomics.compareExchange(words, index, 1, 0) === 1) {
      Atomics.add(words, awakeIndex, 1);
      this.#owner.onDoorbellRung();
      // Written before the context took up its first link, so that any load sees it.
      const bell = words[bellIndex(index)];
      if (bell === 0 || !this.#owner.ringNativeBell(bell)) this.doorbell.ring();
    }
  }

  #end(reason: string, error: HeddleError | undefined): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.consumer.stop();
    this.producer.close(reason);
    // Rings in any case, so that the peer finds the close record soon.
    this.doorbell.finish();
    this.#owner.onLinkEnded(this);
    this.receiver.onLinkClosed(this, error);
  }
}
