import { HeddleError } from '../../errors.js';
import type { Slab } from './slab.js';
import { handlesPerSlot } from './slab-layout.js';

/** Names a piece of a slab and one handle of it, for the way from one context to another. */
export interface SharedBufferDescriptor {
  readonly slabId: number;
  readonly memory: SharedArrayBuffer;
  readonly slot: number;
  readonly handle: number;
  /** Offset in the slot. */
  readonly byteOffset: number;
  readonly lengthBytes: number;
}

/** What a SharedBuffer needs of the pool of its context. */
export interface SharedBufferHome {
  readonly contextId: number;
  /** Notes that this context holds a handle now, and returns the handle's generation. */
  gain(slab: Slab, slot: number, handle: number, lengthBytes: number): number;
  /** Notes that this context gave the handle up: it moved, or is about to be dropped. */
  giveUp(slab: Slab, slot: number, handle: number): void;
  /** Drops a handle that was given up, and the slot with its last one. */
  drop(slab: Slab, slot: number, handle: number, contextId: number): void;
  /** Takes a buffer into the care of the net that catches unreleased ones. */
  watch(buffer: SharedBuffer): void;
}

/** What remains of a SharedBuffer when it is collected: enough to release its handle. */
export interface HandleTicket {
  readonly slab: Slab;
  readonly slot: number;
  readonly handle: number;
  generation: number;
}

const held = 0;
const moved = 1;
const released = 2;

/**
 * An owned piece of shared memory. Sending it to another thread moves it there without a copy: from then on it belongs
 * to the receiver, and using it here throws `ERR_HEDDLE_BUFFER_MOVED`. Who owns it when it is no longer needed calls
 * {@link release}, or declares it with `using`; buffers that are still held when their context stops are reported as
 * leaks.
 *
 * Its bytes are not cleared: a new buffer holds whatever was there before.
 *
 * @example
 * using image = context.allocate(2_000_000);
 * readSync(file, image.bytes);
 * await connection.request(image); // moves: the `using` above then has nothing left to release
 */
export class SharedBuffer {
  /** How many bytes it has. */
  readonly length: number;
  readonly #home: SharedBufferHome;
  readonly #slab: Slab;
  readonly #slot: number;
  readonly #handle: number;
  readonly #byteOffset: number;
  #generation: number;
  #state = held;
  #movedTo = -1;
  #bytes: Buffer | undefined;
  #ticket: HandleTicket | undefined;

  /** @internal Buffers come from `allocate` or from a message. */
  constructor(
    home: SharedBufferHome,
    slab: Slab,
    slot: number,
    handle: number,
    byteOffset: number,
    lengthBytes: number,
  ) {
    this.length = lengthBytes;
    this.#home = home;
    this.#slab = slab;
    this.#slot = slot;
    this.#handle = handle;
    this.#byteOffset = byteOffset;
    this.#generation = home.gain(slab, slot, handle, lengthBytes);
    home.watch(this);
  }

  /**
   * The bytes. This is a plain view: one that was taken before the buffer moved or was released still reaches the
   * memory, which others use by then, and nothing can revoke it. Take it anew from here each time, and do not keep it
   * longer than the buffer.
   */
  get bytes(): Buffer {
    this.#requireHeld();
    let bytes = this.#bytes;
    if (bytes === undefined) {
      bytes = this.#slab.view(this.#slot, this.#byteOffset, this.length);
      this.#bytes = bytes;
    }
    return bytes;
  }

  /** Whether this object may still be used: it was neither moved nor released. */
  get isHeld(): boolean {
    return this.#state === held && this.#slab.generations[this.#index()] === this.#generation;
  }

  /** A view of the bytes from `start` to `end`; the same rules as for {@link bytes} hold for it. */
  subarray(start = 0, end = this.length): Buffer {
    return this.bytes.subarray(start, end);
  }

