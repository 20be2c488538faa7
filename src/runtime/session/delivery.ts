import { HeddleError } from '../../errors.js';
import { copyBytes } from '../../transports/copy-bytes.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link } from '../../transports/transport.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import { Message, type MessageKind, type MessageOwner, targetBytes } from '../message/message.js';
import * as layout from '../message/message-layout.js';
import { Arrivals } from './arrivals.js';
import { Assembly } from './assembly.js';
import { type ControlOwner, receiveControl } from './control-records.js';
import type { CreditPurse, ReleaseLedger } from './credits.js';
import { DelayedAcknowledgement } from './delayed-acknowledgement.js';
import { adoptMoved, giveBackLent, receiveIntoAny, releaseLarge } from './landing.js';
import type { SessionHost } from './session-host.js';

/** What the receiving half of a connection tells the connection. */
export interface InboundOwner extends ControlOwner {
  readonly host: SessionHost;
  /** Takes one-way messages, requests and cancels, and is the owner of every message. */
  readonly service: ControlOwner['service'] &
    MessageOwner & {
      onOneWay(message: Message): void;
      /** As `onOneWay`; true when `onRead` is owed for the message. */
      onAppended(message: Message): boolean;
      /** Nothing was done with so many one-way messages but reading them: their credits go back. */
      onRead(messages: number, bytes: number): void;
      onRequest(message: Message): void;
      assignBuffer(message: Message, lengthBytes: number): SharedBuffer | Uint8Array | undefined;
    };
  /** Takes responses, receipts and the answers to cancels. */
  readonly requester: ControlOwner['requester'] & {
    onResponse(message: Message): void;
  };
  /** Serves and asks about the memory of regions. */
  readonly regions: {
    onRequest(code: number, reference: number, block: MemoryBlock, start: number, lengthBytes: number): void;
    onAnswer(code: number, reference: number, block: MemoryBlock, start: number, lengthBytes: number): void;
  };
  /** The peer's counters arrived: credits came back, or records were acknowledged. */
  onCredits(): void;
  onPing(): void;
}

/** What of the sending half the receiving half fills in. */
export interface CreditTarget {
  readonly credits: CreditPurse;
  /** Messages and bytes that can be sent now. */
  readonly freeMessages: number;
  readonly freeBytes: number;
  /** False as soon as the connection has ended, or lost its link. */
  readonly isOnline: boolean;
  readonly retransmitter: { acknowledge(expectedSerial: number): void } | undefined;
  expectedSerial: number;
  /** Released memory is enough that the peer must be told. */
  announceCredits(): void;
}

// See record-placer.ts, for comparisons with `false`, too.
const { descriptorBytes, descriptorOfTransfer, descriptorOfUsersBuffer, messageHeaderBytes, RecordKind, serialWord } =
  layout;

/** The kinds of messages, in the order of their records' kinds. */
export const messageKinds: readonly MessageKind[] = ['one-way', 'request', 'response'];

/**
 * Hands the messages of a connection on, in order: a large one when its data is complete, and what came behind it after it.
 * A base class of `Inbound`, and not a part, since every message comes here without a step between.
 */
export class Delivery {
  /** Serial number that the peer's next sequenced record must have. */
  expectedSerial = 0;
  readonly ledger: ReleaseLedger;
  protected readonly owner: InboundOwner;
  protected readonly outbound: CreditTarget;
  protected readonly host: SessionHost;
  /** Used for one message after another, unless one is kept. */
  protected flyweight: Message;
  protected assembly: Assembly | undefined;
  /** What has to wait for the data of a large message that is on its way beside the records. */
  protected readonly arrivals = new Arrivals();
  /** Fragments belong to a message that was delivered on the link before this one. */
  protected skipping = false;
  readonly #acknowledgement: DelayedAcknowledgement;

  constructor(owner: InboundOwner, ledger: ReleaseLedger, outbound: CreditTarget) {
    this.owner = owner;
    this.ledger = ledger;
    this.outbound = outbound;
    this.host = owner.host;
    this.flyweight = new Message(owner.service);
    this.#acknowledgement = new DelayedAcknowledgement(owner.host.clock, ledger, () => outbound.announceCredits());
  }

  /** Lets `message`, which is to be kept, go; the next one gets an object of its own. */
  detach(message: Message): void {
    if (this.flyweight === message) this.flyweight = new Message(this.owner.service);
  }

