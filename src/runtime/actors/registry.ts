import { describe, HeddleError } from '../../errors.js';
import { requireFunction, requireOwnRef, requireText } from './checks.js';
import type { ActorHost } from './host.js';
import { mainPlace } from './places.js';
import { addressKey, type Ref } from './ref.js';

/** Called with the actor that has the name now, or undefined when none has. */
export type NameListener = (ref: Ref | undefined) => void;

type RegistryRequest =
  | { readonly do: 'register' | 'unregister'; readonly name: string; readonly ref: Ref }
  | { readonly do: 'join' | 'leave'; readonly name: string; readonly ref: Ref };

type RegistryUpdate =
  | { readonly did: 'name'; readonly name: string; readonly ref: Ref | undefined }
  | { readonly did: 'group'; readonly name: string; readonly members: readonly Ref[] };

const extension = 'registry';
const requestTimeoutMs = 10_000;
const maximumNameLength = 255;

/**
 * Names and groups, as one context of the system knows them. The main context decides; it tells all others what has
 * changed, so that each can look up and publish without asking anyone. An actor that has gone is taken out by itself.
 */
export class Registry {
  readonly #host: ActorHost;
  readonly #names = new Map<string, Ref>();
  readonly #groups = new Map<string, readonly Ref[]>();
  readonly #listeners = new Map<string, Map<NameListener, unknown>>();
  readonly #groupListeners = new Map<string, Set<() => void>>();
  /** By actor: what the main context watches it for. */
  readonly #entries = new Map<
    string,
    { readonly ref: Ref; readonly names: Set<string>; readonly groups: Set<string> }
  >();

  constructor(host: ActorHost) {
    this.#host = host;
    host.messages.extend(extension, (_from, payload) => {
      if (host.place === mainPlace && 'do' in (payload as object)) return this.#decide(payload as RegistryRequest);
      this.#apply(payload as RegistryUpdate);
      return undefined;
    });
  }

  /** The actor of that name; undefined when there is none. */
  lookup(name: string): Ref | undefined {
    return this.#names.get(name);
  }

