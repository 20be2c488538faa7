import { HeddleError } from '../errors.js';
import {
  closeRecordType,
  frameHeaderBytes,
  frameMagic,
  maximumFrameBytes,
  maximumFrameRecordBytes,
  minimumFrameBytes,
} from './frame.js';
import {
  alignedRecordBytes,
  firstUpperRecordType,
  MemoryBlock,
  paddingRecordType,
  recordAlignmentBytes,
  recordHeaderBytes,
} from './record.js';

/** Takes the records that a {@link FrameReader} finds. */
export interface FrameReceiver {
  /** A record of an upper layer's type; it lies whole in `block`, whose bytes may be reused when the call returns. */
  onRecord(block: MemoryBlock, start: number, lengthBytes: number): void;
  /** The record that ends the link. The reader has stopped already. */
  onCloseRecord(block: MemoryBlock, start: number, lengthBytes: number): void;
}

/** Chunks below this are copied: two views of a chunk cost more than a copy of so few bytes. */
const minimumInPlaceBytes = 2048;
/** What the reassembly buffer begins with. A link on which nothing arrives keeps no more than this. */
const initialReassemblyBytes = 4096;
const alignmentMask = recordAlignmentBytes - 1;

/**
 * Finds the records in a stream of frames that arrives in chunks of any size.
 *
 * A record is handed over as soon as it is complete, not only when its frame is: the first records of a large frame
 * need not wait for the last, and what must be kept between chunks is one partial record instead of a frame. Nothing
 * is lost by it, as each record is checked by itself before it is handed over, and the rest of a frame that turns out
 * to be malformed ends the link anyway.
 *
 * Records are read where the chunk lies when it is 8-byte aligned, as chunks of node:net are unless TCP cut the stream
 * inside of a record. Only the partial record at a chunk's end is copied. A chunk that is not aligned passes through
 * the reassembly buffer, which grows with the bytes that have arrived, never by what a header announces.
 */
export class FrameReader {
  readonly #receiver: FrameReceiver;
  /** Bytes of records that the current frame still holds; 0 between frames. */
  #frameRemaining = 0;
  #recordsRemaining = 0;
  #nextSerial = 0;
  #stopped = false;
  #error: HeddleError | undefined;
  /** Holds the beginning of a header or record whose end has not arrived, from byte 0 on. */
  #reassembly: MemoryBlock | undefined;
  #pendingBytes = 0;
  /** Bytes consumed before the chunk at hand, for error messages. */
  #streamBytes = 0;

  constructor(receiver: FrameReceiver) {
    this.#receiver = receiver;
  }

  /** Whether the stream so far ends with a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#frameRemaining === 0 && this.#pendingBytes === 0;
  }

  /** Bytes of memory that the reader holds between chunks. */
  get heldBytes(): number {
    return this.#reassembly === undefined ? 0 : this.#reassembly.bytes.length;
  }

  /** No more records are handed over, also not the rest of the chunk at hand; further chunks are ignored. */
  stop(): void {
    this.#stopped = true;
    this.#reassembly = undefined;
    this.#pendingBytes = 0;
  }

