import { randomBytes, timingSafeEqual } from 'node:crypto';
import { HeddleError } from '../../errors.js';
import {
  maximumRegions,
  type RegionHandle,
  type RegionRight,
  regionKeyBytes,
  rightsMask,
  rightsOf,
} from './region-handle.js';
import { RegionMemory } from './region-memory.js';
import { SharedBuffer } from './shared-buffer.js';

/** Someone with an interest in a region: told once when the region is no more. */
export interface RegionHolder {
  onRevoked(region: Region): void;
}

/**
 * Memory of this context that peers may reach by its handle, without a message to this context's code. Made by
 * `context.exportRegion`. It lasts until {@link revoke}, or until its context stops.
 *
 * The buffer moves into the region, as one that is sent does: the owner reaches its memory by {@link bytes} from then on,
 * and the memory is given back with the region. Export a `clone()` to go on with the buffer itself.
 *
 * @example
 * const region = context.exportRegion(context.allocate(8), { rights: ['read', 'atomics'] });
 * region.bytes.fill(0);
 * connection.send({ counter: region.handle });
 */
export class Region {
  /** What a peer needs to open the region: a plain value, to be sent in messages. */
  readonly handle: RegionHandle;
  /** @internal */
  readonly mask: number;
  /** @internal */
  readonly key: Buffer;
  readonly #table: RegionTable;
  readonly #buffer: SharedBuffer;
  readonly #memory: RegionMemory;
  readonly #holders = new Set<RegionHolder>();
  #openings = 0;
  #isRevoked = false;

  /** @internal */
  constructor(table: RegionTable, slot: number, generation: number, buffer: SharedBuffer, mask: number) {
    this.#table = table;
    this.#buffer = buffer;
    this.#memory = new RegionMemory(buffer.bytes);
    this.mask = mask;
    this.key = randomBytes(regionKeyBytes);
    this.handle = Object.freeze({
      owner: table.owner,
      slot,
      generation,
      key: this.key.toString('hex'),
      lengthBytes: buffer.length,
      rights: Object.freeze(rightsOf(mask)),
    });
  }

  /** How many bytes it has. */
  get lengthBytes(): number {
    return this.#buffer.length;
  }

  /** What peers may do with it. */
  get rights(): readonly RegionRight[] {
    return this.handle.rights;
  }

  /** Whether it was revoked, or its context has stopped. */
  get isRevoked(): boolean {
    return this.#isRevoked;
  }

  /** How often peers have it open now. */
  get openings(): number {
    return this.#openings;
  }

  /**
   * Its bytes, for as long as it is not revoked. Peers change them at any time: numbers that others change by atomic
   * operations are read and changed with `Atomics`.
   *
   * @throws ERR_HEDDLE_REGION_REVOKED
   */
  get bytes(): Buffer {
    return this.memory.bytes;
  }

