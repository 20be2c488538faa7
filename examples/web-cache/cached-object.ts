import type { BlockMemory, Extent } from './block-memory.js';
import { dateBytes, dateOffset, fileHead, httpDate } from './heads.js';

/** A response is sent in pieces of this size: what one client may have in its socket's queue. */
export const chunkBytes = 64 * 1024;

/** What is known of a file: enough to tell whether it has changed. */
export interface FileVersion {
  /** Where it really is. */
  readonly file: string;
  readonly lengthBytes: number;
  readonly modifiedMs: number;
  readonly contentType: string;
}

/** The entity tag of a version. */
export function etagOf({ lengthBytes, modifiedMs }: FileVersion): string {
  return `"${Math.trunc(modifiedMs * 1000).toString(16)}-${lengthBytes.toString(16)}"`;
}

/** The head that goes before the body of a cached object, as most clients get it. */
export function prebuiltHead(version: FileVersion): Buffer {
  const validators = { etag: etagOf(version), lastModified: new Date(version.modifiedMs).toUTCString() };
  return Buffer.from(fileHead({ ...version, ...validators }, { keepAlive: true, isHttp11: true }), 'latin1');
}

/**
 * A file, ready to be sent: the head of the answer and the file's bytes behind it, cut into chunks of 64 KiB. Its bytes are
 * never altered, but for the date in the head, and that only while nobody reads it.
 */
export class CachedObject {
  readonly key: string;
  readonly version: FileVersion;
  readonly etag: string;
  readonly lastModified: string;
  readonly chunks: readonly Extent[];
  /** Bytes of the head at the start of the first chunk. */
  readonly headBytes: number;
  /** The head alone, for HEAD. */
  readonly head: Buffer;
  /** Whether it was asked for again since the last look for something to evict: once is not enough to stay. */
  isUsed = false;
  /** When to ask again whether the file has changed. */
  checkAtMs = 0;
  readonly #memory: BlockMemory;
  #readers = 0;
  #isDropped = false;
  #headSecond = -1;

  /** The chunks hold the prebuilt head and the file's bytes behind it. */
  constructor(key: string, version: FileVersion, chunks: readonly Extent[], headBytes: number, memory: BlockMemory) {
    this.key = key;
    this.version = version;
    this.etag = etagOf(version);
    this.lastModified = new Date(version.modifiedMs).toUTCString();
    this.chunks = chunks;
    this.headBytes = headBytes;
    this.head = chunks[0]!.bytes.subarray(0, headBytes);
    this.#memory = memory;
  }

  get contentType(): string {
    return this.version.contentType;
  }

  get lengthBytes(): number {
    return this.version.lengthBytes;
  }

  /** Whether it left the cache: who has it from before must not begin to send from it. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  /** Answers that are being sent from it. */
  get readers(): number {
    return this.#readers;
  }

  /** Whether its head says the right time: it is written anew each second, but never while it is being sent. */
  freshenHead(second: number): boolean {
    if (this.#headSecond === second) return true;
    if (this.#readers > 0) return false;
    this.#headSecond = second;
    this.head.write(httpDate(second), dateOffset, dateBytes, 'latin1');
    return true;
  }

  /** Someone sends from it: its memory stays until {@link release}. */
  retain(): void {
    this.#readers++;
  }

  release(): void {
    if (--this.#readers === 0 && this.#isDropped) this.#free();
  }

  /** It left the cache: its memory is free when its last reader has finished. */
  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    if (this.#readers === 0) this.#free();
  }

  #free(): void {
    for (const chunk of this.chunks) this.#memory.free(chunk);
  }
}
