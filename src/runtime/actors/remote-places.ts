import { HeddleError } from '../../errors.js';
import type { Place } from './places.js';

/** Places from this number on are contexts of other nodes. Each context numbers them for itself, as it meets them. */
export const firstRemotePlace = 256;
/** Contexts of nodes that have gone are forgotten, oldest first, from this many on. */
const keptPlaces = 4096;
/** The most contexts of other nodes that a context can know. */
const maximumPlaces = 65_536;

/** A context of another node. */
export interface RemotePlace extends Place {
  /** The node's id: another one after each start of its process. */
  readonly node: string;
  /** The context's place there. */
  readonly index: number;
}

/** The contexts of other nodes, as one context knows them: those that it is connected to, and those that refs have named. */
export class RemotePlaces {
  readonly #byNumber = new Map<number, RemotePlace>();
  readonly #numbers = new Map<string, number>();
  #next = firstRemotePlace;

  get(number: number): RemotePlace | undefined {
    return this.#byNumber.get(number);
  }

  /** The contexts of that node that are known here. */
  of(node: string): RemotePlace[] {
    return [...this.#byNumber.values()].filter((place) => place.node === node);
  }

  /** The number of that context here; one that was not known counts as gone until its node is connected. */
  numberOf(node: string, index: number): number {
    const key = `${node}/${index}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#byNumber.size >= keptPlaces) this.#makeRoom();
    const place = this.#next++;
    this.#numbers.set(key, place);
    this.#byNumber.set(place, { place, node, index, name: `${node}/${index}`, portal: '', status: 'gone' });
    return place;
  }

  set(place: RemotePlace): void {
    if (this.#byNumber.has(place.place)) this.#byNumber.set(place.place, place);
  }

  #makeRoom(): void {
    for (const { place, node, index, status } of this.#byNumber.values()) {
      if (status !== 'gone') continue;
      this.#byNumber.delete(place);
      this.#numbers.delete(`${node}/${index}`);
      return;
    }
    if (this.#byNumber.size < maximumPlaces) return;
    throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `there are contexts of other nodes already: ${maximumPlaces}`);
  }
}
