import { alignedRecordBytes, type MemoryBlock } from './record.js';

/** What stands behind a {@link RecordWriter}: a ring, or the frames of a socket. */
export interface RecordSink {
  /**
   * Called when the writer's window has no room for `alignedBytes` more. Moves the window (`block`, `cursor`, `end`)
   * to where there is room and returns true, or returns false when there is none now; the link then reports
   * `onWritable` once there is.
   */
  makeRoom(writer: RecordWriter, alignedBytes: number): boolean;
}

/**
 * Places records one after another into a window of memory that its sink provides. The one hot path by which bytes
 * leave a context: claiming is a comparison and an addition, whichever transport lies below.
 *
 * Claimed records are invisible to the reader until the link is published. Between `claim` and the next call the
 * caller fills in the whole record, the length word included.
 */
export class RecordWriter {
  /** The memory that `cursor` points into. Changes only in `makeRoom`. */
  block: MemoryBlock;
  /** Byte offset in `block` of the next record. */
  cursor = 0;
  /** Byte offset in `block` up to which records may be placed. */
  end = 0;
  readonly #sink: RecordSink;

  constructor(block: MemoryBlock, sink: RecordSink) {
    this.block = block;
    this.#sink = sink;
  }

  /**
   * Makes room for a record of `lengthBytes` and returns its byte offset in `block`, or -1 when there is no room now.
   * Read `block` after the call, not before.
   */
  claim(lengthBytes: number): number {
    const alignedBytes = alignedRecordBytes(lengthBytes);
    let start = this.cursor;
    if (start + alignedBytes > this.end) {
      if (!this.#sink.makeRoom(this, alignedBytes)) return -1;
      start = this.cursor;
    }
    this.cursor = start + alignedBytes;
    return start;
  }

  /**
   * Gives back the end of the record claimed last: it starts at `start` and needs only `lengthBytes`. With 0 the
   * record is abandoned.
   */
  trim(start: number, lengthBytes: number): void {
    this.cursor = start + alignedRecordBytes(lengthBytes);
  }
}
