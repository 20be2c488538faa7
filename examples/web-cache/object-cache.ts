import type { BlockMemory, Extent } from './block-memory.js';
import { type CachedObject, chunkBytes } from './cached-object.js';

/**
 * The cached objects by path, within the memory's bound: when it is full those go that were not asked for lately (the
 * clock algorithm: a hit costs one store).
 */
export class ObjectCache {
  readonly memory: BlockMemory;
  evictions = 0;
  readonly #objects = new Map<string, CachedObject>();
  /** Called for each object that has to go. */
  readonly #onEvict: () => void;

  constructor(memory: BlockMemory, onEvict: () => void = () => {}) {
    this.memory = memory;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** Puts an object in the place of an older version. Who sends from that one does so to its end. */
  put(object: CachedObject): void {
    this.delete(object.key);
    this.#objects.set(object.key, object);
  }

  delete(key: string): void {
    this.#objects.get(key)?.drop();
    this.#objects.delete(key);
  }

  /** Chunks for so many bytes, for which others may have to go; undefined when there is no room nevertheless. */
  allocate(lengthBytes: number): Extent[] | undefined {
    const extents: Extent[] = [];
    for (let left = lengthBytes; left > 0; left -= chunkBytes) {
      const extent = this.#allocateOne(Math.min(left, chunkBytes));
      if (extent === undefined) {
        for (const taken of extents) this.memory.free(taken);
        return undefined;
      }
      extents.push(extent);
    }
    return extents;
  }

  /** Drops everything. */
  clear(): void {
    for (const key of [...this.#objects.keys()]) this.delete(key);
  }

  #allocateOne(lengthBytes: number): Extent | undefined {
    for (;;) {
      const extent = this.memory.allocate(lengthBytes);
      if (extent !== undefined || !this.#evictOne()) return extent;
    }
  }

  /** Evicts the first object, in order of age, that was not used since it was passed over. */
  #evictOne(): boolean {
    // The second round finds all marks taken away: it ends with a victim.
    for (let left = 2 * this.#objects.size; left > 0; left--) {
      const [key, object] = this.#objects.entries().next().value!;
      this.#objects.delete(key);
      if (object.isUsed) {
        object.isUsed = false;
        this.#objects.set(key, object);
      } else {
        object.drop();
        this.evictions++;
        this.#onEvict();
        return true;
      }
    }
    return false;
  }
}
