import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Message } from '../message/message.js';

/** Where the fragments of a large message are being gathered. */
export class Assembly {
  readonly message: Message;
  readonly sentAt: number;
  readonly #target: Buffer;
  #receivedBytes = 0;

  constructor(message: Message, target: Buffer, sentAt: number) {
    this.message = message;
    this.#target = target;
    this.sentAt = sentAt;
  }

  /**
   * Takes the next fragment, of data of the message with number `serial`, from `start` to `end` of `block`. True when it was
   * the last.
   */
  take(serial: number, offset: number, block: MemoryBlock, start: number, end: number): boolean {
    if (serial !== this.message.serial || offset !== this.#receivedBytes) {
      throw new HeddleError(
        'ERR_HEDDLE_PROTOCOL',
        `the peer skipped or repeated data of a message: expected serial=${this.message.serial} ` +
          `offset=${this.#receivedBytes} got serial=${serial} offset=${offset}`,
      );
    }
    if (this.#receivedBytes + (end - start) > this.message.length) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer sent more data than it announced');
    }
    this.#target.set(block.bytes.subarray(start, end), this.#receivedBytes);
    this.#receivedBytes += end - start;
    return this.#receivedBytes === this.message.length;
  }
}
