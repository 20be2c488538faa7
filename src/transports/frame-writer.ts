import { HeddleError } from '../errors.js';
import { encodeCloseRecord } from './close-record.js';
import { countRecords, frameHeaderBytes, writeFrameHeader } from './frame.js';
import { type FrameBuffer, type FrameBufferPool, SealedFrame } from './frame-buffer.js';
import { alignedRecordBytes, MemoryBlock, recordHeaderBytes } from './record.js';
import { type RecordSink, RecordWriter } from './record-writer.js';

/** Where published frames go. */
export interface FrameCarrier {
  /**
   * Sends `first` and the frames linked behind it, `count` in all, in this order. For each the carrier calls
   * {@link FrameWriter.completed} once its bytes are no longer needed; not before this call has returned.
   */
  carry(first: SealedFrame, count: number): void;
  /** A claim failed before for lack of room; there is room now. */
  onRoom(): void;
}

/** The window of a writer that holds no buffer: its first claim asks for one. */
const noBlock = new MemoryBlock(new ArrayBuffer(0));

/**
 * Gathers records into frames. Records are written straight into a pooled buffer; when one does not fit any more, the
 * frame is sealed (its header is filled in) and another buffer is taken. `publish` hands all sealed frames to the
 * carrier at once.
 *
 * A buffer goes on being filled behind frames that are still on their way, so that thousands of small frames waiting
 * in a slow socket hold no more memory than their bytes. Bytes sealed and not yet completed never exceed
 * `maximumWaitingBytes` by more than one buffer.
 */
export class FrameWriter implements RecordSink {
  /** Where records are placed. */
  readonly writer: RecordWriter;
  readonly #pool: FrameBufferPool;
  readonly #carrier: FrameCarrier;
  readonly #maximumPayloadBytes: number;
  readonly #maximumWaitingBytes: number;

  #buffer: FrameBuffer | undefined;
  /** Byte offset in the buffer of the header of the frame that is being filled. */
  #frameStart = 0;
  #nextSerial = 0;
  #firstSealed: SealedFrame | undefined;
  #lastSealed: SealedFrame | undefined;
  #sealedCount = 0;
  /** Bytes of frames that are sealed and not completed. */
  #waitingBytes = 0;
  #roomWanted = false;
  #ignoreLimit = false;
  #closed = false;

  /**
   * @param maximumPayloadBytes bytes of records in one frame at the most, a multiple of 8; no more than a buffer of
   *   the pool holds besides a header
   * @param maximumWaitingBytes once so much waits in the carrier, claims fail until less than half of it does
   */
  constructor(pool: FrameBufferPool, carrier: FrameCarrier, maximumPayloadBytes: number, maximumWaitingBytes: number) {
    this.#pool = pool;
    this.#carrier = carrier;
    this.#maximumPayloadBytes = Math.min(maximumPayloadBytes, pool.capacityBytes - frameHeaderBytes);
    this.#maximumWaitingBytes = maximumWaitingBytes;
    this.writer = new RecordWriter(noBlock, this);
  }

  /** The largest record that can be claimed. */
  get maximumRecordBytes(): number {
    return this.#maximumPayloadBytes;
  }

  /** Bytes claimed and not yet taken by the carrier, headers included. */
  occupancyBytes(): number {
    return this.#waitingBytes + this.#openBytes();
  }

