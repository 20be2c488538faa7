import { HeddleError } from '../../errors.js';
import type { Cell } from './cell.js';

/** Actors that one context can have. */
const maximumActors = 2 ** 24;

/** The actors of one context by their slots. */
export class ActorTable {
  size = 0;
  readonly #cells: (Cell | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  #nextGeneration: number;

  constructor(incarnation: number) {
    // Actors of a thread that was at this place before have other generations, so that no ref to them fits one of ours.
    this.#nextGeneration = Math.imul(incarnation, 0x1000_0001) >>> 1;
  }

  get(slot: number, generation: number): Cell | undefined {
    const cell = this.#cells[slot];
    return cell !== undefined && cell.ref.generation === generation ? cell : undefined;
  }

  all(): Cell[] {
    return this.#cells.filter((cell) => cell !== undefined);
  }

  /** A free slot and a new generation; or those of `address`, for an actor that is made again. */
  reserve(address?: { slot: number; generation: number }): { slot: number; generation: number } {
    if (this.size >= maximumActors) {
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `this context has maximumActors=${maximumActors} already`);
    }
    if (address !== undefined) {
      this.#requireFree(address.slot);
      return address;
    }
    let slot = this.#freeSlots.pop();
    // A slot that was asked for by its number is in the list still.
    while (slot !== undefined && this.#cells[slot] !== undefined) slot = this.#freeSlots.pop();
    this.#nextGeneration = (this.#nextGeneration + 1) & 0x7fff_ffff;
    return { slot: slot ?? this.#cells.length, generation: this.#nextGeneration };
  }

  #requireFree(slot: number): void {
    if (!(slot >= 0 && slot < maximumActors) || this.#cells[slot] !== undefined) {
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `slot=${slot} of this context has an actor already`);
    }
    while (this.#cells.length <= slot) {
      this.#freeSlots.push(this.#cells.length);
      this.#cells.push(undefined);
    }
  }

  set(cell: Cell): void {
    this.#cells[cell.ref.slot] = cell;
    this.size++;
  }

  remove(cell: Cell): void {
    this.#cells[cell.ref.slot] = undefined;
    this.#freeSlots.push(cell.ref.slot);
    this.size--;
  }
}