  /** Drops a half received message: after a reconnect it is sent again as a whole. */
  interrupt(): void {
    this.#acknowledgement.stop();
    const assembly = this.assembly;
    this.assembly = undefined;
    this.skipping = false;
    if (assembly !== undefined) this.#abandon(assembly.message, true);
    for (const arrival of this.arrivals.takeAll()) {
      // Memory that its data is still landing in is let go of when that has ended.
      if (arrival.message !== undefined) this.#abandon(arrival.message, arrival.isComplete);
    }
  }

  #abandon(message: Message, isLanded: boolean): void {
    this.ledger.unhold(message.kind === 'response' ? this.ledger.responses : this.ledger.posts, message.chargedBytes);
    if (isLanded) releaseLarge(message);
  }

  /** A message behind a large one whose data is still on its way. */
  protected deliverLater(kind: number, message: Message, sentAt: number): void {
    this.#hold(message);
    this.arrivals.push({ message, sentAt, isComplete: true, kind, flags: 0, headerField: 0, reference: 0 });
  }

  /** Keeps a message that cannot be delivered yet: it takes of the credits from now on. */
  #hold(message: Message): void {
    const { ledger } = this;
    const counters = message.kind === 'response' ? ledger.responses : ledger.posts;
    if (!ledger.admits(counters, message.chargedBytes)) throw this.overdrawn(message);
    message.copyBytes();
    this.detach(message);
    message.isHeld = true;
    // Its end is not that of a message that was only read: what it holds has to be let go of.
    message.isFresh = false;
    ledger.hold(counters, message.chargedBytes);
  }

  /** Delivers what has arrived whole, up to the first large message whose data is still on its way. */
  #deliverArrivals(): void {
    for (let arrival = this.arrivals.takeComplete(); arrival !== undefined; arrival = this.arrivals.takeComplete()) {
      this.advance(1);
      const { kind, message, sentAt } = arrival;
      if (message === undefined)
        receiveControl(this.owner, kind, arrival.flags, arrival.headerField, arrival.reference);
      else if (sentAt === 0) this.deliver(kind, message);
      else this.deliverTimed(kind, message, sentAt);
    }
  }

  /** So many more sequenced records, or messages of one, have come. */
  protected advance(records: number): void {
    this.expectedSerial = (this.expectedSerial + records) | 0;
    this.outbound.expectedSerial = this.expectedSerial;
    if (this.outbound.retransmitter !== undefined) this.#acknowledgement.onRecord();
  }

  protected deliver(kind: number, message: Message): void {
    const ledger = this.ledger;
    const counters = kind === RecordKind.response ? ledger.responses : ledger.posts;
    // What was gathered from fragments was admitted, and is held, since its first record.
    if (message.isHeld === false && !ledger.admits(counters, message.chargedBytes)) throw this.overdrawn(message);
    this.host.statistics.recordReceived(kind - RecordKind.oneWay, 1, message.chargedBytes);
    const owner = this.owner;
    if (kind === RecordKind.oneWay) owner.service.onOneWay(message);
    else if (kind === RecordKind.request) owner.service.onRequest(message);
    else owner.requester.onResponse(message);
  }

  /** As `deliver`, for the few messages whose way and handler are timed. */
  protected deliverTimed(kind: number, message: Message, sentAtMicros: number): void {
    const { clock, statistics } = this.host;
    const startedMicros = clock.nowMicros();
    // Both clocks count the same microseconds, the sender's cut to 32 bits. A clock of another machine may be off.
    statistics.recordQueueingDelay((startedMicros - sentAtMicros) | 0);
    this.deliver(kind, message);
    statistics.recordHandlerTime(clock.nowMicros() - startedMicros);
  }

  protected overdrawn(message: Message): HeddleError {
    releaseLarge(message);
    const { heldMessages, heldBytes } = message.kind === 'response' ? this.ledger.responses : this.ledger.posts;
    return new HeddleError(
      'ERR_HEDDLE_PROTOCOL',
      `the peer sent more than its credits: held messages=${heldMessages} bytes=${heldBytes}, and a message of ` +
        `${message.chargedBytes} bytes`,
    );
  }

  /** Finds or begins to gather the data of a large message. False when the message is not complete yet. */
  protected takeLarge(link: Link, message: Message, block: MemoryBlock, dataBytes: number, sentAt: number): boolean {
    if (dataBytes !== descriptorBytes) throw tooShort(RecordKind.oneWay, dataBytes);
    const bytes = block.bytes;
    const at = message.dataStart;
    const lengthBytes = bytes.readInt32LE(at);
    if (lengthBytes < 0 || lengthBytes > this.ledger.depthBytes) {
      throw new HeddleError(
        'ERR_HEDDLE_PROTOCOL',
        `the peer announced a message of ${lengthBytes} bytes, past its credits`,
      );
    }
    message.length = lengthBytes;
    message.chargedBytes = lengthBytes + message.headerLength;
    const how = bytes.readInt32LE(at + 20);
    message.isUsersBuffer = (how & descriptorOfUsersBuffer) !== 0;
    message.isFresh = false;
    if ((how & descriptorOfTransfer) !== 0) {
      this.#takeTransfer(link, message, bytes.readInt32LE(at + 4), lengthBytes, sentAt);
      return false;
    }
    if (link.sharesMemory) {
      const moved = adoptMoved(link, this.host.pool, bytes, at);
      const target = this.owner.service.assignBuffer(message, lengthBytes);
      if (target === undefined) message.large = moved;
      else {
        message.large = target;
        message.isUsersBuffer = true;
        copyBytes(targetBytes(target, lengthBytes), 0, moved.bytes);
        moved.release();
        giveBackLent(message);
      }
      return true;
    }
    if (this.arrivals.length > 0) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer sent data in records behind data that goes beside them');
    }
    const assigned = this.owner.service.assignBuffer(message, lengthBytes);
    message.large = assigned ?? this.host.pool.allocate(lengthBytes);
    message.isUsersBuffer ||= assigned !== undefined;
    const target = targetBytes(message.large, lengthBytes);
    this.skipping = false;
    if (lengthBytes === 0) {
      this.advance(1);
      giveBackLent(message);
      return true;
    }
    this.#hold(message);
    this.assembly = new Assembly(message, target, sentAt);
    return false;
  }

  /** Lets the data of a large message, which goes beside the records, land where its receiver wants it. */
  #takeTransfer(link: Link, message: Message, transfer: number, lengthBytes: number, sentAt: number): void {
    const { buffers } = link;
    if (buffers === undefined || lengthBytes === 0) {
      throw new HeddleError(
        'ERR_HEDDLE_PROTOCOL',
        'the peer announced data beside the records, which cannot come here',
      );
    }
    let landing: SharedBuffer | Uint8Array;
    try {
      const assigned = this.owner.service.assignBuffer(message, lengthBytes);
      landing = assigned ?? this.host.pool.allocate(lengthBytes);
      message.large = landing;
      message.isUsersBuffer ||= assigned !== undefined;
      this.#hold(message);
    } catch (error) {
      buffers.discard(transfer);
      throw error;
    }
    const kind = RecordKind.oneWay + messageKinds.indexOf(message.kind);
    const arrival = { message, sentAt, isComplete: false, kind, flags: 0, headerField: 0, reference: 0 };
    this.arrivals.push(arrival);
    receiveIntoAny(buffers, transfer, landing, lengthBytes, this.host, (error) => {
      arrival.isComplete = true;
      if (!this.arrivals.includes(arrival)) {
        // The connection went on, or ended, without it.
        if (landing instanceof SharedBuffer && landing.isHeld) landing.release();
        return;
      }
      if (error !== undefined) {
        link.close(error);
        return;
      }
      giveBackLent(message);
      try {
        this.#deliverArrivals();
      } catch (cause) {
        link.close(cause as HeddleError);
      }
    });
  }

  protected takeFragment(offset: number, block: MemoryBlock, start: number, length: number): void {
    const assembly = this.assembly;
    if (assembly === undefined) {
      if (this.skipping) return;
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer sent data that belongs to no message');
    }
    const serial = block.int32[(start >> 2) + serialWord];
    if (!assembly.take(serial, offset, block, start + messageHeaderBytes, start + length)) return;
    this.assembly = undefined;
    this.advance(1);
    const { message } = assembly;
    giveBackLent(message);
    const kind = RecordKind.oneWay + messageKinds.indexOf(message.kind);
    if (assembly.sentAt === 0) this.deliver(kind, message);
    else this.deliverTimed(kind, message, assembly.sentAt);
  }
}

/** What a peer gets for a record that ends too early. */
export function tooShort(kind: number, length: number): HeddleError {
  return new HeddleError('ERR_HEDDLE_MALFORMED', `a record of kind=${kind} is too short with length=${length}`);
}
