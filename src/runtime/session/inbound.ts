import { HeddleError } from '../../errors.js';
import { copyBytes } from '../../transports/copy-bytes.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link } from '../../transports/transport.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import { Message, type MessageKind, type MessageOwner } from '../message/message.js';
import * as layout from '../message/message-layout.js';
import { Arrivals } from './arrivals.js';
import { Assembly } from './assembly.js';
import { type ControlOwner, receiveControl, unknownKind } from './control-records.js';
import type { CreditPurse, ReleaseLedger } from './credits.js';
import { DelayedAcknowledgement } from './delayed-acknowledgement.js';
import { adoptMoved, announcedTransfer, receiveIntoAny, targetBytes } from './landing.js';
import type { SessionHost } from './session-host.js';

/** What the receiving half of a connection tells the connection. */
export interface InboundOwner extends ControlOwner {
  readonly host: SessionHost;
  /** Takes one-way messages, requests and cancels, and is the owner of every message. */
  readonly service: ControlOwner['service'] &
    MessageOwner & {
      onOneWay(message: Message): void;
      onRequest(message: Message): void;
      assignBuffer(kind: MessageKind, lengthBytes: number, reference: number): SharedBuffer | Uint8Array | undefined;
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
  readonly retransmitter: { acknowledge(expectedSerial: number): void } | undefined;
  expectedSerial: number;
  /** Released memory is enough that the peer must be told. */
  announceCredits(): void;
}

// See record-placer.ts, for comparisons with `false`, too.
const {
  creditExtensionBytes,
  creditWord,
  descriptorBytes,
  descriptorOfTransfer,
  descriptorOfUsersBuffer,
  flagsShift,
  headerLengthShift,
  lastCreditedKind,
  lastSequencedKind,
  MessageFlag,
  messageHeaderBytes,
  paddedHeaderBytes,
  RecordKind,
} = layout;

const kinds: readonly MessageKind[] = ['one-way', 'request', 'response'];

/**
 * The receiving half of a connection: checks what each record claims, suppresses what was delivered before a reconnect,
 * and hands messages on in order. A record that breaks the protocol throws a coded error; the link is closed with it.
 */
export class Inbound {
  /** Serial number that the peer's next sequenced record must have. */
  expectedSerial = 0;
  /** Records that have arrived, of any kind: what keepalive looks at. */
  receivedRecords = 0;
  readonly ledger: ReleaseLedger;
  readonly #owner: InboundOwner;
  readonly #outbound: CreditTarget;
  readonly #host: SessionHost;
  /** Used for one message after another, unless one is kept. */
  #flyweight: Message;
  #assembly: Assembly | undefined;
  /** What has to wait for the data of a large message that is on its way beside the records. */
  readonly #arrivals = new Arrivals();
  readonly #acknowledgement: DelayedAcknowledgement;

  constructor(owner: InboundOwner, ledger: ReleaseLedger, outbound: CreditTarget) {
    this.#owner = owner;
    this.ledger = ledger;
    this.#outbound = outbound;
    this.#host = owner.host;
    this.#flyweight = new Message(owner.service);
    this.#acknowledgement = new DelayedAcknowledgement(owner.host.clock, ledger, () => outbound.announceCredits());
  }

  /** Lets `message`, which is to be kept, go; the next one gets an object of its own. */
  detach(message: Message): void {
    if (this.#flyweight === message) this.#flyweight = new Message(this.#owner.service);
  }

  /** Drops a half received message: after a reconnect it is sent again as a whole. */
  interrupt(): void {
    this.#acknowledgement.stop();
    const assembly = this.#assembly;
    this.#assembly = undefined;
    this.#skipping = false;
    if (assembly !== undefined) this.#abandon(assembly.message, true);
    for (const arrival of this.#arrivals.takeAll()) {
      // Memory that its data is still landing in is let go of when that has ended.
      if (arrival.message !== undefined) this.#abandon(arrival.message, arrival.isComplete);
    }
  }

  #abandon(message: Message, isLanded: boolean): void {
    this.ledger.unhold(message.kind === 'response' ? this.ledger.responses : this.ledger.posts, message.chargedBytes);
    if (isLanded && message.large instanceof SharedBuffer && message.large.isHeld) message.large.release();
  }

