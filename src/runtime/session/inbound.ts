import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import * as record from '../../transports/record.js';
import type { Link } from '../../transports/transport.js';
import type { Message } from '../message/message.js';
import * as layout from '../message/message-layout.js';
import { receiveControl, unknownKind } from './control-records.js';
import * as delivery from './delivery.js';
import { announcedTransfer } from './landing.js';

// See record-placer.ts, for comparisons with `false`, too.
const {
  appendedHeaderBytes,
  creditExtensionBytes,
  creditWord,
  flagsShift,
  headerLengthShift,
  lastCreditedKind,
  lastSequencedKind,
  MessageFlag,
  messageHeaderBytes,
  paddedHeaderBytes,
  RecordKind,
} = layout;
const { Delivery, messageKinds, tooShort } = delivery;
const { alignedRecordBytes } = record;

/**
 * The receiving half of a connection: checks what each record claims, suppresses what was delivered before a reconnect,
 * and hands messages on in order. A record that breaks the protocol throws a coded error; the link is closed with it.
 */
export class Inbound extends Delivery {
  /** Records that have arrived, of any kind: what keepalive looks at. */
  receivedRecords = 0;

  /**
   * One record of a connection's kind. `length` has been checked to hold at least the fixed part. Returns how many messages
   * it held, 1 for any other record.
   */
  receive(link: Link, kind: number, block: MemoryBlock, start: number, length: number): number {
    this.receivedRecords++;
    const int32 = block.int32;
    const word = start >> 2;
    const kindWordValue = int32[word + 1];
    const flags = (kindWordValue >> flagsShift) & 0xff;
    const held = this.arrivals.length;
    if (kind <= lastSequencedKind) {
      const ahead = (int32[word + 3] - this.expectedSerial - held) | 0;
      if (ahead !== 0 || this.assembly !== undefined) {
        if (ahead < 0 && this.assembly === undefined) {
          this.#suppress(link, kindWordValue, block, start, length);
          return 1;
        }
        throw new HeddleError(
          'ERR_HEDDLE_PROTOCOL',
          ahead <= 0
            ? 'the peer sent a message before the data of the large one before it was complete'
            : `the peer skipped serial numbers: expected=${this.expectedSerial} got=${int32[word + 3]}`,
        );
      }
      // A large message counts as received when all its data is there, and so does what came behind it.
      if (held === 0 && ((flags & MessageFlag.large) === 0 || link.sharesMemory)) this.advance(1);
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
      const end = start + length;
      const serial = int32[word + 3];
      let reference = int32[word + 4];
      let dataLength = end - dataStart;
      const hasAppended = reference !== 0 && kind === RecordKind.oneWay;
      if (hasAppended) {
        this.#requireBatch(reference, dataLength, flags, headerLength);
        dataLength = reference;
        reference = 0;
      } else if (dataLength < 0) throw tooShort(kind, length);
      const message = this.flyweight;
      message.kind = messageKinds[kind - RecordKind.oneWay];
      message.more = (flags & MessageFlag.more) !== 0;
      message.serial = serial;
      message.reference = reference;
      message.flags = flags;
      if (message.block !== block) message.block = block;
      message.headerStart = headerStart;
      message.headerLength = headerLength;
      message.dataStart = dataStart;
      message.length = dataLength;
      message.chargedBytes = dataLength + headerLength;
      if (message.isFresh === false) message.refresh();
      const sentAt = int32[word + 5];
      if ((flags & MessageFlag.large) !== 0 && !this.takeLarge(link, message, block, dataLength, sentAt)) return 1;
      if (held > 0) this.deliverLater(kind, message, sentAt);
      else if (sentAt === 0) this.deliver(kind, message);
      else this.deliverTimed(kind, message, sentAt);
      return hasAppended ? this.#receiveAppended(block, alignedRecordBytes(dataStart + dataLength), end, serial) : 1;
    }
    const headerField = kindWordValue >>> headerLengthShift;
    if (held > 0 && kind <= lastSequencedKind) {
      const reference = int32[word + 4];
      this.arrivals.push({ message: undefined, sentAt: 0, isComplete: true, kind, flags, headerField, reference });
    } else if (kind <= lastSequencedKind) receiveControl(this.owner, kind, flags, headerField, int32[word + 4]);
    else this.#receiveUnsequenced(kind, flags, int32[word + 4], block, start, length);
    return 1;
  }

