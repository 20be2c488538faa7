import { copyOf } from '../../transports/copy-bytes.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';

/** A sequenced record as it was placed, until the peer says that it has it. */
interface RecordCopy {
  readonly serial: number;
  readonly bytes: Buffer;
  /** The data that followed it in fragments. */
  readonly streamed: SharedBuffer | undefined;
}

/**
 * Copies of the sequenced records that the peer may not have received, oldest first. Their number is bounded by the
 * peer's receive depth: credits come back, and copies go, only with what the peer says it has received.
 */
export class Retransmitter {
  #copies: RecordCopy[] = [];
  /** Index of the next copy to be sent again; at the end of the list when none is. */
  #resendFrom = 0;

  get length(): number {
    return this.#copies.length;
  }

  remember(serial: number, source: Buffer, start: number, lengthBytes: number, streamed?: SharedBuffer): void {
    // Everything before it has been placed, or `nextToResend` would not have let a new record by.
    this.#copies.push({ serial, bytes: copyOf(source.subarray(start, start + lengthBytes)), streamed });
    this.#resendFrom = this.#copies.length;
  }

  /** Drops the copies of records before `expectedSerial`: the peer has them. */
  acknowledge(expectedSerial: number): void {
    let known = 0;
    while (known < this.#copies.length && ((this.#copies[known].serial - expectedSerial) | 0) < 0) {
      this.#copies[known].streamed?.release();
      known++;
    }
    if (known === 0) return;
    this.#copies.splice(0, known);
    this.#resendFrom = Math.max(0, this.#resendFrom - known);
  }

  /** Begins again with everything that the peer has not acknowledged. */
  rewind(): void {
    this.#resendFrom = 0;
  }

  nextToResend(): RecordCopy | undefined {
    return this.#copies[this.#resendFrom];
  }

  resent(): void {
    this.#resendFrom++;
  }

  clear(): void {
    for (const copy of this.#copies) copy.streamed?.release();
    this.#copies = [];
    this.#resendFrom = 0;
  }
}
