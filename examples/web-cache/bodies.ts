import type { SharedBuffer } from 'heddle';
import { type CachedObject, chunkBytes, type FileVersion } from './cached-object.js';
import type { Loader } from './loader.js';

/** A part that is not longer is copied behind its head. It may lie in two chunks: then only what is in the first is. */
const joinedBytes = 4096;

/** What is sent for an answer: pieces of at most 64 KiB, each asked for when the one before has left. */
export interface Body {
  /** The next piece, now or later; undefined behind the last one. A promise that rejects ends the connection. */
  next(): Buffer | undefined | Promise<Buffer | undefined>;
  /** Called once, when nothing of it is in use any more: it was sent, or its client has gone. */
  end(): void;
}

/** A cached object as it lies there, head included. */
export class WholeObject implements Body {
  readonly #object: CachedObject;
  #index = 0;

  constructor(object: CachedObject) {
    this.#object = object;
    object.retain();
  }

  next(): Buffer | undefined {
    return this.#object.chunks[this.#index++]?.bytes;
  }

  end(): void {
    this.#object.release();
  }
}

/** Bytes `start` to `end` of a cached object's file, behind a head of its own. */
export class ObjectPart implements Body {
  readonly #object: CachedObject;
  #head: Buffer | undefined;
  /** Positions among the object's chunks, where its own head stands before the file. */
  #at: number;
  readonly #end: number;

  constructor(object: CachedObject, head: string, start = 0, end = object.lengthBytes) {
    this.#object = object;
    this.#head = Buffer.from(head, 'latin1');
    this.#at = object.headBytes + start;
    this.#end = object.headBytes + end;
    object.retain();
  }

  next(): Buffer | undefined {
    const head = this.#head;
    this.#head = undefined;
    if (head === undefined) return this.#nextOfFile();
    // A small answer is one piece, and leaves in one packet.
    const isSmall = this.#end - this.#at <= joinedBytes;
    const first = isSmall ? this.#nextOfFile() : undefined;
    return first === undefined ? head : Buffer.concat([head, first]);
  }

  end(): void {
    this.#object.release();
  }

  #nextOfFile(): Buffer | undefined {
    if (this.#at >= this.#end) return undefined;
    const chunk = this.#object.chunks[Math.floor(this.#at / chunkBytes)]!.bytes;
    const start = this.#at % chunkBytes;
    const piece = chunk.subarray(start, Math.min(chunk.length, start + this.#end - this.#at));
    this.#at += piece.length;
    return piece;
  }
}

/** Bytes `start` to `end` of a file that the cache has no room for: each piece comes from the service when it is due. */
export class UncachedFile implements Body {
  readonly #loader: Loader;
  readonly #version: FileVersion;
  #head: Buffer | undefined;
  #at: number;
  readonly #end: number;
  /** The piece that is being sent: it lies where the service has read it. */
  #piece: SharedBuffer | undefined;
  #isOver = false;

  constructor(loader: Loader, version: FileVersion, head: string, start: number, end: number) {
    this.#loader = loader;
    this.#version = version;
    this.#head = Buffer.from(head, 'latin1');
    this.#at = start;
    this.#end = end;
  }

  next(): Buffer | undefined | Promise<Buffer | undefined> {
    const head = this.#head;
    this.#head = undefined;
    if (head !== undefined) return head;
    this.#releasePiece();
    if (this.#at >= this.#end) return undefined;
    const offset = this.#at;
    const lengthBytes = Math.min(chunkBytes, this.#end - offset);
    this.#at += lengthBytes;
    return this.#loader.read(this.#version, offset, lengthBytes).then((piece) => {
      this.#piece = piece;
      // Its client may have gone meanwhile.
      if (this.#isOver) this.#releasePiece();
      return this.#piece?.bytes;
    });
  }

  end(): void {
    this.#isOver = true;
    this.#releasePiece();
  }

  #releasePiece(): void {
    this.#piece?.release();
    this.#piece = undefined;
  }
}

/** A few bytes made for this answer. */
export class Text implements Body {
  #bytes: Buffer | undefined;

  constructor(text: string) {
    this.#bytes = Buffer.from(text, 'latin1');
  }

  next(): Buffer | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes;
  }

  end(): void {}
}
