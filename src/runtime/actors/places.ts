import { inspect } from 'node:util';
import { HeddleError } from '../../errors.js';
import { type Placement, rendezvous } from './placement.js';
import { firstRemotePlace, type RemotePlace, RemotePlaces } from './remote-places.js';

/** `down`: its context is lost, and may come back; `gone`: it will not. */
export type PlaceStatus = 'up' | 'down' | 'gone';

/** A context of the system: it keeps its number and name when its thread is replaced by another. */
export interface Place {
  readonly place: number;
  readonly name: string;
  /** Where the actors of the context are reached; another one after each replacement. */
  readonly portal: string;
  readonly status: PlaceStatus;
}

/** Words of a context's line in the memory that all contexts share: a cache line. */
const lineWords = 16;
const actorsWord = 0;
const runnableWord = 1;

/** The place of the main thread's context. */
export const mainPlace = 0;

/** What every context knows of the others. */
export class Places {
  readonly #places: Place[];
  readonly #loads: Int32Array;
  /** Contexts of other nodes: those are in no list of this system's contexts. */
  readonly remote = new RemotePlaces();

  constructor(places: readonly Place[], loads: SharedArrayBuffer) {
    this.#places = [...places];
    this.#loads = new Int32Array(loads);
  }

  static createLoads(count: number): SharedArrayBuffer {
    return new SharedArrayBuffer(count * lineWords * 4);
  }

  get all(): readonly Place[] {
    return this.#places;
  }

  get(place: number): Place | undefined {
    return place < firstRemotePlace ? this.#places[place] : this.remote.get(place);
  }

  set(place: Place): void {
    if (place.place < firstRemotePlace) this.#places[place.place] = place;
    else this.remote.set(place as RemotePlace);
  }

  nameOf(place: number): string {
    return this.get(place)?.name ?? `context ${place}`;
  }

  byName(name: string): Place | undefined {
    return this.#places.find((place) => place.name === name);
  }

  /** Worker contexts that are up; the main one when there is none. */
  candidates(): Place[] {
    const workers = this.#places.filter((place) => place.place !== mainPlace && place.status === 'up');
    return workers.length > 0 ? workers : [this.#places[mainPlace]!];
  }

  /** Notes how many actors a context has, and how many of them have messages waiting. Only that context does so; when it has ended, the main one. */
  setLoad(place: number, actors: number, runnable: number): void {
    this.#loads[place * lineWords + actorsWord] = actors;
    this.#loads[place * lineWords + runnableWord] = runnable;
  }

  actorsAt(place: number): number {
    return Atomics.load(this.#loads, place * lineWords + actorsWord);
  }

  runnableAt(place: number): number {
    return Atomics.load(this.#loads, place * lineWords + runnableWord);
  }

  leastLoaded(): Place {
    return this.candidates().reduce((best, place) => {
      const runnable = this.runnableAt(place.place) - this.runnableAt(best.place);
      if (runnable !== 0) return runnable < 0 ? place : best;
      return this.actorsAt(place.place) < this.actorsAt(best.place) ? place : best;
    });
  }

  #lastChosen = -1;

  /** The place that a placement means, for someone at the place `from`. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
  choose(on: Placement, from: number): Place {
    if (on === 'here') return this.#places[from]!;
    if (on === 'least-loaded') return this.leastLoaded();
    if (on === 'round-robin') {
      const candidates = this.candidates();
      this.#lastChosen = (this.#lastChosen + 1) % candidates.length;
      return candidates[this.#lastChosen]!;
    }
    if (typeof on === 'object' && typeof on?.key === 'string') {
      return rendezvous(on.key, this.candidates(), ({ place }) => place)!;
    }
    const named = typeof on === 'string' ? this.byName(on) : undefined;
    if (named !== undefined) return named;
    const names = this.#places.map(({ name }) => name).join(', ');
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `on=${inspect(on)} is no placement, and no context of this system; its contexts are ${names}`,
    );
  }
}
