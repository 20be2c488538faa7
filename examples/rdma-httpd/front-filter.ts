import { type Connection, HeddleError, type SharedBuffer } from 'heddle';
import { requestHeader, type WorkerPost } from './front-messages.js';
import type { AnswerHead, Bucket, Fields, HttpRequest, OutputFilter } from './hooks.js';

/** Bytes of a body that go to the front at a time. */
const pieceBytes = 256 * 1024;
/** Pieces that the client's socket may not have taken yet. */
const maximumPieces = 2;

/** The end of every filter chain: hands the answer to the front, which has the client's socket. */
export class FrontFilter implements OutputFilter {
  readonly #front: Connection;
  readonly #request: HttpRequest;
  readonly #header: Buffer;
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(front: Connection, request: HttpRequest) {
    this.#front = front;
    this.#request = request;
    this.#header = requestHeader(request.id);
  }

  head({ status, fields }: AnswerHead): void {
    this.#post({ type: 'head', request: this.#request.id, status, fields });
  }

  async write(bucket: Bucket): Promise<void> {
    const { context } = this.#request.connection.worker;
    switch (bucket.kind) {
      case 'heap':
        await this.#deliver(bucket.buffer);
        break;
      case 'file': {
        const { file, offset, lengthBytes } = bucket;
        for (let done = 0; done < lengthBytes; ) {
          const length = Math.min(pieceBytes, lengthBytes - done);
          const buffer = context.allocate(length);
          try {
            let filled = 0;
            while (filled < length) {
              const { bytesRead } = await file.read(buffer.bytes, filled, length - filled, offset + done + filled);
              if (bytesRead === 0) throw new Error(`the file ends at ${offset + done + filled}, before its length`);
              filled += bytesRead;
            }
          } catch (error) {
            buffer.release();
            throw error;
          }
          await this.#deliver(buffer);
          done += length;
        }
        break;
      }
      case 'transient': {
        const buffer = context.allocate(bucket.bytes.length);
        buffer.bytes.set(bucket.bytes);
        await this.#deliver(buffer);
        break;
      }
    }
  }

  async end(trailers: Fields): Promise<void> {
    await Promise.all(this.#underWay);
    this.#check();
    this.#post({ type: 'end', request: this.#request.id, trailers });
  }

  #post(post: WorkerPost): void {
    this.#front.send(post);
  }

  /** Sends a piece, and waits until few enough are under way. */
  async #deliver(buffer: SharedBuffer): Promise<void> {
    const piece = this.#front
      .deliver(buffer, { header: this.#header })
      .then(({ accepted }) => {
        if (!accepted) throw new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the HTTP client has gone');
      })
      .catch((error: unknown) => {
        if (buffer.isHeld) buffer.release();
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(piece));
    this.#underWay.add(piece);
    if (this.#underWay.size >= maximumPieces) await Promise.race(this.#underWay);
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
