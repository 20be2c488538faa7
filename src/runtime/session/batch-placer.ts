import * as copying from '../../transports/copy-bytes.js';
import type { MemoryBlock } from '../../transports/record.js';
import * as layout from '../message/message-layout.js';
import * as encoder from './encoding.js';
import * as placer from './record-placer.js';

// See record-placer.ts.
const { appendedHeaderBytes, MessageFlag, RecordKind, referenceWord } = layout;
const { longUnalignedBytes } = copying;
const { encoding, endEncoding } = encoder;
const { RecordPlacer, timedEvery } = placer;
const timedMask = timedEvery - 1;
const { set } = Uint8Array.prototype;

/**
 * Places the one-way messages of a batch, those of which more follows, in one record as long as nothing comes between: the
 * first has a record of its own, the others go behind it, with their length and flags alone. Half of what a small message
 * costs both sides is its record: claiming, filling in, finding, checking, and its share of the cache lines that move
 * from one core to the other.
 *
 * A message whose way is timed begins a record, so none holds more than 64.
 */
export class BatchPlacer extends RecordPlacer {
  /** How many more messages may go into the record that is open; 0 when none is. */
  private messagesLeft = 0;
  /** What that was when the record was opened. */
  private messagesAtOpening = 0;
  /** Byte of the writer's block up to which the record may grow: as far as its window, and as there are credits for bytes. */
  private longestEnd = 0;
  /** Bytes of data of the messages behind the first one. */
  private appendedBytes = 0;
  /** The longest data that goes behind: a longer one needs more care in copying, and its record is little beside it. */
  private longestAppendedBytes = 0;
  /** The open record: its first word, and the length of its first message. */
  private openWord = 0;
  private openLength = 0;

  /** Messages that can be sent now without waiting for the peer to release any. */
  get freeMessages(): number {
    return this.credits === undefined ? 0 : this.credits.posts.messages - this.appendedMessages;
  }

  /** Bytes that can be sent now without waiting for the peer to release any. */
  get freeBytes(): number {
    return this.credits === undefined ? 0 : this.credits.posts.bytes - this.appendedBytes;
  }

  private get appendedMessages(): number {
    return this.messagesAtOpening - this.messagesLeft;
  }

  override applyOptions(): void {
    super.applyOptions();
    this.longestAppendedBytes = Math.min(longUnalignedBytes - 1, this.inlineLimitBytes);
  }

  /**
   * Ends the open record, so that what is in it counts among credits and serial numbers, for who is about to look at them.
   * Not while an encoder is at work: nothing is placed until it returns, and its message may still go into that record.
   */
  protected settle(): void {
    if (!encoding.isOn) this.writer.seal();
  }

  /** As {@link placeBytes}, for a one-way message of which more follows. */
  appendBytes(data: Uint8Array): boolean {
    const length = data.length;
    const writer = this.writer;
    let start = -1;
    if (this.messagesLeft > 0 && length <= this.longestAppendedBytes && encoding.isOn === false) {
      start = writer.extend(appendedHeaderBytes + length, this.longestEnd);
    }
    if (start < 0) return this.placeBytes(RecordKind.oneWay, 0, data, true);
    const block = writer.block;
    this.fillIn(block.int32, start, length, 0);
    // Last, so that nothing has to be saved for after the call. Called so since the method of a Buffer is looked for anew
    // each time.
    set.call(block.bytes, data, start + appendedHeaderBytes);
    return true;
  }

  /** As {@link placeValue}, for a one-way message of which more follows. */
  appendValue(value: unknown): boolean {
    const writer = this.writer;
    const room = this.roomForValue;
    const roomLeft = this.longestEnd - writer.cursor;
    if (this.messagesLeft <= 0 || roomLeft < appendedHeaderBytes + room || encoding.isOn === true) {
      return this.placeValue(RecordKind.oneWay, 0, value, true);
    }
    const length = this.encodeInPlace(value, writer.cursor + appendedHeaderBytes, room);
    if (length < 0) return false;
    // What the encoder called may have published the record: nothing can go behind it then, and the value is encoded anew
    // for one of its own.
    const start = this.messagesLeft > 0 ? writer.extend(appendedHeaderBytes + length, this.longestEnd) : -1;
    if (start >= 0) this.fillIn(writer.block.int32, start, length, MessageFlag.encoded);
    if (encoding.hasWaiting) endEncoding();
    return start >= 0;
  }

  /** Writes what stands before an appended message. Its wire publishes at the turn's end already. */
  private fillIn(int32: Int32Array, start: number, length: number, flags: number): void {
    const word = start >> 2;
    int32[word] = length;
    int32[word + 1] = flags;
    this.messagesLeft--;
    this.appendedBytes += length;
  }

  protected override leaveOpen(start: number, length: number): void {
    const writer = this.writer;
    const { posts } = this.credits;
    // Up to the next one whose way is timed, which begins a record.
    const messages = Math.min((timedEvery - this.nextSerial) & timedMask, posts.messages);
    if (messages <= 0) return;
    this.messagesLeft = messages;
    this.messagesAtOpening = messages;
    // Counting what stands before each message, too: so there are credits for whatever fits.
    this.longestEnd = Math.min(writer.end, writer.cursor + posts.bytes);
    this.openWord = start >> 2;
    this.openLength = length;
    writer.open(this);
  }

  /** Says in the record how far it goes, and counts what was appended: once for all of it. */
  onSealed(block: MemoryBlock, end: number): void {
    const messages = this.appendedMessages;
    const bytes = this.appendedBytes;
    this.messagesLeft = 0;
    this.messagesAtOpening = 0;
    if (messages === 0) return;
    this.appendedBytes = 0;
    const { int32 } = block;
    const word = this.openWord;
    int32[word] = end - (word << 2);
    int32[word + referenceWord] = this.openLength;
    const { posts } = this.credits;
    posts.messages -= messages;
    posts.bytes -= bytes;
    this.nextSerial = (this.nextSerial + messages) | 0;
    this.host.statistics.recordSent(0, messages, bytes);
  }
}