  /**
   * That the first of several messages in one record is what such a record can have: neither header, receipt nor large data,
   * which could be said of it alone, and on no connection that may be resumed, where records are sent again, or are not, as
   * a whole.
   */
  #requireBatch(firstLength: number, restBytes: number, flags: number, headerLength: number): void {
    const isBatch = (flags & ~MessageFlag.encoded) === MessageFlag.more && headerLength === 0;
    if (firstLength < 0 || firstLength > restBytes) throw brokenBatch(firstLength, flags, restBytes);
    if (!isBatch || this.outbound.retransmitter !== undefined) {
      throw new HeddleError(
        'ERR_HEDDLE_PROTOCOL',
        `the peer sent a batch in one record where none can be: flags=${flags} headerLength=${headerLength}`,
      );
    }
  }

  /**
   * The messages that lie behind the first one of their record, from byte `at` to `end` of the block. Returns how many
   * there were with the first, whose number is `firstSerial`. Those behind a message whose handler ended the connection
   * are dropped.
   */
  #receiveAppended(block: MemoryBlock, at: number, end: number, firstSerial: number): number {
    const isHeld = this.arrivals.length > 0;
    const { depthBytes, posts } = this.ledger;
    // As long as the user holds none, and each is only read, every one of them has its credits.
    let isAdmitted = posts.heldMessages === 0 && end - at <= depthBytes;
    // With `| 0`, here and below, V8 need not ask in each round whether it is a number.
    const last = end | 0;
    const serial = firstSerial | 0;
    let position = at | 0;
    let messages = 1;
    let deliveredBytes = 0;
    let readMessages = 0;
    let readBytes = 0;
    try {
      // Fields are read anew in each round: V8 knows what they hold, but not of a constant whether a handler has changed it.
      while (position < last && this.outbound.isOnline === true) {
        const int32 = block.int32;
        const dataStart = position + appendedHeaderBytes;
        const dataLength = int32[position >> 2];
        const flags = int32[(position >> 2) + 1];
        if (dataLength < 0 || dataLength > last - dataStart || (flags & ~MessageFlag.encoded) !== 0) {
          throw brokenBatch(dataLength, flags, last - position);
        }
        position = alignedRecordBytes(dataStart + dataLength);
        const message = this.flyweight;
        // What is the same for all of them stands there already, unless a handler did something with it.
        if (message.isFresh === false || message.block !== block) renew(message, block);
        // Looked at before it is written: V8's write barrier costs as much as all of these lines.
        if (message.kind !== 'one-way') message.kind = 'one-way';
        message.more = true;
        message.reference = 0;
        message.serial = (serial + messages) | 0;
        message.flags = flags | MessageFlag.more;
        message.dataStart = dataStart;
        message.length = dataLength;
        message.chargedBytes = dataLength;
        if (isHeld === true) this.deliverLater(RecordKind.oneWay, message, 0);
        else {
          if (isAdmitted === false && !this.ledger.admits(posts, dataLength)) throw this.overdrawn(message);
          deliveredBytes += dataLength;
          if (this.owner.service.onAppended(message) === true) {
            readMessages++;
            readBytes += dataLength;
          } else isAdmitted = false;
        }
        messages++;
      }
    } finally {
      // For all of them at once, which is a third of what such a message costs. Until then the expected serial lags: only who
      // may have to send again asks for it, and sends no batches.
      if (isHeld === false) {
        this.advance(messages - 1);
        this.host.statistics.recordReceived(0, messages - 1, deliveredBytes);
        if (readMessages > 0) this.owner.service.onRead(readMessages, readBytes);
      }
    }
    return messages;
  }

  #receiveUnsequenced(
    kind: number,
    flags: number,
    reference: number,
    block: MemoryBlock,
    start: number,
    length: number,
  ): void {
    const owner = this.owner;
    switch (kind) {
      case RecordKind.fragment:
        this.takeFragment(reference, block, start, length);
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
        if (this.ledger.isAnnouncementDue) this.outbound.announceCredits();
        break;
      case RecordKind.credit:
      case RecordKind.pong:
        break;
      default:
        throw unknownKind(kind);
    }
  }

  #takeCredits(int32: Int32Array, word: number): void {
    const outbound = this.outbound;
    const credits = outbound.credits;
    const at = word + creditWord;
    const { peerDepthMessages, peerDepthBytes, posts } = credits;
    this.host.statistics.recordCreditUse(
      peerDepthMessages - outbound.freeMessages,
      peerDepthBytes - outbound.freeBytes,
    );
    if (
      !credits.refill(posts, int32[at], int32[at + 1]) ||
      !credits.refill(credits.responses, int32[at + 2], int32[at + 3])
    ) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer says that it released more than it was sent');
    }
    outbound.retransmitter?.acknowledge(int32[at + 4]);
    this.owner.onCredits();
  }

  /** A record that had been delivered on the link before this one: forgotten, and its memory given back. */
  #suppress(link: Link, kindAndFlags: number, block: MemoryBlock, start: number, length: number): void {
    this.host.statistics.add('duplicatesSuppressed');
    // Over shared memory the first copy took the buffer along; over a wire its fragments follow and are dropped.
    if (((kindAndFlags >> flagsShift) & MessageFlag.large) === 0 || link.sharesMemory) return;
    const transfer = announcedTransfer(kindAndFlags, block, start, length);
    if (transfer === undefined) this.skipping = true;
    else link.buffers?.discard(transfer);
  }
}

/** Makes `message` one of a record in `block`, without a header, with which nothing has been done. */
function renew(message: Message, block: MemoryBlock): void {
  message.headerLength = 0;
  message.block = block;
  if (message.isFresh === false) message.refresh();
}

function brokenBatch(length: number, flags: number, restBytes: number): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_MALFORMED',
    `a message of a batch does not fit its record: length=${length} flags=${flags} restBytes=${restBytes}`,
  );
}
