import { closeSync, existsSync, mkdirSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Files that are kept open. */
const maximumOpen = 64;

/**
 * The files of the metadata server: in a folder, so that they outlive it. Reads and writes are synchronous: they go to
 * the page cache, and one that has begun is over before a layout can be taken away.
 */
export class FileStore {
  readonly #folder: string;
  readonly #open = new Map<string, number>();

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
  }

  /** A name that no client can give to a file. */
  get #mark(): string {
    return join(this.#folder, '.in-use');
  }

  /** The bytes from `start` to `end`; what lies beyond the end of the file is zero. */
  read(file: string, start: number, end: number): Buffer {
    const bytes = Buffer.alloc(end - start);
    readSync(this.#descriptor(file), bytes, 0, bytes.length, start);
    return bytes;
  }

  write(file: string, start: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#descriptor(file), bytes, done, bytes.length - done, start + done);
    }
  }

  /** Says that a server uses the folder. False when one did before that has not ended in order. */
  begin(): boolean {
    const isClean = !existsSync(this.#mark);
    writeFileSync(this.#mark, '');
    return isClean;
  }

  /** The inverse of {@link begin}; closes the files. */
  end(): void {
    rmSync(this.#mark, { force: true });
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #descriptor(file: string): number {
    let descriptor = this.#open.get(file);
    if (descriptor === undefined) {
      if (this.#open.size >= maximumOpen) {
        const [oldest, itsDescriptor] = this.#open.entries().next().value!;
        this.#open.delete(oldest);
        closeSync(itsDescriptor);
      }
      descriptor = openSync(join(this.#folder, file), 0o102 /* O_RDWR | O_CREAT */, 0o644);
    } else this.#open.delete(file);
    this.#open.set(file, descriptor);
    return descriptor;
  }
}