  /** One record of a connection's kind. `length` has been checked to hold at least the fixed part. */
  receive(link: Link, kind: number, block: MemoryBlock, start: number, length: number): void {
    this.receivedRecords++;
    const int32 = block.int32;
    const word = start >> 2;
    const kindWordValue = int32[word + 1];
    const flags = (kindWordValue >> flagsShift) & 0xff;
    const held = this.#arrivals.length;
    if (kind <= lastSequencedKind) {
      const ahead = (int32[word + 3] - this.expectedSerial - held) | 0;
      if (ahead !== 0 || this.#assembly !== undefined) {
        if (ahead < 0 && this.#assembly === undefined) {
          this.#suppress(link, kindWordValue, block, start, length);
          return;
        }
        throw new HeddleError(
          'ERR_HEDDLE_PROTOCOL',
          ahead <= 0
            ? 'the peer sent a message before the data of the large one before it was complete'
            : `the peer skipped serial numbers: expected=${this.expectedSerial} got=${int32[word + 3]}`,
        );
      }
      // A large message counts as received when all its data is there, and so does what came behind it.
      if (held === 0 && ((flags & MessageFlag.large) === 0 || link.sharesMemory)) this.#advance();
    }
    let headerStart = start + messageHeaderBytes;
    if ((flags & MessageFlag.credits) !== 0) {
      if (length < messageHeaderBytes + creditExtensionBytes) throw tooShort(kind, length);
      this.#takeCredits(int32, word);
      headerStart += creditExtensionBytes;
    }
    if (kind <= lastCreditedKind) {
      const headerLength = kindWordValue >>> headerLengthShift;
      const dataStart = headerLength === 0 ? headerStart : headerStart + paddedHeaderBytes(headerLength);
      const dataLength = start + length - dataStart;
      if (dataLength < 0) throw tooShort(kind, length);
      const message = this.#flyweight;
      message.kind = kinds[kind - RecordKind.oneWay];
      message.more = (flags & MessageFlag.more) !== 0;
      message.serial = int32[word + 3];
      message.reference = int32[word + 4];
      message.flags = flags;
      if (message.block !== block) message.block = block;
      message.headerStart = headerStart;
      message.headerLength = headerLength;
      message.dataStart = dataStart;
      message.length = dataLength;
      message.chargedBytes = dataLength + headerLength;
      if (message.isFresh === false) message.refresh();
      const sentAt = int32[word + 5];
      if ((flags & MessageFlag.large) !== 0 && !this.#takeLarge(link, message, block, dataLength, sentAt)) return;
      if (held > 0) {
        this.#hold(message);
        this.#arrivals.push({ message, sentAt, isComplete: true, kind, flags: 0, headerField: 0, reference: 0 });
        return;
      }
      if (sentAt === 0) this.#deliver(kind, message);
      else this.#deliverTimed(kind, message, sentAt);
      return;
    }
    const headerField = kindWordValue >>> headerLengthShift;
    if (held > 0 && kind <= lastSequencedKind) {
      const reference = int32[word + 4];
      this.#arrivals.push({ message: undefined, sentAt: 0, isComplete: true, kind, flags, headerField, reference });
    } else if (kind <= lastSequencedKind) receiveControl(this.#owner, kind, flags, headerField, int32[word + 4]);
    else this.#receiveUnsequenced(kind, flags, int32[word + 4], block, start, length);
  }

  /** Keeps a message that cannot be delivered yet: it takes of the credits from now on. */
  #hold(message: Message): void {
    const { ledger } = this;
    const counters = message.kind === 'response' ? ledger.responses : ledger.posts;
    if (!ledger.admits(counters, message.chargedBytes)) throw this.#overdrawn(message);
    message.copyBytes();
    this.detach(message);
    message.isHeld = true;
    // Its end is not that of a message that was only read: what it holds has to be let go of.
    message.isFresh = false;
    ledger.hold(counters, message.chargedBytes);
  }

  /** Delivers what has arrived whole, up to the first large message whose data is still on its way. */
  #deliverArrivals(): void {
    for (let arrival = this.#arrivals.takeComplete(); arrival !== undefined; arrival = this.#arrivals.takeComplete()) {
      this.#advance();
      const { kind, message, sentAt } = arrival;
      if (message === undefined)
        receiveControl(this.#owner, kind, arrival.flags, arrival.headerField, arrival.reference);
      else if (sentAt === 0) this.#deliver(kind, message);
      else this.#deliverTimed(kind, message, sentAt);
    }
  }

  #advance(): void {
    this.expectedSerial = (this.expectedSerial + 1) | 0;
    this.#outbound.expectedSerial = this.expectedSerial;
    if (this.#outbound.retransmitter !== undefined) this.#acknowledgement.onRecord();
  }

  #deliver(kind: number, message: Message): void {
    const ledger = this.ledger;
    const counters = kind === RecordKind.response ? ledger.responses : ledger.posts;
    // What was gathered from fragments was admitted, and is held, since its first record.
    if (message.isHeld === false && !ledger.admits(counters, message.chargedBytes)) throw this.#overdrawn(message);
    this.#host.statistics.recordReceived(kind - RecordKind.oneWay, message.chargedBytes);
    const owner = this.#owner;
    if (kind === RecordKind.oneWay) owner.service.onOneWay(message);
    else if (kind === RecordKind.request) owner.service.onRequest(message);
    else owner.requester.onResponse(message);
  }

