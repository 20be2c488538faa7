import type { Cell } from './cell.js';

const firstSlots = 64;

/** The actors that have messages to handle, first come first served: a circle that grows. */
export class RunQueue {
  size = 0;
  #cells: (Cell | undefined)[] = new Array<Cell | undefined>(firstSlots).fill(undefined);
  #head = 0;
  #mask = firstSlots - 1;

  /** Returns the size that it has now. */
  push(cell: Cell): number {
    if (this.size > this.#mask) this.#grow();
    this.#cells[(this.#head + this.size) & this.#mask] = cell;
    return ++this.size;
  }

  shift(): Cell | undefined {
    if (this.size === 0) return undefined;
    const cell = this.#cells[this.#head];
    this.#cells[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.size--;
    return cell;
  }

  #grow(): void {
    const cells = new Array<Cell | undefined>((this.#mask + 1) * 2).fill(undefined);
    for (let i = 0; i < this.size; i++) cells[i] = this.#cells[(this.#head + i) & this.#mask];
    this.#cells = cells;
    this.#head = 0;
    this.#mask = cells.length - 1;
  }
}
