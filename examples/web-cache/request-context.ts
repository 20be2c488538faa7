/**
 * What a connection remembers of requests that cannot be answered yet: the first bytes of one whose rest has not come,
 * or those behind one whose answer is under way. Made when it is needed, gone when it is empty.
 */
export class RequestContext {
  /** When its first request began to wait. */
  sinceMs: number;
  #memory: Buffer;
  #length: number;

  constructor(bytes: Buffer, nowMs: number) {
    this.sinceMs = nowMs;
    this.#memory = Buffer.allocUnsafe(Math.max(1024, 2 * bytes.length));
    this.#length = bytes.copy(this.#memory);
  }

  get length(): number {
    return this.#length;
  }

  /** All that waits; valid until the next {@link append} or {@link consume}. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  append(bytes: Buffer): void {
    if (this.#length + bytes.length > this.#memory.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#length + bytes.length));
      this.#memory.copy(larger, 0, 0, this.#length);
      this.#memory = larger;
    }
    this.#length += bytes.copy(this.#memory, this.#length);
  }

  /** Takes the first bytes away: they are answered. */
  consume(lengthBytes: number, nowMs: number): void {
    this.#memory.copyWithin(0, lengthBytes, this.#length);
    this.#length -= lengthBytes;
    this.sinceMs = nowMs;
  }
}