  /** As `#deliver`, for the few messages whose way and handler are timed. */
  #deliverTimed(kind: number, message: Message, sentAtMicros: number): void {
    const { clock, statistics } = this.#host;
    const startedMicros = clock.nowMicros();
    // Both clocks count the same microseconds, the sender's cut to 32 bits. A clock of another machine may be off.
    statistics.recordQueueingDelay((startedMicros - sentAtMicros) | 0);
    this.#deliver(kind, message);
    statistics.recordHandlerTime(clock.nowMicros() - startedMicros);
  }

  #overdrawn(message: Message): HeddleError {
    if (message.large instanceof SharedBuffer) message.large.release();
    message.large = undefined;
    const { heldMessages, heldBytes } = message.kind === 'response' ? this.ledger.responses : this.ledger.posts;
    return new HeddleError(
      'ERR_HEDDLE_PROTOCOL',
      `the peer sent more than its credits: held messages=${heldMessages} bytes=${heldBytes}, and a message of ` +
        `${message.chargedBytes} bytes`,
    );
  }

  #receiveUnsequenced(
    kind: number,
    flags: number,
    reference: number,
    block: MemoryBlock,
    start: number,
    length: number,
  ): void {
    const owner = this.#owner;
    switch (kind) {
      case RecordKind.fragment:
        this.#takeFragment(reference, block, start + messageHeaderBytes, start + length);
        break;
      case RecordKind.regionRequest:
        owner.regions.onRequest(flags, reference, block, start, length);
        break;
      case RecordKind.regionAnswer:
        owner.regions.onAnswer(flags, reference, block, start, length);
        break;
      case RecordKind.ping:
        owner.onPing();
        break;
      case RecordKind.creditsWanted:
        this.ledger.isPeerWaiting = true;
        if (this.ledger.isAnnouncementDue) this.#outbound.announceCredits();
        break;
      case RecordKind.credit:
      case RecordKind.pong:
        break;
      default:
        throw unknownKind(kind);
    }
  }

  #takeCredits(int32: Int32Array, word: number): void {
    const outbound = this.#outbound;
    const credits = outbound.credits;
    const at = word + creditWord;
    const { peerDepthMessages, peerDepthBytes, posts } = credits;
    this.#host.statistics.recordCreditUse(peerDepthMessages - posts.messages, peerDepthBytes - posts.bytes);
    if (
      !credits.refill(posts, int32[at], int32[at + 1]) ||
      !credits.refill(credits.responses, int32[at + 2], int32[at + 3])
    ) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer says that it released more than it was sent');
    }
    outbound.retransmitter?.acknowledge(int32[at + 4]);
    this.#owner.onCredits();
  }

  /** A record that had been delivered on the link before this one: forgotten, and its memory given back. */
  #suppress(link: Link, kindAndFlags: number, block: MemoryBlock, start: number, length: number): void {
    this.#host.statistics.add('duplicatesSuppressed');
    // Over shared memory the first copy took the buffer along; over a wire its fragments follow and are dropped.
    if (((kindAndFlags >> flagsShift) & MessageFlag.large) === 0 || link.sharesMemory) return;
    const transfer = announcedTransfer(kindAndFlags, block, start, length);
    if (transfer === undefined) this.#skipping = true;
    else link.buffers?.discard(transfer);
  }

  #skipping = false;

  /** Finds or begins to gather the data of a large message. False when the message is not complete yet. */
  #takeLarge(link: Link, message: Message, block: MemoryBlock, dataBytes: number, sentAt: number): boolean {
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
      const moved = adoptMoved(link, this.#host.pool, bytes, at);
      const target = this.#owner.service.assignBuffer(message.kind, lengthBytes, message.reference);
      if (target === undefined) message.large = moved;
      else {
        message.large = target;
        message.isUsersBuffer = true;
        copyBytes(targetBytes(target, lengthBytes), 0, moved.bytes);
        moved.release();
      }
      return true;
    }
    if (this.#arrivals.length > 0) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer sent data in records behind data that goes beside them');
    }
    const assigned = this.#owner.service.assignBuffer(message.kind, lengthBytes, message.reference);
    message.large = assigned ?? this.#host.pool.allocate(lengthBytes);
    message.isUsersBuffer ||= assigned !== undefined;
    const target = targetBytes(message.large, lengthBytes);
    this.#skipping = false;
    if (lengthBytes === 0) {
      this.#advance();
      return true;
    }
    this.#hold(message);
    this.#assembly = new Assembly(message, target, sentAt);
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
      const assigned = this.#owner.service.assignBuffer(message.kind, lengthBytes, message.reference);
      landing = assigned ?? this.#host.pool.allocate(lengthBytes);
      message.large = landing;
      message.isUsersBuffer ||= assigned !== undefined;
      this.#hold(message);
    } catch (error) {
      buffers.discard(transfer);
      throw error;
    }
    const kind = RecordKind.oneWay + kinds.indexOf(message.kind);
    const arrival = { message, sentAt, isComplete: false, kind, flags: 0, headerField: 0, reference: 0 };
    this.#arrivals.push(arrival);
    receiveIntoAny(buffers, transfer, landing, lengthBytes, this.#host, (error) => {
      arrival.isComplete = true;
      if (!this.#arrivals.includes(arrival)) {
        // The connection went on, or ended, without it.
        if (landing instanceof SharedBuffer && landing.isHeld) landing.release();
        return;
      }
      if (error !== undefined) {
        link.close(error);
        return;
      }
      try {
        this.#deliverArrivals();
      } catch (cause) {
        link.close(cause as HeddleError);
      }
    });
  }

  #takeFragment(offset: number, block: MemoryBlock, start: number, end: number): void {
    const assembly = this.#assembly;
    if (assembly === undefined) {
      if (this.#skipping) return;
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer sent data that belongs to no message');
    }
    if (!assembly.take(offset, block, start, end)) return;
    this.#assembly = undefined;
    this.#advance();
    const { message } = assembly;
    const kind = RecordKind.oneWay + kinds.indexOf(message.kind);
    if (assembly.sentAt === 0) this.#deliver(kind, message);
    else this.#deliverTimed(kind, message, assembly.sentAt);
  }
}

function tooShort(kind: number, length: number): HeddleError {
  return new HeddleError('ERR_HEDDLE_MALFORMED', `a record of kind=${kind} is too short with length=${length}`);
}
