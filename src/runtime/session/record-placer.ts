import { copyIntoBlock, longUnalignedBytes } from '../../transports/copy-bytes.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { OpenRecordMaker, RecordWriter } from '../../transports/record-writer.js';
import type { Codec } from '../message/codec.js';
import * as layout from '../message/message-layout.js';
import type { CreditPurse, ReleaseLedger } from './credits.js';
import * as encoder from './encoding.js';
import type { ConnectionOptions } from './options.js';
import type { Retransmitter } from './retransmitter.js';
import type { QueuedRecord } from './send-queue.js';
import type { SessionHost, Wire } from './session-host.js';

/** One message of this many has its way timed: the clock costs more than a small message. */
export const timedEvery = 64;
const timedMask = timedEvery - 1;

// Constants of this module are folded into its machine code; those of another are loaded and checked at each use, which
// for every message is worth saving. So is what `=== true` saves: V8 does not know that a field or a parameter is
// a boolean, and asks what else it could be.
const {
  creditExtensionBytes,
  flagsShift,
  headerLengthShift,
  lastSequencedKind,
  MessageFlag,
  messageHeaderBytes,
  paddedHeaderBytes,
  RecordKind,
} = layout;
const { encoding, endEncoding, requireNotEncoding, waitForEncoder } = encoder;
const { set } = Uint8Array.prototype;

/** What a record costs beside its data and header at the most. */
export const recordOverheadBytes = messageHeaderBytes + creditExtensionBytes;

/** Whose records are placed. */
export interface PlacerOwner {
  readonly host: SessionHost;
  readonly codec: Codec;
  readonly options: ConnectionOptions;
}

/**
 * Writes one connection's records into its link, with their serial numbers, and says when the link has no room. In what
 * order records go, and what becomes of those without room, is the business of `Outbound`. A base class of that, and not
 * a part, since messages on the straight way come here without a step between; fields are plain for the same reason.
 */
export abstract class RecordPlacer implements OpenRecordMaker {
  /** The peer's id of the connection. */
  remoteId = 0;
  credits!: CreditPurse;
  readonly ledger: ReleaseLedger;
  nextSerial: number;
  /** Copies of what the peer may not have received: only where the connection may be resumed. */
  retransmitter: Retransmitter | undefined;
  /** Serial number that the peer's next sequenced record will have: goes with every credit extension. */
  expectedSerial = 0;
  wire!: Wire;
  /** The longest data, with its header, that goes in a record: what is longer is a large message. */
  inlineLimitBytes: number;
  protected writer!: RecordWriter;
  /** Size of the last encoded value: a guess for the next one. */
  private encodedBytes = 128;
  protected readonly host: SessionHost;
  private readonly codec: Codec;
  readonly #owner: PlacerOwner;

  constructor(owner: PlacerOwner, ledger: ReleaseLedger, initialSerial: number) {
    this.#owner = owner;
    this.host = owner.host;
    this.codec = owner.codec;
    this.ledger = ledger;
    this.nextSerial = initialSerial;
    this.inlineLimitBytes = owner.options.inlineLimitBytes;
  }

  /** Takes up a wire, new or after the loss of another. */
  attach(wire: Wire, remoteId: number): void {
    this.wire = wire;
    this.writer = wire.link.writer;
    this.remoteId = remoteId;
    this.applyOptions();
  }

  /** Reads the options anew. */
  applyOptions(): void {
    const { inlineLimitBytes } = this.#owner.options;
    this.inlineLimitBytes =
      this.wire === undefined
        ? inlineLimitBytes
        : Math.min(inlineLimitBytes, this.wire.link.maximumRecordBytes - recordOverheadBytes);
  }

  /** Makes what has been placed visible to the peer now. */
  publish(): void {
    this.host.statistics.recordPublish();
    this.wire.link.publish();
  }

  /**
   * The straight way for raw bytes: into the ring or frame at once. False when the message must take the other way.
   * The hot path: no allocation, no closure, no call into native code but the copy itself.
   */
  placeBytes(kind: number, reference: number, data: Uint8Array, more: boolean): boolean {
    if (encoding.isOn === true) requireNotEncoding();
    const length = data.length;
    const writer = this.writer;
    // What is in a record that was left open counts from here on, among the credits and the serial numbers.
    writer.seal();
    const credits = kind === RecordKind.response ? this.credits.responses : this.credits.posts;
    if (length > this.inlineLimitBytes || credits.messages <= 0 || credits.bytes < length) return false;
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
    int32[word + 1] = kind | (more === true ? MessageFlag.more << flagsShift : 0);
    int32[word + 2] = this.remoteId;
    int32[word + 3] = serial;
    int32[word + 4] = reference | 0;
    // With `| 0` it stays an integer on both ways here.
    int32[word + 5] = (serial & timedMask) === 0 ? this.timeOfSending() | 0 : 0;
    // Called so since the method of a Buffer is looked for anew each time.
    if (length < longUnalignedBytes) set.call(block.bytes, data, start + messageHeaderBytes);
    else copyIntoBlock(block, start + messageHeaderBytes, data);
    this.host.statistics.recordSent(kind - RecordKind.oneWay, 1, length);
    if (more === true) this.batch(kind, start, length);
    else this.publish();
    return true;
  }