  get names(): string[] {
    return [...this.#names.keys()];
  }

  /** Gives an actor a name, unique in the system. Rejects with `ERR_HEDDLE_NAME_IN_USE`. An actor may have several. */
  async register(name: string, ref: Ref): Promise<void> {
    await this.#request({ do: 'register', name, ref });
  }

  /** Takes the name from that actor; harmless when it has it not. */
  async unregister(name: string, ref: Ref): Promise<void> {
    await this.#request({ do: 'unregister', name, ref });
  }

  /** Calls back with who has the name, at once and whenever that changes. Returns what ends it. */
  subscribe(name: string, listener: NameListener, owner?: unknown): () => void {
    requireText('the name of an actor', name);
    requireFunction('the listener of a name', listener);
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) {
      listeners = new Map();
      this.#listeners.set(name, listeners);
    }
    listeners.set(listener, owner);
    listener(this.lookup(name));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(name) === listeners) this.#listeners.delete(name);
    };
  }

  /** Ends the subscriptions of an actor. */
  dropOwner(owner: unknown): void {
    if (this.#listeners.size === 0) return;
    for (const [name, listeners] of this.#listeners) {
      for (const [listener, its] of listeners) if (its === owner) listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(name);
    }
  }

  /** The members of a group, in the order in which they joined. */
  members(group: string): readonly Ref[] {
    return this.#groups.get(group) ?? [];
  }

  /** Calls back whenever the group has other members. Returns what ends it. */
  onGroup(group: string, listener: () => void): () => void {
    let listeners = this.#groupListeners.get(group);
    if (listeners === undefined) {
      listeners = new Set();
      this.#groupListeners.set(group, listeners);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#groupListeners.get(group) === listeners) this.#groupListeners.delete(group);
    };
  }

  async join(group: string, ref: Ref): Promise<void> {
    await this.#request({ do: 'join', name: group, ref });
  }

  async leave(group: string, ref: Ref): Promise<void> {
    await this.#request({ do: 'leave', name: group, ref });
  }

  /** Main context: tells a context that is new all there is. */
  inform(place: number): void {
    for (const [name, ref] of this.#names) this.#post(place, { did: 'name', name, ref });
    for (const [name, members] of this.#groups) this.#post(place, { did: 'group', name, members });
  }

  async #request(payload: RegistryRequest): Promise<void> {
    const { name, ref } = payload;
    if (typeof name !== 'string' || name === '' || name.length > maximumNameLength) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `a name has 1 to ${maximumNameLength} characters: name=${describe(name)}`,
      );
    }
    requireOwnRef('the registry', ref, this.#host);
    if (this.#host.place === mainPlace) this.#decide(payload);
    else await this.#host.request(mainPlace, { type: 'extension', name: extension, payload }, requestTimeoutMs);
  }

  // ---- in the main context

  #decide(request: RegistryRequest): void {
    const { name, ref } = request;
    const owner = this.#names.get(name);
    switch (request.do) {
      case 'register':
        if (owner?.equals(ref) === true) return;
        if (owner !== undefined) {
          throw new HeddleError('ERR_HEDDLE_NAME_IN_USE', `${owner} has name=${name}: stop it, or choose another name`);
        }
        this.#announce({ did: 'name', name, ref });
        this.#entry(ref).names.add(name);
        break;
      case 'unregister':
        if (owner?.equals(ref) !== true) return;
        this.#entry(ref).names.delete(name);
        this.#announce({ did: 'name', name, ref: undefined });
        break;
      case 'join': {
        const members = this.members(name);
        if (members.some((member) => member.equals(ref))) return;
        this.#announce({ did: 'group', name, members: [...members, ref] });
        this.#entry(ref).groups.add(name);
        break;
      }
      case 'leave':
        this.#entry(ref).groups.delete(name);
        this.#leave(name, ref);
        break;
    }
  }

  #leave(name: string, ref: Ref): void {
    const members = this.members(name);
    const left = members.filter((member) => !member.equals(ref));
    if (left.length < members.length) this.#announce({ did: 'group', name, members: left });
  }

  /** What an actor is entered as. Being watched, it is taken out everywhere when it has gone, at once if it has. */
  #entry(ref: Ref): { names: Set<string>; groups: Set<string> } {
    const key = addressKey(ref.place, ref.slot, ref.generation);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { ref, names: new Set(), groups: new Set() };
      this.#entries.set(key, entry);
      const made = entry;
      queueMicrotask(() => {
        this.#host.watches.add(ref, made, {
          onTerminated: () => {
            this.#entries.delete(key);
            for (const name of made.names) this.#announce({ did: 'name', name, ref: undefined });
            for (const group of made.groups) this.#leave(group, ref);
          },
        });
      });
    }
    return entry;
  }

  #announce(update: RegistryUpdate): void {
    this.#apply(update);
    for (const { place, status } of this.#host.places.all) {
      if (place !== mainPlace && status === 'up') this.#post(place, update);
    }
  }

  #post(place: number, payload: RegistryUpdate): void {
    this.#host.post(place, { type: 'extension', name: extension, payload });
  }

  // ---- everywhere

  /** What a listener throws is reported, and harms neither the others nor who registers. */
  #apply(update: RegistryUpdate): void {
    const { name } = update;
    const { context } = this.#host;
    if (update.did === 'group') {
      if (update.members.length === 0) this.#groups.delete(name);
      else this.#groups.set(name, update.members);
      for (const listener of [...(this.#groupListeners.get(name) ?? [])]) context.guard(listener);
      return;
    }
    if (update.ref === undefined) this.#names.delete(name);
    else this.#names.set(name, update.ref);
    for (const listener of [...(this.#listeners.get(name)?.keys() ?? [])]) context.guard(() => listener(update.ref));
  }
}
