import type { MemoryBlock } from './record.js';
import * as record from './record.js';

// A constant of this module is folded into its machine code; an imported one is looked at anew at each use.
const { alignedRecordBytes } = record;

/** What stands behind a {@link RecordWriter}: a ring, or the frames of a socket. */
export interface RecordSink {
  /**
   * Called when the writer's window has no room for `alignedBytes` more. Moves the window (`block`, `cursor`, `end`)
   * to where there is room and returns true, or returns false when there is none now; the link then reports
   * `onWritable` once there is. No record is open then: none grows from one window into the next.
   *
   * Whenever a sink publishes, ends, or moves the window otherwise, it calls {@link RecordWriter.seal} before the bytes are
   * read or handed on: the length of a record that was left open is only then right, and what the peer may have read must not be
   * made longer.
   */
  makeRoom(writer: RecordWriter, alignedBytes: number): boolean;
}

/** Who makes a record that can be made longer. */
export interface OpenRecordMaker {
  /** The record stays as it is, with its end at byte `end` of `block`: its length word is due, if it was made longer. */
  onSealed(block: MemoryBlock, end: number): void;
}

/**
 * Places records one after another into a window of memory that its sink provides. The one hot path by which bytes
 * leave a context: claiming is a comparison and an addition, whichever transport lies below.
 *
 * Claimed records are invisible to the reader until the link is published. Between `claim` and the next call the
 * caller fills in the whole record, the length word included; one that it leaves open it corrects when that is sealed.
 */
export class RecordWriter {
  /** The memory that `cursor` points into. Changes only in `makeRoom`. */
  block: MemoryBlock;
  /** Byte offset in `block` of the next record. */
  cursor = 0;
  /** Byte offset in `block` up to which records may be placed. */
  end = 0;
  /** Who may still make the last record longer; see {@link open}. */
  private openMaker: OpenRecordMaker | undefined = undefined;
  readonly #sink: RecordSink;

  constructor(block: MemoryBlock, sink: RecordSink) {
    this.block = block;
    this.#sink = sink;
  }

  /**
   * Makes room for a record of `lengthBytes` and returns its byte offset in `block`, or -1 when there is no room now.
   * Read `block` after the call, not before. The record before it is sealed.
   */
  claim(lengthBytes: number): number {
    this.seal();
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

  /**
   * Leaves the record that `maker` has claimed just now open: it can be extended, by `maker` alone, until it is sealed. Nothing
   * lies behind it, and the record before it is sealed: the claim has seen to that.
   */
  open(maker: OpenRecordMaker): void {
    this.openMaker = maker;
  }

  /**
   * Makes the record that the caller has left open, and that was not sealed since, longer by `lengthBytes`. Returns the byte
   * offset in `block` of what was added, or -1 when it would go beyond `longestEnd`, which lies within the window. The
   * record's length word is the maker's to correct, when it is sealed.
   */
  extend(lengthBytes: number, longestEnd: number): number {
    const start = this.cursor;
    const cursor = start + alignedRecordBytes(lengthBytes);
    if (cursor > longestEnd) return -1;
    this.cursor = cursor;
    return start;
  }

  /**
   * Called by the sink before it publishes, moves the window or ends, and when another record is claimed: the last one stays
   * as it is. Whoever moves `cursor` does so afterwards.
   */
  seal(): void {
    const maker = this.openMaker;
    if (maker === undefined) return;
    this.openMaker = undefined;
    maker.onSealed(this.block, this.cursor);
  }
}
