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
  /** In the open record, behind its first message. */
  private appendedMessages = 0;
  private appendedBytes = 0;

  /** As {@link placeBytes}, for a one-way message of which more follows. */
  appendBytes(data: Uint8Array): boolean {
    const length = data.length;
    const credits = this.credits.posts;
    const writer = this.writer;
    let start = -1;
    if (
      (this.nextSerial & timedMask) !== 0 &&
      // A longer one needs more care in copying, and its record is little beside it.
      length < longUnalignedBytes &&
      length <= this.inlineLimitBytes &&
      credits.messages > 0 &&
      credits.bytes >= length &&
      encoding.isOn === false
    ) {
      start = writer.extend(this, appendedHeaderBytes + length);
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
    const credits = this.credits.posts;
    const writer = this.writer;
    const room = this.roomForValue;
    if (
      (this.nextSerial & timedMask) === 0 ||
      writer.roomBehind(this) < appendedHeaderBytes + room ||
      credits.messages <= 0 ||
      credits.bytes < room ||
      encoding.isOn === true
    ) {
      return this.placeValue(RecordKind.oneWay, 0, value, true);
    }
    const length = this.encodeInPlace(value, writer.cursor + appendedHeaderBytes, room);
    if (length < 0) return false;
    const start = writer.extend(this, appendedHeaderBytes + length);
    // What the encoder called may have published the record: nothing can go behind it then, and the value is encoded anew
    // for one of its own.
    if (start >= 0) this.fillIn(writer.block.int32, start, length, MessageFlag.encoded);
    if (encoding.hasWaiting) endEncoding();
    return start >= 0;
  }

  /** Writes what stands before an appended message, and counts it. Its wire publishes at the turn's end already. */
  private fillIn(int32: Int32Array, start: number, length: number, flags: number): void {
    const word = start >> 2;
    int32[word] = length;
    int32[word + 1] = flags;
    const credits = this.credits.posts;
    credits.messages--;
    credits.bytes -= length;
    this.nextSerial = (this.nextSerial + 1) | 0;
    this.appendedMessages++;
    this.appendedBytes += length;
  }

  /** Says in the record how far it goes, and counts what was appended: once for all of it. */
  onSealed(block: MemoryBlock, end: number): void {
    const messages = this.appendedMessages;
    if (messages === 0) return;
    const { int32 } = block;
    const word = this.openWord;
    int32[word] = end - (word << 2);
    int32[word + referenceWord] = this.openLength;
    this.host.statistics.recordSent(0, messages, this.appendedBytes);
    this.appendedMessages = 0;
    this.appendedBytes = 0;
  }
}