  /**
   * Another owner of the same bytes, or of those from `start` to `end`: each is moved or released on its own, and the
   * memory is free when all are. Writes through one are seen through the others, in other threads too.
   *
   * @throws ERR_HEDDLE_BUFFER_SHARED when there are 16 already, over all contexts.
   */
  clone(start = 0, end = this.length): SharedBuffer {
    this.#requireHeld();
    if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end < start || end > this.length) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `clone needs 0 <= start <= end <= length, not start=${start} end=${end} length=${this.length}`,
        { details: { start, end, length: this.length } },
      );
    }
    const handle = this.#slab.takeHandle(this.#slot, this.#home.contextId);
    if (handle < 0) {
      throw new HeddleError(
        'ERR_HEDDLE_BUFFER_SHARED',
        `this SharedBuffer has handles=${handlesPerSlot} already, the most there can be: release some of its clones, ` +
          'or copy its bytes into a new buffer',
        { details: { handles: handlesPerSlot, length: this.length } },
      );
    }
    return new SharedBuffer(this.#home, this.#slab, this.#slot, handle, this.#byteOffset + start, end - start);
  }

  /**
   * Gives the memory back. Throws `ERR_HEDDLE_BUFFER_RELEASED` when that was done before, and
   * `ERR_HEDDLE_BUFFER_MOVED` when the buffer belongs to another context by now.
   */
  release(): void {
    this.#requireHeld();
    this.#state = released;
    this.#bytes = undefined;
    this.#home.giveUp(this.#slab, this.#slot, this.#handle);
    this.#home.drop(this.#slab, this.#slot, this.#handle, this.#home.contextId);
  }

  /** Releases the buffer if it is still held: what `using` calls at the end of its block. */
  [Symbol.dispose](): void {
    if (this.isHeld) this.release();
  }

  /**
   * @internal For transports: hands the handle to another context and marks this object moved. Publish the descriptor after
   * this, and only after this; call {@link undoMove} when it could not be published.
   */
  moveTo(contextId: number): SharedBufferDescriptor {
    this.#requireHeld();
    this.#state = moved;
    this.#movedTo = contextId;
    this.#bytes = undefined;
    this.#home.giveUp(this.#slab, this.#slot, this.#handle);
    this.#slab.giveHandle(this.#slot, this.#handle, contextId);
    return {
      slabId: this.#slab.slabId,
      memory: this.#slab.memory,
      slot: this.#slot,
      handle: this.#handle,
      byteOffset: this.#byteOffset,
      lengthBytes: this.length,
    };
  }

  /**
   * @internal For transports: takes back a {@link moveTo} whose descriptor was never published. Returns false when the slab's
   * owner has reclaimed the handle meanwhile, because the receiver died: the buffer then counts as released.
   */
  undoMove(): boolean {
    if (this.#state !== moved) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        'undoMove takes back a moveTo: this SharedBuffer was not moved',
      );
    }
    if (!this.#slab.exchangeHandle(this.#slot, this.#handle, this.#movedTo, this.#home.contextId)) {
      this.#state = released;
      return false;
    }
    this.#state = held;
    this.#generation = this.#home.gain(this.#slab, this.#slot, this.#handle, this.length);
    if (this.#ticket !== undefined) this.#ticket.generation = this.#generation;
    return true;
  }

  /** @internal For the pool: what to release when this object is collected unreleased; undefined when that is not needed. */
  takeTicket(): HandleTicket | undefined {
    if (!this.isHeld || this.#ticket !== undefined) return undefined;
    this.#ticket = { slab: this.#slab, slot: this.#slot, handle: this.#handle, generation: this.#generation };
    return this.#ticket;
  }

  #index(): number {
    return this.#slot * handlesPerSlot + this.#handle;
  }

  #requireHeld(): void {
    if (this.#state === held && this.#slab.generations[this.#index()] === this.#generation) return;
    this.#throwNotHeld();
  }

  #throwNotHeld(): never {
    const facts = `slabId=${this.#slab.slabId} slot=${this.#slot} length=${this.length}`;
    const details = { slabId: this.#slab.slabId, slot: this.#slot, length: this.length };
    if (this.#state === moved) {
      throw new HeddleError(
        'ERR_HEDDLE_BUFFER_MOVED',
        `this SharedBuffer was sent to context ${this.#movedTo} and belongs to it now: do not use it after sending ` +
          `it, or send a clone() and keep this one (${facts})`,
        { details },
      );
    }
    const when = this.#state === released ? 'was released before' : 'was released when its context stopped';
    throw new HeddleError(
      'ERR_HEDDLE_BUFFER_RELEASED',
      `this SharedBuffer ${when}: release it once, after its last use; a clone() for each part of the program that ` +
        `releases on its own (${facts})`,
      { details },
    );
  }
}