  /** @inheritdoc */
  makeRoom(writer: RecordWriter, alignedBytes: number): boolean {
    if (alignedBytes > this.#maximumPayloadBytes) {
      throw new HeddleError(
        'ERR_HEDDLE_MESSAGE_TOO_LARGE',
        'a record is larger than a frame of this link can hold: split it, or raise frameBytes on both sides: ' +
          `recordBytes=${alignedBytes} maximumRecordBytes=${this.#maximumPayloadBytes}`,
        { details: { recordBytes: alignedBytes, maximumRecordBytes: this.#maximumPayloadBytes } },
      );
    }
    if (this.#closed) return false;
    this.#seal();
    if (this.#waitingBytes >= this.#maximumWaitingBytes && !this.#ignoreLimit) {
      this.#roomWanted = true;
      return false;
    }
    let buffer = this.#buffer;
    // The rest of a buffer that still has frames on their way is used if the record fits; else the buffer is left to
    // them, and goes back to the pool with the last.
    if (buffer !== undefined && buffer.framesInFlight > 0 && !this.#fits(buffer, alignedBytes)) buffer = undefined;
    if (buffer === undefined) {
      buffer = this.#pool.take();
      this.#buffer = buffer;
      this.#frameStart = 0;
    } else if (buffer.framesInFlight === 0) {
      this.#frameStart = 0;
    }
    this.#openWindow(writer, buffer);
    return true;
  }

  /** Seals what was written and hands all sealed frames to the carrier, in one call; nothing if there are none. */
  publish(): void {
    this.#seal();
    const first = this.#firstSealed;
    if (first === undefined) return;
    const count = this.#sealedCount;
    this.#firstSealed = undefined;
    this.#lastSealed = undefined;
    this.#sealedCount = 0;
    this.#carrier.carry(first, count);
  }

  /** The carrier does not need the bytes of `frame` any more. */
  completed(frame: SealedFrame): void {
    const buffer = frame.buffer;
    this.#waitingBytes -= frame.end - frame.start;
    if (--buffer.framesInFlight === 0) {
      if (buffer !== this.#buffer) this.#pool.recycle(buffer);
      else if (this.#openBytes() === 0) this.#giveBuffer();
    }
    if (this.#roomWanted && this.#waitingBytes * 2 <= this.#maximumWaitingBytes && !this.#closed) {
      this.#roomWanted = false;
      this.#carrier.onRoom();
    }
  }

  /**
   * Publishes what was claimed, and behind it the record that ends a link, however much waits. Returns why the link ends:
   * `error`, or what came in the way.
   */
  publishClose(error: HeddleError | undefined): HeddleError | undefined {
    const record = encodeCloseRecord(error);
    this.#ignoreLimit = true;
    try {
      const start = this.writer.claim(record.length);
      if (start >= 0) record.copy(this.writer.block.bytes, start);
      this.publish();
      return error;
    } catch (cause) {
      // A record was left unfinished by its claimer: what was sealed before it has gone, the rest cannot.
      return (
        error ?? new HeddleError('ERR_HEDDLE_INVALID_STATE', 'the link closed with a record left unfinished', { cause })
      );
    } finally {
      this.#ignoreLimit = false;
    }
  }

  /** From now on claims fail. Unpublished records are dropped; frames that were carried are still to be completed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.writer.seal();
    for (let frame = this.#firstSealed; frame !== undefined; frame = frame.next) {
      this.#waitingBytes -= frame.end - frame.start;
      const buffer = frame.buffer;
      if (--buffer.framesInFlight === 0 && buffer !== this.#buffer) this.#pool.recycle(buffer);
    }
    this.#firstSealed = undefined;
    this.#lastSealed = undefined;
    this.#sealedCount = 0;
    this.#giveBuffer();
  }

  #fits(buffer: FrameBuffer, alignedBytes: number): boolean {
    return this.#frameStart + frameHeaderBytes + alignedBytes <= buffer.capacityBytes;
  }

  /** Bytes of the frame that is being filled; 0 when it holds no record. */
  #openBytes(): number {
    if (this.#buffer === undefined || this.writer.end === 0) return 0;
    const bytes = this.writer.cursor - this.#frameStart;
    return bytes > frameHeaderBytes ? bytes : 0;
  }

  #openWindow(writer: RecordWriter, buffer: FrameBuffer): void {
    const start = this.#frameStart + frameHeaderBytes;
    const end = Math.min(buffer.capacityBytes, start + this.#maximumPayloadBytes);
    writer.block = buffer.block;
    if (end - start < recordHeaderBytes) {
      writer.cursor = 0;
      writer.end = 0;
    } else {
      writer.cursor = start;
      writer.end = end;
    }
  }

  /** Completes the frame that is being filled, if it holds a record, and opens the next behind it. */
  #seal(): void {
    this.writer.seal();
    if (this.#openBytes() === 0) return;
    const buffer = this.#buffer!;
    const writer = this.writer;
    const start = this.#frameStart;
    const end = writer.cursor;
    const recordCount = countRecords(buffer.block, start + frameHeaderBytes, end);
    if (recordCount < 0) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        'a record was claimed and its length word not filled in, or not trimmed to its length: ' +
          `frameStart=${start} cursor=${end}`,
        { details: { frameStart: start, cursor: end } },
      );
    }
    writeFrameHeader(buffer.block, start, end, this.#nextSerial, recordCount);
    this.#nextSerial = (this.#nextSerial + 1) | 0;
    const frame = new SealedFrame(buffer, start, end);
    if (this.#lastSealed === undefined) this.#firstSealed = frame;
    else this.#lastSealed.next = frame;
    this.#lastSealed = frame;
    this.#sealedCount++;
    this.#waitingBytes += end - start;
    buffer.framesInFlight++;
    this.#frameStart = end;
    this.#openWindow(writer, buffer);
  }

  /** Lets go of the buffer that is being filled: a link with nothing to send holds none. */
  #giveBuffer(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    this.writer.block = noBlock;
    this.writer.cursor = 0;
    this.writer.end = 0;
    if (buffer !== undefined && buffer.framesInFlight === 0) this.#pool.recycle(buffer);
  }
}

/** The smallest `maximumPayloadBytes` of use: what is smaller could not carry the record that ends a link. */
export const minimumFramePayloadBytes = alignedRecordBytes(2048);
