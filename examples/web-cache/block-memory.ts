import { type Context, HeddleError, type SharedBuffer } from 'heddle';

/** The memory is handed out from blocks of this size, which stay where they are as long as the server runs. */
export const blockBytes = 128 * 1024;
/** What is handed out is a multiple of this. */
export const unitBytes = 1024;
const unitsPerBlock = blockBytes / unitBytes;
/** Blocks come from the runtime by eight: it has slabs of pieces of this size, and none of 128 KiB. */
const blocksPerArena = 8;
const arenaBytes = blocksPerArena * blockBytes;

/** A piece of a block, until it is freed. */
export class Extent {
  /** The bytes: one view for as long as the extent lives, so that sending them makes none. */
  readonly bytes: Buffer;
  /** @internal */
  readonly block: Block;
  /** @internal */
  readonly firstUnit: number;
  /** @internal */
  isFree = false;

  constructor(block: Block, firstUnit: number, lengthBytes: number) {
    this.block = block;
    this.firstUnit = firstUnit;
    const start = firstUnit * unitBytes;
    this.bytes = block.bytes.subarray(start, start + lengthBytes);
  }

  get units(): number {
    return unitsFor(this.bytes.length);
  }
}

class Block {
  readonly bytes: Buffer;
  /** One for each unit: 1 when it is handed out. */
  readonly map = new Uint8Array(unitsPerBlock);
  freeUnits = unitsPerBlock;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The first unit of the first run of free units that is long enough; -1 when there is none. */
  find(units: number): number {
    if (this.freeUnits < units) return -1;
    let run = 0;
    for (let unit = 0; unit < unitsPerBlock; unit++) {
      run = this.map[unit] === 0 ? run + 1 : 0;
      if (run === units) return unit - units + 1;
    }
    return -1;
  }
}

function unitsFor(lengthBytes: number): number {
  return Math.ceil(lengthBytes / unitBytes);
}

/**
 * The cache's own memory: blocks of 128 KiB in shared memory of the runtime's, taken as they are needed and up to a
 * bound, never moved and never given back before {@link close}. First fit: the low blocks fill up, the high ones empty.
 */
export class BlockMemory {
  readonly limitBytes: number;
  readonly #context: Context;
  readonly #arenas: SharedBuffer[] = [];
  readonly #blocks: Block[] = [];
  #usedBytes = 0;

  /** `limitBytes` is rounded up to whole arenas of 1 MiB. */
  constructor(context: Context, limitBytes: number) {
    this.#context = context;
    this.limitBytes = Math.max(1, Math.ceil(limitBytes / arenaBytes)) * arenaBytes;
  }

  /** Bytes that are handed out, in whole units. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes of all blocks that there are. */
  get blockedBytes(): number {
    return this.#blocks.length * blockBytes;
  }

  /** A piece of 1 to 128 KiB; undefined when no block has room for it, and there may not be more blocks. */
  allocate(lengthBytes: number): Extent | undefined {
    const units = unitsFor(lengthBytes);
    if (units < 1 || units > unitsPerBlock) throw new RangeError(`lengthBytes=${lengthBytes} is no piece of a block`);
    for (const block of this.#blocks) {
      const first = block.find(units);
      if (first >= 0) return this.#take(block, first, units, lengthBytes);
    }
    const added = this.#addArena();
    return added && this.#take(added, 0, units, lengthBytes);
  }

  free(extent: Extent): void {
    if (extent.isFree) throw new Error('an extent is freed once: its memory may be another object by now');
    extent.isFree = true;
    const { block, firstUnit, units } = extent;
    block.map.fill(0, firstUnit, firstUnit + units);
    block.freeUnits += units;
    this.#usedBytes -= units * unitBytes;
  }

  /** Gives all memory back to the runtime. Nothing may be sent from it any more. */
  close(): void {
    for (const arena of this.#arenas.splice(0)) arena.release();
    this.#blocks.length = 0;
    this.#usedBytes = 0;
  }

  #take(block: Block, first: number, units: number, lengthBytes: number): Extent {
    block.map.fill(1, first, first + units);
    block.freeUnits -= units;
    this.#usedBytes += units * unitBytes;
    return new Extent(block, first, lengthBytes);
  }

  #addArena(): Block | undefined {
    if (this.blockedBytes + arenaBytes > this.limitBytes) return undefined;
    let arena: SharedBuffer;
    try {
      arena = this.#context.allocate(arenaBytes);
    } catch (error) {
      // The context's own bound, slabLimitBytes, is the lower one of the two.
      if (error instanceof HeddleError && error.code === 'ERR_HEDDLE_OUT_OF_MEMORY') return undefined;
      throw error;
    }
    this.#arenas.push(arena);
    const first = this.#blocks.length;
    for (let start = 0; start < arenaBytes; start += blockBytes) {
      this.#blocks.push(new Block(arena.subarray(start, start + blockBytes)));
    }
    return this.#blocks[first];
  }
}
