import { HeddleError } from '../../errors.js';

const indexBits = 20;
const indexMask = (1 << indexBits) - 1;
const generationMask = (1 << (31 - indexBits)) - 1;

/**
 * The connections of a context by the id that peers write into records. An id is a slot and the slot's generation: a
 * record for a connection that is gone finds nothing, also when the slot has been taken again.
 */
export class ConnectionTable<Entry> {
  readonly #entries: (Entry | undefined)[] = [undefined];
  readonly #generations: number[] = [0];
  readonly #free: number[] = [];
  /** Connections in the table. */
  size = 0;

  /** Enters what `make` returns for the id that it gets. Ids are positive; 0 is never one. */
  add<Made extends Entry>(make: (id: number) => Made): Made {
    const slot = this.#free.pop() ?? this.#entries.length;
    if (slot > indexMask) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        `this context has connections=${this.size}, the most there can be: close some, or use more contexts`,
        { details: { connections: this.size } },
      );
    }
    this.#generations[slot] ??= 0;
    const entry = make(slot | (this.#generations[slot] << indexBits));
    this.#entries[slot] = entry;
    this.size++;
    return entry;
  }

  /** The connection with that id, or undefined. Any number may be asked for. */
  get(id: number): Entry | undefined {
    const slot = id & indexMask;
    return this.#generations[slot] === id >> indexBits ? this.#entries[slot] : undefined;
  }

  /** Takes the connection out; its id is not given again soon. */
  delete(id: number): void {
    if (this.get(id) === undefined) return;
    const slot = id & indexMask;
    this.#entries[slot] = undefined;
    this.#generations[slot] = (this.#generations[slot] + 1) & generationMask;
    this.#free.push(slot);
    this.size--;
  }

  *[Symbol.iterator](): Iterator<Entry> {
    for (const entry of this.#entries) if (entry !== undefined) yield entry;
  }
}
