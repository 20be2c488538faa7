import type { Cell } from './cell.js';
import { type Child, Children, RemoteChild } from './children.js';
import type { AnyDefinition } from './definition.js';
import type { ActorHost } from './host.js';
import { hostSlot } from './peer.js';
import { addressKey, type Ref } from './ref.js';
import type { Directive, SupervisionSettings } from './supervision.js';

/** Where an actor's supervisor is: a family of this context, or an actor (slot -1: the context's root) of another. */
export interface Parent {
  readonly family?: Family | undefined;
  readonly place: number;
  readonly slot: number;
  readonly generation: number;
}

/** How long stopping the children may take before their parent goes on without them. */
const stopTimeoutMs = 10_000;

/** The children of one actor, or of a context's root, in the order in which they were made, and their supervision. */
export class Family {
  readonly #host: ActorHost;
  readonly #settings: SupervisionSettings;
  /** The actor that supervises; undefined for a root. */
  readonly owner: Cell | undefined;
  /** What all children of this context have as their parent. */
  readonly asParent: Parent;
  readonly #children = new Children();
  /** By address: those in other contexts. */
  #remote: Map<string, Child> | undefined;
  /** The children are being stopped: `gone` resolves when `end` was called. */
  #emptying: { readonly gone: Promise<void>; readonly end: () => void } | undefined;
  /** Keys of those that are about to be made again: they are not there to be told anything. */
  readonly #unmade = new Set<string>();
  /** Spawns in other contexts that are under way. */
  #spawning = 0;
  /** What such a child has told before its spawn was answered: that it has gone, or failed. */
  #early: Map<string, 'gone' | { readonly error: unknown }> | undefined;

  constructor(host: ActorHost, settings: SupervisionSettings, owner: Cell | undefined) {
    this.#host = host;
    this.#settings = settings;
    this.owner = owner;
    const { slot, generation } = owner?.ref ?? { slot: hostSlot, generation: 0 };
    this.asParent = { family: this, place: host.place, slot, generation };
  }

  get size(): number {
    return this.#children.size;
  }

  refs(): Ref[] {
    return this.#children.all().map((child) => child.ref);
  }

  /** A child of this context. */
  add(cell: Cell): void {
    this.#children.add(cell);
  }

