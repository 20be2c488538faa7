import { type RefOf, RemoteError, type SharedBuffer } from 'heddle';
import type { Extent } from './block-memory.js';
import { CachedObject, chunkBytes, type FileVersion, prebuiltHead } from './cached-object.js';
import type { FileService, Finding } from './file-service.js';
import type { ObjectCache } from './object-cache.js';

/** What came of a miss. */
export type Loaded =
  | { readonly kind: 'object'; readonly object: CachedObject }
  /** The cache has no room for it: it has to be read for each answer. */
  | { readonly kind: 'uncached'; readonly version: FileVersion }
  | { readonly kind: 'folder' | 'missing' | 'busy' };

/** How often a file that changes while it is read is begun anew. */
const maximumAttempts = 5;

/**
 * Brings files into the cache, by way of the service. Misses of one path are one load; there may be only so many loads
 * at a time.
 */
export class Loader {
  readonly #files: RefOf<typeof FileService>;
  readonly #cache: ObjectCache;
  readonly #maximumObjectBytes: number;
  readonly #maximumLoads: number;
  readonly #loads = new Map<string, Promise<Loaded>>();

  constructor(
    files: RefOf<typeof FileService>,
    cache: ObjectCache,
    limits: { readonly maximumObjectBytes: number; readonly maximumLoads: number },
  ) {
    this.#files = files;
    this.#cache = cache;
    this.#maximumObjectBytes = limits.maximumObjectBytes;
    this.#maximumLoads = limits.maximumLoads;
  }

  /** Loads under way. */
  get loads(): number {
    return this.#loads.size;
  }

  /** Resolves when no load is under way. */
  async settled(): Promise<void> {
    while (this.#loads.size > 0) await Promise.allSettled(this.#loads.values());
  }

  /** Loads a path, or joins who does. Rejects when the service fails. */
  load(key: string): Promise<Loaded> {
    const underWay = this.#loads.get(key);
    if (underWay !== undefined) return underWay;
    if (this.#loads.size >= this.#maximumLoads) return Promise.resolve({ kind: 'busy' });
    const load = this.#load(key).finally(() => this.#loads.delete(key));
    this.#loads.set(key, load);
    return load;
  }

  /** Looks whether the file behind a cached object has changed, and loads it anew when it has. Until then the object serves. */
  async revalidate(object: CachedObject): Promise<void> {
    const { key, version } = object;
    if (this.#loads.has(key) || this.#loads.size >= this.#maximumLoads) return;
    const load = this.#files.ask('find', key).then((finding): Promise<Loaded> | Loaded => {
      if (finding.kind === 'file' && isSame(finding.version, version)) return { kind: 'object', object };
      if (finding.kind === 'file') return this.#load(key, finding);
      this.#cache.delete(key);
      return { kind: finding.kind };
    });
    this.#loads.set(key, load);
    try {
      const loaded = await load;
      // A version too large for the cache: what is cached is an old one.
      if (loaded.kind === 'uncached') this.#cache.delete(key);
    } catch {
      // The service failed or the file keeps changing: the next look is not far.
    } finally {
      this.#loads.delete(key);
    }
  }

  /** A piece of a file, the caller's to release. Rejects when the file is not that version any more. */
  read(version: FileVersion, offset: number, lengthBytes: number): Promise<SharedBuffer> {
    return this.#files.ask('read', { version, offset, lengthBytes });
  }

  async #load(key: string, found?: Finding): Promise<Loaded> {
    let finding = found ?? (await this.#files.ask('find', key));
    for (let attempt = 1; ; attempt++) {
      if (finding.kind !== 'file') return finding;
      const { version } = finding;
      if (version.lengthBytes > this.#maximumObjectBytes) return { kind: 'uncached', version };
      const head = prebuiltHead(version);
      const chunks = this.#cache.allocate(head.length + version.lengthBytes);
      if (chunks === undefined) return { kind: 'uncached', version };
      try {
        await this.#fill(chunks, head, version);
        const object = new CachedObject(key, version, chunks, head.length, this.#cache.memory);
        this.#cache.put(object);
        return { kind: 'object', object };
      } catch (error) {
        for (const chunk of chunks) this.#cache.memory.free(chunk);
        if (attempt === maximumAttempts || !hasChanged(error)) throw error;
      }
      finding = await this.#files.ask('find', key);
    }
  }

  async #fill(chunks: readonly Extent[], head: Buffer, version: FileVersion): Promise<void> {
    let offset = 0;
    for (const { bytes } of chunks) {
      const start = offset === 0 && bytes === chunks[0]!.bytes ? head.copy(bytes) : 0;
      const lengthBytes = Math.min(bytes.length - start, chunkBytes);
      if (lengthBytes > 0) {
        using piece = await this.read(version, offset, lengthBytes);
        piece.bytes.copy(bytes, start);
      }
      offset += lengthBytes;
    }
  }
}

function isSame(one: FileVersion, other: FileVersion): boolean {
  return one.file === other.file && one.lengthBytes === other.lengthBytes && one.modifiedMs === other.modifiedMs;
}

/** Whether the service refused to read: the file is not what it was. Anything else will not be better the next time. */
function hasChanged(error: unknown): boolean {
  return error instanceof RemoteError && error.remoteName === 'Refusal';
}
