import type { ActorContext } from '../actor-context.js';
import { BoundedFeed } from '../bounded-feed.js';
import { Ref } from '../ref.js';
import type { AnyActorRef } from '../types.js';

/** The messages between a machine and those who observe it. */
export const observerMessages = {
  observe: 'heddle.observe',
  state: 'heddle.state',
  next: 'heddle.next',
  failed: 'heddle.failed',
} as const;

/** The most states that may wait for one observer. */
const maximumCapacity = 65_536;

const byActor = new WeakMap<ActorContext, Observers>();

/** The observers of an actor: they stay when it restarts. */
export function observersOf(actor: ActorContext): Observers {
  let observers = byActor.get(actor);
  if (observers === undefined) {
    observers = new Observers();
    byActor.set(actor, observers);
  }
  observers.watchAll(actor);
  return observers;
}

/** Who is told the states of one machine. */
export class Observers {
  readonly #feeds = new Map<string, BoundedFeed>();

  /** Takes an observer in, and tells it the state that the machine is in. */
  add(request: unknown, state: unknown, actor: ActorContext): void {
    const { observer, capacity } = (request ?? {}) as { observer?: unknown; capacity?: unknown };
    if (!(observer instanceof Ref) || !Number.isInteger(capacity)) return;
    const bounded = Math.min(maximumCapacity, Math.max(1, capacity as number));
    const feed = new BoundedFeed(observer, observerMessages.next, bounded, (error) => {
      this.remove(observer);
      observer.tell(observerMessages.failed, error);
    });
    this.#feeds.set(String(observer), feed);
    actor.watch(observer as AnyActorRef);
    feed.push(state);
  }

  /** A restart has ended the watches. */
  watchAll(actor: ActorContext): void {
    for (const { ref } of this.#feeds.values()) actor.watch(ref as AnyActorRef);
  }

  remove(ref: Ref): void {
    this.#feeds.delete(String(ref));
  }

  publish(state: unknown): void {
    for (const feed of this.#feeds.values()) feed.push(state);
  }

  /** The machine has gone. */
  end(): void {
    for (const feed of this.#feeds.values()) feed.end();
    this.#feeds.clear();
  }
}