  /** The straight way for a value: encoded in place. False when it must take the other way. */
  placeValue(kind: number, reference: number, value: unknown, more: boolean): boolean {
    if (encoding.isOn === true) requireNotEncoding();
    const room = this.roomForValue;
    const writer = this.writer;
    writer.seal();
    const credits = kind === RecordKind.response ? this.credits.responses : this.credits.posts;
    if (credits.messages <= 0 || credits.bytes < room) return false;
    const start = writer.claim(messageHeaderBytes + room);
    if (start < 0) return false;
    // Not claimed until it is complete: what the encoder calls may publish what was placed before, or end the link.
    writer.cursor = start;
    const length = this.encodeInPlace(value, start + messageHeaderBytes, room);
    if (length < 0) return false;
    writer.trim(start, messageHeaderBytes + length);
    credits.messages--;
    credits.bytes -= length;
    const serial = this.nextSerial;
    this.nextSerial = (serial + 1) | 0;
    const int32 = writer.block.int32;
    const word = start >> 2;
    const flags = more === true ? MessageFlag.encoded | MessageFlag.more : MessageFlag.encoded;
    int32[word] = messageHeaderBytes + length;
    int32[word + 1] = kind | (flags << flagsShift);
    int32[word + 2] = this.remoteId;
    int32[word + 3] = serial;
    int32[word + 4] = reference | 0;
    int32[word + 5] = (serial & timedMask) === 0 ? this.timeOfSending() | 0 : 0;
    this.host.statistics.recordSent(kind - RecordKind.oneWay, 1, length);
    if (more === true) this.batch(kind, start, length);
    else this.publish();
    if (encoding.hasWaiting) endEncoding();
    return true;
  }

  /**
   * The message at `start` is to be published with what follows it. Other one-way messages may go into its record, unless its
   * data is empty: a length of 0 would say that none do.
   */
  private batch(kind: number, start: number, length: number): void {
    if (kind === RecordKind.oneWay && length > 0) this.leaveOpen(start, length);
    this.host.wires.batch(this.wire);
  }

  /** The one-way message at `start`, with `length` bytes of data, lies in its record, behind which others may go. */
  protected abstract leaveOpen(start: number, length: number): void;
  abstract onSealed(block: MemoryBlock, end: number): void;

  /** How many bytes a value is given to be encoded in place: as much as the last one took, twice, and some. */
  protected get roomForValue(): number {
    return Math.min(this.inlineLimitBytes, 2 * this.encodedBytes + 64);
  }

  /**
   * Encodes `value` at byte `at` of the writer's block, where `room` bytes are free and not claimed, and returns how many it
   * took; -1 when it did not fit, or what the encoder called has used the room. Its caller calls `endEncoding` in the end.
   */
  protected encodeInPlace(value: unknown, at: number, room: number): number {
    const writer = this.writer;
    const { block, cursor, end: windowEnd } = writer;
    encoding.isOn = true;
    let end: number;
    try {
      end = this.codec.encodeInto(value, block.bytes, at, at + room);
    } catch (error) {
      endEncoding();
      throw error;
    }
    encoding.isOn = false;
    if (end < 0 || writer.cursor !== cursor || writer.end !== windowEnd || writer.block !== block) {
      endEncoding();
      return -1;
    }
    this.encodedBytes = end - at;
    return end - at;
  }

  /**
   * Places one record of any kind, to be published later. False when the link has no room now. A fragment names the message
   * whose data it is by `dataOfSerial`.
   */
  place(
    kind: number,
    flags: number,
    reference: number,
    header: Uint8Array | undefined,
    data: Uint8Array | undefined,
    mayCarryCredits: boolean,
    record?: QueuedRecord,
    dataOfSerial = 0,
  ): boolean {
    if (encoding.isOn) {
      this.waitForEncoder();
      return false;
    }
    const ledger = this.ledger;
    const carries = mayCarryCredits && (kind === RecordKind.credit || ledger.isWorthCarrying);
    const headerLength = header === undefined ? 0 : header.length;
    const headerStart = messageHeaderBytes + (carries ? creditExtensionBytes : 0);
    const dataStart = headerStart + paddedHeaderBytes(headerLength);
    const total = dataStart + (data === undefined ? 0 : data.length);
    const start = this.writer.claim(total);
    if (start < 0) return false;
    const block = this.writer.block;
    const int32 = block.int32;
    const word = start >> 2;
    const isSequenced = kind <= lastSequencedKind;
    const serial = this.nextSerial;
    if (isSequenced) this.nextSerial = (serial + 1) | 0;
    const flagBits = carries ? flags | MessageFlag.credits : flags;
    int32[word] = total;
    int32[word + 1] = kind | (flagBits << flagsShift) | (headerLength << headerLengthShift);
    int32[word + 2] = this.remoteId;
    int32[word + 3] = isSequenced ? serial : dataOfSerial;
    int32[word + 4] = reference;
    int32[word + 5] = isSequenced && (serial & timedMask) === 0 ? this.timeOfSending() : 0;
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
    if (data !== undefined) copyIntoBlock(block, start + dataStart, data);
    if (isSequenced && this.retransmitter !== undefined) {
      const streamed = (flags & MessageFlag.large) !== 0 && !this.wire.link.sharesMemory ? record?.large : undefined;
      this.retransmitter.remember(serial, block.bytes, start, total, streamed);
    }
    return true;
  }

  /** Apart, since entering a function that holds a closure allocates. */
  private waitForEncoder(): void {
    waitForEncoder(() => this.host.wires.onWritable(this.wire.link));
  }

  /** What is measured on one message of many: when it was sent, and how full its link was. Never 0. */
  private timeOfSending(): number {
    this.host.statistics.recordLinkOccupancy(this.wire.link.occupancyBytes());
    return this.host.clock.nowMicros() | 1;
  }
}
