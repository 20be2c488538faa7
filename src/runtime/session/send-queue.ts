import type { SharedBuffer } from '../memory/shared-buffer.js';
import type { Receipt } from '../message/payload.js';

/** A message, or a smaller sequenced record, that waits for credits or for room on the wire. */
export interface QueuedRecord {
  readonly kind: number;
  readonly flags: number;
  /** See the record layout: what the record is about. */
  readonly reference: number;
  readonly header: Uint8Array | undefined;
  /** The bytes of the data, unless they are in `large`. */
  data: Uint8Array | undefined;
  /** The data of a large message, held until it is handed over or has been streamed. */
  large: SharedBuffer | undefined;
  /** Whether `large` is a buffer that the user sent, and not a copy of bytes or of a value. */
  readonly isUsersBuffer: boolean;
  /** What the message takes of the byte credits; 0 for records that take none. */
  readonly chargedBytes: number;
  readonly onSent: (() => void) | undefined;
  readonly onReceipt: ((receipt: Receipt) => void) | undefined;
  readonly context: unknown;
}

/** First in, first out; pushing and shifting cost the same however long it is. */
export class SendQueue {
  #records: (QueuedRecord | undefined)[] = [];
  #first = 0;
  /** Bytes of data that wait. */
  bytes = 0;

  get length(): number {
    return this.#records.length - this.#first;
  }

  get head(): QueuedRecord | undefined {
    return this.#records[this.#first];
  }

  push(record: QueuedRecord): void {
    this.#records.push(record);
    this.bytes += record.chargedBytes;
  }

  shift(): QueuedRecord | undefined {
    const record = this.#records[this.#first];
    if (record === undefined) return undefined;
    this.#records[this.#first++] = undefined;
    this.bytes -= record.chargedBytes;
    // Moving the rest down each time the dead half outgrows the live one keeps the cost per record constant.
    if (this.#first > 32 && this.#first * 2 >= this.#records.length) {
      this.#records.splice(0, this.#first);
      this.#first = 0;
    }
    return record;
  }

  /** Takes the first record that `matches` out of the queue, wherever it is. */
  remove(matches: (record: QueuedRecord) => boolean): QueuedRecord | undefined {
    for (let index = this.#first; index < this.#records.length; index++) {
      const record = this.#records[index] as QueuedRecord;
      if (!matches(record)) continue;
      this.#records.splice(index, 1);
      this.bytes -= record.chargedBytes;
      return record;
    }
    return undefined;
  }
}