  /** @internal */
  get memory(): RegionMemory {
    if (!this.#isRevoked) return this.#memory;
    throw revokedError(this.handle);
  }

  /** @internal Another handle of its memory, for a context of this process that opens it. */
  cloneBuffer(): SharedBuffer {
    return this.#buffer.clone();
  }

  /** @internal */
  open(holder: RegionHolder): void {
    this.#openings++;
    this.#holders.add(holder);
  }

  /** @internal */
  close(holder: RegionHolder): void {
    if (this.#holders.delete(holder)) this.#openings--;
  }

  /** @internal Calls back when the region is revoked. */
  onRevoked(onRevoked: () => void): void {
    this.#holders.add({ onRevoked });
  }

  /**
   * Ends the region: operations that begin later fail with `ERR_HEDDLE_REGION_REVOKED`, and those under way may still
   * complete. No peer reaches the memory after it was given to another use. Harmless when it was revoked before.
   */
  revoke(): void {
    if (this.#isRevoked) return;
    this.#isRevoked = true;
    this.#table.forget(this);
    for (const holder of this.#holders) holder.onRevoked(this);
    this.#holders.clear();
    this.#openings = 0;
    this.#buffer.release();
  }

  /** Revokes the region: for `using`. */
  [Symbol.dispose](): void {
    this.revoke();
  }
}

/** The error of an operation on a region that is no more. */
export function revokedError(handle: RegionHandle): HeddleError {
  const { slot, generation } = handle;
  return new HeddleError(
    'ERR_HEDDLE_REGION_REVOKED',
    `the region was revoked by its owner, or the owner has stopped: ask the owner for a new handle (slot=${slot} ` +
      `generation=${generation})`,
    { details: { slot, generation } },
  );
}

/** What the table needs of its context. */
export interface RegionTableOptions {
  /** The context's name for handles. */
  readonly owner: string;
  /** Makes a buffer of the program's the table's own. */
  takeOver(buffer: SharedBuffer): SharedBuffer;
  /** A number for memory that is handed to other threads, as those of slabs. */
  takeSlabId(): number;
  /** Regions were added or taken away. */
  onCount(change: number): void;
}

/**
 * The regions that a context has exported. A word of shared memory for each slot tells contexts of this process, which
 * reach the memory by themselves, whether the region that they have opened is still the one that stands there:
 *
 * ```
 *   int32 index = slot   generation of the region there; one more as soon as that is revoked
 * ```
 */
export class RegionTable {
  readonly owner: string;
  readonly #options: RegionTableOptions;
  readonly #regions: (Region | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  #control: { slabId: number; memory: SharedArrayBuffer; words: Int32Array } | undefined;

  constructor(options: RegionTableOptions) {
    this.owner = options.owner;
    this.#options = options;
  }

  /** The words that say which regions live, under the number by which a link hands them over. */
  get control(): { readonly slabId: number; readonly memory: SharedArrayBuffer; readonly words: Int32Array } {
    if (this.#control === undefined) {
      const memory = new SharedArrayBuffer(4 * maximumRegions);
      this.#control = { slabId: this.#options.takeSlabId(), memory, words: new Int32Array(memory) };
    }
    return this.#control;
  }

  /** See `Context.exportRegion`. */
  export(buffer: unknown, rights: unknown): Region {
    if (!(buffer instanceof SharedBuffer)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        'a region is made of a SharedBuffer, from context.allocate() or a message',
      );
    }
    const mask = rightsMask(rights);
    if ((mask & 4) !== 0 && !new RegionMemory(buffer.bytes).isAligned) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        'a region with atomics begins at a multiple of 8 bytes: export the whole buffer, or a clone() that begins at one',
      );
    }
    const slot = this.#freeSlots.pop() ?? this.#regions.length;
    if (slot >= maximumRegions) {
      throw new HeddleError(
        'ERR_HEDDLE_OUT_OF_MEMORY',
        `this context exports regions=${maximumRegions} already, the most there can be: revoke some, or make one large ` +
          'region of many small ones',
        { details: { regions: maximumRegions } },
      );
    }
    const region = new Region(this, slot, this.control.words[slot], this.#options.takeOver(buffer), mask);
    this.#regions[slot] = region;
    this.#options.onCount(1);
    return region;
  }

  /** The region that a peer may open with this key. The time that it takes tells nothing of the key. */
  find(slot: number, generation: number, key: Uint8Array): Region | undefined {
    const region = this.#regions[slot];
    if (region === undefined || region.handle.generation !== generation) return undefined;
    return timingSafeEqual(region.key, key) ? region : undefined;
  }

  /** The region was revoked. */
  forget(region: Region): void {
    const { slot } = region.handle;
    this.#regions[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#options.onCount(-1);
    // Atomic and sequentially consistent: an operation of another thread that begins after this sees it.
    Atomics.add(this.control.words, slot, 1);
  }

  /** Revokes all regions, at the context's stop. */
  revokeAll(): void {
    for (const region of this.#regions) region?.revoke();
  }
}
