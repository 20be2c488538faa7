import { requireOwnRef } from './checks.js';
import type { ActorHost } from './host.js';
import { addressKey, type Ref } from './ref.js';
import { firstRemotePlace } from './remote-places.js';
import type { Termination, TerminationReason } from './types.js';

/** What is told of the end of an actor. */
export interface Watcher {
  onTerminated(termination: Termination): void;
}

interface RemoteWatch {
  readonly ref: Ref;
  readonly watchers: Map<unknown, Watcher>;
  isToStop: boolean;
}

/** What has become of the actors of a place that is lost for good. */
const lossAt = (place: number): TerminationReason => (place < firstRemotePlace ? 'context-lost' : 'node-lost');

/**
 * Who in this context watches whom. A watch of an actor in another context is asked for there once, whoever watches it
 * here, and asked for anew when that context has been replaced.
 */
export class Watches {
  readonly #host: ActorHost;
  readonly #remote = new Map<string, RemoteWatch>();
  readonly #byOwner = new Map<unknown, Set<Ref>>();
  #isClosed = false;

  constructor(host: ActorHost) {
    this.#host = host;
  }

  /** Watches of actors in other contexts. */
  get remoteCount(): number {
    return this.#remote.size;
  }

  /** `watcher` is told, once, when the actor has gone. An owner watches an actor once. */
  add(ref: Ref, owner: unknown, watcher: Watcher): void {
    requireOwnRef('watching or stopping an actor', ref, this.#host);
    const cell = ref.cell;
    if (cell !== undefined) {
      if (cell.status === 'stopped') {
        watcher.onTerminated({ ref, reason: 'unknown' });
        return;
      }
      cell.watchers ??= new Map();
      if (cell.watchers.has(owner)) return;
      cell.watchers.set(owner, {
        onTerminated: (termination) => {
          this.#forget(owner, ref);
          watcher.onTerminated(termination);
        },
      });
      this.#note(owner, ref);
      return;
    }
    const place = this.#host.places.get(ref.place);
    if (this.#isClosed || place === undefined || place.status === 'gone') {
      watcher.onTerminated({ ref, reason: lossAt(ref.place) });
      return;
    }
    const key = addressKey(ref.place, ref.slot, ref.generation);
    let watch = this.#remote.get(key);
    if (watch === undefined) {
      watch = { ref, watchers: new Map(), isToStop: false };
      this.#remote.set(key, watch);
      this.#ask(ref, 'watch');
    }
    if (watch.watchers.has(owner)) return;
    watch.watchers.set(owner, watcher);
    this.#note(owner, ref);
  }

  remove(ref: Ref, owner: unknown): void {
    requireOwnRef('unwatch()', ref, this.#host);
    this.#forget(owner, ref);
    const cell = ref.cell;
    if (cell !== undefined) {
      cell.watchers?.delete(owner);
      return;
    }
    const key = addressKey(ref.place, ref.slot, ref.generation);
    const watch = this.#remote.get(key);
    if (watch === undefined || !watch.watchers.delete(owner) || watch.watchers.size > 0) return;
    this.#remote.delete(key);
    this.#ask(ref, 'unwatch');
  }

  /** Takes all watches of an owner back. */
  dropOwner(owner: unknown): void {
    if (this.#byOwner.size === 0) return;
    for (const ref of [...(this.#byOwner.get(owner) ?? [])]) this.remove(ref, owner);
  }

  /** Stops an actor of another context, which is watched: once more when that is replaced, and makes it again, before. */
  stop(ref: Ref): void {
    const watch = this.#remote.get(addressKey(ref.place, ref.slot, ref.generation));
    if (watch === undefined) return;
    watch.isToStop = true;
    this.#ask(ref, 'stop');
  }

  /** An actor of another context has gone. */
  onTerminated(place: number, slot: number, generation: number, reason: TerminationReason): void {
    const key = addressKey(place, slot, generation);
    const watch = this.#remote.get(key);
    if (watch === undefined) return;
    this.#remote.delete(key);
    for (const [owner, watcher] of watch.watchers) {
      this.#forget(owner, watch.ref);
      watcher.onTerminated({ ref: watch.ref, reason });
    }
  }

  /** A context has been replaced: those of its actors that are not there again have gone. */
  onPlaceUp(place: number): void {
    for (const { ref, isToStop } of [...this.#remote.values()]) {
      if (ref.place !== place) continue;
      this.#ask(ref, 'watch');
      if (isToStop) this.#ask(ref, 'stop');
    }
  }

  /** A context is lost for good. */
  onPlaceGone(place: number): void {
    for (const { ref } of [...this.#remote.values()]) {
      if (ref.place === place) this.onTerminated(place, ref.slot, ref.generation, lossAt(place));
    }
  }

  /** The system has been closed: nobody is left who could tell what became of the actors of other contexts. */
  close(): void {
    this.#isClosed = true;
    for (const { ref } of [...this.#remote.values()]) {
      this.onTerminated(ref.place, ref.slot, ref.generation, lossAt(ref.place));
    }
  }

  /** A context that is not yet up has not made its actors again, and would say that they have gone: it is asked when it is. */
  #ask({ place, slot, generation }: Ref, type: 'watch' | 'unwatch' | 'stop'): void {
    if (this.#host.places.get(place)?.status === 'up') this.#host.post(place, { type, slot, generation });
  }

  #note(owner: unknown, ref: Ref): void {
    let refs = this.#byOwner.get(owner);
    if (refs === undefined) {
      refs = new Set();
      this.#byOwner.set(owner, refs);
    }
    refs.add(ref);
  }

  #forget(owner: unknown, ref: Ref): void {
    const refs = this.#byOwner.get(owner);
    if (refs === undefined) return;
    for (const one of refs) if (one.equals(ref)) refs.delete(one);
    if (refs.size === 0) this.#byOwner.delete(owner);
  }
}