  /** Spawns a child in another context: what it tells before `spawn` has resolved is not lost. */
  async whileSpawning<T>(spawn: () => Promise<T>): Promise<T> {
    this.#spawning++;
    try {
      return await spawn();
    } finally {
      if (--this.#spawning === 0) this.#early = undefined;
    }
  }

  #tellEarly(key: ChildKey, news: 'gone' | { readonly error: unknown }): void {
    if (typeof key !== 'string' || this.#spawning === 0) return;
    this.#early ??= new Map();
    this.#early.set(key, news);
  }

  /** A child in another context; one that is made again there is known already. */
  addRemote(ref: Ref, definition: AnyDefinition, args: unknown): void {
    const key = keyOf(ref);
    this.#remote ??= new Map();
    const early = this.#early?.get(key);
    if (this.#remote.has(key) || early === 'gone') return;
    const child = new RemoteChild(ref, definition, args);
    this.#remote.set(key, child);
    this.#children.add(child);
    this.#host.remoteFamilies.add(this);
    if (early !== undefined) this.onFailed(key, early.error);
  }

  /** A child has gone. */
  remove(key: ChildKey): void {
    const child = this.#childOf(key);
    if (child === undefined) {
      this.#tellEarly(key, 'gone');
      return;
    }
    if (!this.#children.remove(child)) return;
    if (typeof key === 'string') this.#remote?.delete(key);
    if (this.#children.size > 0) return;
    this.#host.remoteFamilies.delete(this);
    this.#emptying?.end();
  }

  #childOf(key: ChildKey): Child | undefined {
    return typeof key === 'string' ? this.#remote?.get(key) : key;
  }

  /** Nothing is waited for any more of those that are left. */
  #abandonAll(): void {
    for (const child of this.#children.all()) this.#children.remove(child);
    this.#remote = undefined;
    this.#host.remoteFamilies.delete(this);
  }

  /** Stops all children, the youngest first; resolves when they have gone, or refuse to for ten seconds. */
  stopAll(): Promise<void> {
    if (this.#children.size === 0) return Promise.resolve();
    // A restart that a stop, or another restart, overtakes waits for the same children.
    this.#emptying ??= this.#beginEmptying();
    const { gone } = this.#emptying;
    for (const { ref } of this.#children.all().reverse()) this.#direct(ref, 'stop', 0, true);
    return gone;
  }

  #beginEmptying() {
    let resolve: () => void;
    const gone = new Promise<void>((settle) => {
      resolve = settle;
    });
    const end = () => {
      timer.cancel();
      this.#emptying = undefined;
      resolve();
    };
    const timer = this.#host.clock.setTimer(stopTimeoutMs, () => {
      this.#abandonAll();
      end();
    });
    return { gone, end };
  }

  /** A child failed, and stands still until it is told what to do. */
  onFailed(key: ChildKey, error: unknown): void {
    const child = this.#childOf(key);
    if (child === undefined) this.#tellEarly(key, { error });
    else this.#decide(child, error, ({ ref }, directive, delayMs) => this.#direct(ref, directive, delayMs));
  }

  /** A context has been replaced: makes the children that were there again, where the supervision says so. */
  restoreAt(place: number, error: unknown): Promise<unknown>[] {
    const restored: Promise<unknown>[] = [];
    const done = new Set<Child>();
    for (const child of [...(this.#remote?.values() ?? [])]) {
      if (child.ref.place !== place || done.has(child)) continue;
      this.#decide(child, error, (affected, directive, delayMs) => {
        if (affected.ref.place !== place) this.#direct(affected.ref, directive, delayMs);
        else if (!done.has(affected)) {
          done.add(affected);
          if (directive === 'stop') this.remove(keyOf(affected.ref));
          else restored.push(this.#restore(affected, delayMs));
        }
      });
    }
    return restored;
  }

  /** A context is lost for good: what children it had have gone. */
  dropAt(place: number): void {
    for (const [key, child] of [...(this.#remote ?? [])]) if (child.ref.place === place) this.remove(key);
  }

  async #restore(child: Child, delayMs: number): Promise<void> {
    const { place, slot, generation } = child.ref;
    const key = keyOf(child.ref);
    this.#unmade.add(key);
    try {
      if (delayMs > 0) await new Promise<void>((resolve) => void this.#host.clock.setTimer(delayMs, resolve));
      if (!this.#children.has(child)) return;
      await this.#host.spawner.restore(this, child);
      if (!this.#children.has(child)) this.#host.post(place, { type: 'stop', slot, generation });
    } catch (error) {
      this.#host.reportFailure(child.ref, error, 'restart');
      this.remove(key);
    } finally {
      this.#unmade.delete(key);
    }
  }

  #decide(
    child: Child,
    error: unknown,
    direct: (child: Child, directive: Exclude<Directive, 'escalate'>, delayMs: number) => void,
  ): void {
    if (!this.#children.has(child)) return;
    let directive: Directive;
    try {
      directive = this.#settings.decide(error);
    } catch {
      directive = 'escalate';
    }
    let delayMs = 0;
    if (directive === 'restart') {
      const restarts = this.#countRestart(child);
      if (restarts > this.#settings.maximumRestarts) directive = this.#settings.onLimit;
      else if (this.#settings.backoffMs > 0) {
        delayMs = Math.min(this.#settings.maximumBackoffMs, this.#settings.backoffMs * 2 ** (restarts - 1));
      }
    }
    this.#host.reportFailure(child.ref, error, directive);
    if (directive === 'restart' || directive === 'stop') {
      for (const affected of this.#affectedBy(child)) direct(affected, directive, delayMs);
    } else if (directive === 'resume') direct(child, 'resume', 0);
    else {
      direct(child, 'stop', 0);
      this.owner?.fail(error);
    }
  }

  #countRestart(child: Child): number {
    const nowMicros = this.#host.clock.nowMicros();
    const sinceMicros = nowMicros - this.#settings.withinMs * 1000;
    child.restarts = (child.restarts ?? []).filter((atMicros) => atMicros > sinceMicros);
    child.restarts.push(nowMicros);
    return child.restarts.length;
  }

  #affectedBy(child: Child): Child[] {
    const { strategy } = this.#settings;
    if (strategy === 'one-for-one') return [child];
    const all = this.#children.all();
    return strategy === 'all-for-one' ? all : all.slice(all.indexOf(child));
  }

  #direct(ref: Ref, directive: Exclude<Directive, 'escalate'>, delayMs: number, isOrderly = false): void {
    const cell = ref.cell;
    if (cell !== undefined) {
      if (isOrderly) cell.stop('stopped');
      else cell.obey(directive, delayMs);
      return;
    }
    const { place, slot, generation } = ref;
    const key = keyOf(ref);
    const isThere =
      !this.#unmade.has(key) &&
      this.#host.post(place, { type: 'direct', slot, generation, directive, delayMs, isOrderly });
    // Its context is lost, or has not made it again: a child that is to stop has done so.
    if (!isThere && directive === 'stop') this.remove(key);
  }
}

/** What a family knows a child by: an actor of its context, or the address of one in another. */
export type ChildKey = Cell | string;

/** The address of an actor of another context. */
export function keyOf({ place, slot, generation }: Ref): string {
  return addressKey(place, slot, generation);
}
