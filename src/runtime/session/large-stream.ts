import type { SharedBuffer } from '../memory/shared-buffer.js';
import { messageHeaderBytes, RecordKind } from '../message/message-layout.js';
import type { RecordPlacer } from './record-placer.js';
import type { QueuedRecord } from './send-queue.js';

/** Data of a large message goes over a wire in pieces of at most this many bytes. */
const maximumFragmentBytes = 64 * 1024;

/**
 * The data of a large message on its way over a link that shares no memory: fragments that follow the message's record,
 * as many at a time as the link has room for. One message is streamed at a time, and nothing goes between its fragments.
 */
export class LargeStream {
  /** Fragments placed since the connection began: tells whether any were placed meanwhile. */
  placedFragments = 0;
  #large: SharedBuffer | undefined;
  #serial = 0;
  #sentBytes = 0;
  /** The record whose data it is; undefined when it is sent again after a reconnect. */
  #record: QueuedRecord | undefined;
  readonly #placer: RecordPlacer;
  readonly #onRecordSent: (record: QueuedRecord) => void;

  /** `onRecordSent` is told when all data of a record has been placed. */
  constructor(placer: RecordPlacer, onRecordSent: (record: QueuedRecord) => void) {
    this.#placer = placer;
    this.#onRecordSent = onRecordSent;
  }

  /** Whether data waits to follow its record. */
  get isActive(): boolean {
    return this.#large !== undefined;
  }

  /** Begins with the data of the message with that serial number, whose record has just been placed. */
  begin(large: SharedBuffer, serial: number, record: QueuedRecord | undefined): void {
    this.#large = large;
    this.#serial = serial;
    this.#record = record;
    this.#sentBytes = 0;
  }

  /** Goes on where it stopped. True when there is nothing (more) to stream. */
  goOn(): boolean {
    const large = this.#large;
    if (large === undefined) return true;
    const placer = this.#placer;
    const limit = Math.min(maximumFragmentBytes, placer.wire.link.maximumRecordBytes - messageHeaderBytes);
    const bytes = large.bytes;
    while (this.#sentBytes < large.length) {
      const end = Math.min(this.#sentBytes + limit, large.length);
      const piece = bytes.subarray(this.#sentBytes, end);
      if (!placer.place(RecordKind.fragment, 0, this.#sentBytes, undefined, piece, false, undefined, this.#serial)) {
        return false;
      }
      this.#sentBytes = end;
      this.placedFragments++;
    }
    this.#end();
    return true;
  }

  /**
   * The link is lost. A message that was being streamed is sent again as a whole where its copy is with the retransmitter. Else it is
   * returned: it was not sent.
   */
  stop(): QueuedRecord | undefined {
    const record = this.#record;
    const isCutShort = this.#large !== undefined && this.#placer.retransmitter === undefined;
    if (this.#large !== undefined) this.#end(!isCutShort);
    return isCutShort ? record : undefined;
  }

  #end(isSent = true): void {
    const large = this.#large;
    const record = this.#record;
    this.#large = undefined;
    this.#record = undefined;
    // Where the message may have to be sent again, the retransmitter holds the buffer.
    if (this.#placer.retransmitter === undefined) large?.release();
    if (isSent && record !== undefined) this.#onRecordSent(record);
  }
}