  /**
   * Takes the next bytes of the stream. Returns the `ERR_HEDDLE_MALFORMED` that ended it, or undefined. Throws only
   * what the receiver throws; the reader is stopped then, for its place in the stream is lost.
   */
  push(chunk: Buffer): HeddleError | undefined {
    const length = chunk.length;
    let offset = 0;
    while (offset < length && !this.#stopped) {
      const address = chunk.byteOffset + offset;
      const available = length - offset;
      if (this.#pendingBytes === 0 && (address & alignmentMask) === 0 && available >= minimumInPlaceBytes) {
        const usable = available & ~alignmentMask;
        offset += this.#parse(new MemoryBlock(chunk.buffer, address, usable), 0, usable);
        if (offset < length && !this.#stopped) this.#keep(chunk, offset);
        break;
      }
      offset += this.#reassemble(chunk, offset, address, available);
    }
    this.#streamBytes += length;
    // A large record is the exception: its buffer is not kept for the next.
    if (this.#pendingBytes === 0 && this.#reassembly !== undefined && this.heldBytes > initialReassemblyBytes) {
      this.#reassembly = undefined;
    }
    return this.#error;
  }

  /**
   * Takes a frame that lies whole, 8-byte aligned, from `start` to `end` of `block`: for transports that carry each frame
   * in a message of its own. Returns and throws as {@link push} does.
   */
  pushFrame(block: MemoryBlock, start: number, end: number): HeddleError | undefined {
    const consumed = this.#parse(block, start, end);
    if (!this.#stopped && (consumed !== end - start || this.#frameRemaining !== 0)) {
      this.#fail('a message does not hold exactly one frame or more', {
        messageBytes: end - start,
        frameRemaining: this.#frameRemaining,
      });
    }
    this.#streamBytes += end - start;
    return this.#error;
  }

  /** Copies bytes behind the pending ones and reads what has become whole. Returns how many bytes it took. */
  #reassemble(chunk: Buffer, offset: number, address: number, available: number): number {
    const pending = this.#pendingBytes;
    let take = available;
    // Where the chunk goes on aligned behind the pending piece, only that piece is completed here.
    if (pending > 0 && ((address - pending) & alignmentMask) === 0 && available >= minimumInPlaceBytes) {
      take = Math.min(available, this.#pieceBytes() - pending);
    }
    const block = this.#ensureReassembly(pending);
    take = Math.min(take, block.bytes.length - pending);
    chunk.copy(block.bytes, pending, offset, offset + take);
    const filled = pending + take;
    // A record claims its padding too, so that pieces always are multiples of 8.
    const consumed = this.#parse(block, 0, filled);
    if (this.#stopped) return take;
    if (consumed > 0 && consumed < filled) block.bytes.copyWithin(0, consumed, filled);
    this.#pendingBytes = filled - consumed;
    return take;
  }

  /** Keeps the partial piece at the end of a chunk that was read in place. */
  #keep(chunk: Buffer, offset: number): void {
    const length = chunk.length - offset;
    const block = this.#ensureReassembly(length - 1);
    chunk.copy(block.bytes, 0, offset);
    this.#pendingBytes = length;
  }

  /** The size of the piece whose beginning is pending: that of the smallest one while its own is unknown. */
  #pieceBytes(): number {
    if (this.#frameRemaining === 0) return frameHeaderBytes;
    if (this.#pendingBytes < recordHeaderBytes) return recordHeaderBytes;
    // Checked by #parse, which stopped at it.
    return alignedRecordBytes(this.#reassembly!.int32[0]!);
  }

  /**
   * A reassembly buffer with more than `filled` bytes. Grows by doubling, so that it never exceeds twice what has
   * arrived, and ends at the size of the largest record.
   */
  #ensureReassembly(filled: number): MemoryBlock {
    const block = this.#reassembly;
    if (block !== undefined && block.bytes.length > filled) return block;
    let capacity = initialReassemblyBytes;
    while (capacity <= filled) capacity *= 2;
    const grown = new MemoryBlock(new ArrayBuffer(Math.min(capacity, maximumFrameBytes)));
    if (block !== undefined) block.bytes.copy(grown.bytes, 0, 0, this.#pendingBytes);
    this.#reassembly = grown;
    return grown;
  }

  /** Reads the whole headers and records that lie from `start` to `end`; returns how many bytes they took. */
  #parse(block: MemoryBlock, start: number, end: number): number {
    const int32 = block.int32;
    const receiver = this.#receiver;
    let position = start;
    while (!this.#stopped) {
      if (this.#frameRemaining === 0) {
        if (end - position < frameHeaderBytes) break;
        if (!this.#enterFrame(int32, position)) break;
        position += frameHeaderBytes;
      }
      const available = end - position;
      if (available < recordHeaderBytes) break;
      const lengthBytes = int32[position >> 2]!;
      const remaining = this.#frameRemaining;
      // `remaining` is a multiple of 8, so a length within it stays within it when padded.
      if (lengthBytes < recordHeaderBytes || lengthBytes > remaining) {
        this.#fail('a record does not fit into its frame', { recordBytes: lengthBytes, frameRemaining: remaining });
        break;
      }
      const type = int32[(position >> 2) + 1]! & 0xff;
      if (type < firstUpperRecordType && type !== paddingRecordType && type !== closeRecordType) {
        this.#fail('a record has a reserved type', { recordType: type, recordBytes: lengthBytes });
        break;
      }
      const alignedBytes = alignedRecordBytes(lengthBytes);
      const recordsRemaining = this.#recordsRemaining - 1;
      // The last record announced ends the frame, and no other does.
      if ((remaining === alignedBytes) !== (recordsRemaining === 0)) {
        this.#fail('a frame holds more or fewer records than it announced', {
          recordsRemaining,
          frameRemaining: remaining - alignedBytes,
        });
        break;
      }
      if (alignedBytes > available) break;
      this.#frameRemaining = remaining - alignedBytes;
      this.#recordsRemaining = recordsRemaining;
      const recordStart = position;
      position += alignedBytes;
      if (type >= firstUpperRecordType) {
        this.#deliver(receiver, block, recordStart, lengthBytes);
      } else if (type === closeRecordType) {
        this.#stopped = true;
        receiver.onCloseRecord(block, recordStart, lengthBytes);
      }
    }
    return position - start;
  }

  /** A function of its own, so that the handler of exceptions stays out of the loop above. */
  #deliver(receiver: FrameReceiver, block: MemoryBlock, start: number, lengthBytes: number): void {
    let delivered = false;
    try {
      receiver.onRecord(block, start, lengthBytes);
      delivered = true;
    } finally {
      if (!delivered) this.stop();
    }
  }

  /** Checks the header at `position` and makes its frame the current one. */
  #enterFrame(int32: Int32Array, position: number): boolean {
    const word = position >> 2;
    const frameBytes = int32[word]!;
    const magic = int32[word + 1]!;
    const serial = int32[word + 2]!;
    const recordCount = int32[word + 3]!;
    if (magic !== frameMagic) {
      return this.#fail('a frame does not begin with the magic of this version', {
        magic: magic >>> 0,
        expectedMagic: frameMagic,
      });
    }
    if (frameBytes < minimumFrameBytes || frameBytes > maximumFrameBytes || (frameBytes & alignmentMask) !== 0) {
      return this.#fail('a frame has a length that is out of range or not a multiple of 8', {
        frameBytes,
        maximumFrameBytes,
      });
    }
    if (serial !== this.#nextSerial) {
      return this.#fail('a frame was lost, repeated or reordered', {
        serial: serial >>> 0,
        expectedSerial: this.#nextSerial >>> 0,
      });
    }
    const payloadBytes = frameBytes - frameHeaderBytes;
    if (recordCount < 1 || recordCount > payloadBytes / recordHeaderBytes) {
      return this.#fail('a frame announces a number of records that it cannot hold', { recordCount, frameBytes });
    }
    this.#frameRemaining = payloadBytes;
    this.#recordsRemaining = recordCount;
    this.#nextSerial = (serial + 1) | 0;
    return true;
  }

  #fail(what: string, facts: Record<string, number>): false {
    const details = { ...facts, streamBytes: this.#streamBytes };
    const listed = Object.entries(details).map(([name, value]) => `${name}=${value}`);
    this.#error = new HeddleError(
      'ERR_HEDDLE_MALFORMED',
      `${what}; the link cannot go on and is closed. Is the peer a heddle of the same version? ${listed.join(' ')}`,
      { details },
    );
    this.stop();
    return false;
  }
}

/** The largest record that any reader accepts: what a handshake announces. */
export const acceptedRecordBytes = maximumFrameRecordBytes;
