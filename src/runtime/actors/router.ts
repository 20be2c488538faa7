import { describe, HeddleError, requireKnownOptions } from '../../errors.js';
import { requireSignal } from '../../time-limits.js';
import { actorStopped } from './actor-errors.js';
import { problemOf } from './ask-options.js';
import { requireFunction, requireOneOf, requireRef, requireText } from './checks.js';
import { tellAll } from './group.js';
import type { ActorHost } from './host.js';
import { rendezvous } from './placement.js';
import { addressKey, type Ref } from './ref.js';
import type { ActorRef, AskArguments, AskOptions, MessageName, PayloadArguments, Protocol, ReplyOf } from './types.js';

/** Which routee a message goes to. */
export type RoutingStrategy =
  | 'round-robin'
  | 'random'
  /** The one with the fewest messages waiting: all of them in this context, those of this context's own elsewhere. */
  | 'least-loaded'
  /** The same one for the same key, as long as it is there. */
  | 'consistent-hash'
  /** All of them; an ask is answered by all, see {@link Router.askAll}. */
  | 'broadcast'
  /** An ask goes to all, and the first reply counts; a tell goes to all. */
  | 'scatter-gather-first';

const strategies: readonly RoutingStrategy[] = [
  'round-robin',
  'random',
  'least-loaded',
  'consistent-hash',
  'broadcast',
  'scatter-gather-first',
];

/** How a router is made. */
export interface RouterOptions {
  /** Default: `round-robin`. */
  readonly strategy?: RoutingStrategy | undefined;
  /** Needed for `consistent-hash`: the key of a message. */
  keyOf?(name: string, payload: unknown): string;
}

/** Spreads messages over actors that take the same ones. It is no actor: it costs what its routees cost. */
export class Router<M extends Protocol<M>> {
  readonly #routees: () => readonly ActorRef<M>[];
  readonly #strategy: RoutingStrategy;
  readonly #keyOf: ((name: string, payload: unknown) => string) | undefined;
  #last = -1;

  /** @internal Use {@link createRouter}. */
  constructor(routees: () => readonly ActorRef<M>[], options: RouterOptions) {
    this.#routees = routees;
    this.#strategy = options.strategy ?? 'round-robin';
    requireOneOf('strategy', this.#strategy, strategies);
    if (options.keyOf !== undefined) requireFunction('keyOf', options.keyOf);
    this.#keyOf = options.keyOf?.bind(options);
    if (this.#strategy === 'consistent-hash' && this.#keyOf === undefined) {
      throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'strategy=consistent-hash needs keyOf(name, payload)');
    }
  }

  /** Whom messages may go to now: the list that it was made with, or the members that there are at the moment. */
  get routees(): readonly ActorRef<M>[] {
    return this.#routees();
  }

  /** As `ref.tell`; false, too, when there are no routees. */
  tell<K extends MessageName<M>>(name: K, ...payload: PayloadArguments<M, K>): boolean {
    const chosen = this.#choose(name, payload[0]);
    if (chosen.length === 1 && !this.#isForAll) return chosen[0]!.tell(name, ...payload);
    return tellAll(chosen as unknown as readonly Ref[], name, payload[0]) && chosen.length > 0;
  }

  /** As `ref.ask`. With several routees chosen the first reply counts; it rejects when all have rejected. */
  async ask<K extends MessageName<M>>(name: K, ...rest: AskArguments<M, K>): Promise<ReplyOf<M, K>> {
    const chosen = this.#choose(name, rest[0]);
    if (chosen.length === 0) throw actorStopped('every routee of this router');
    if (chosen.length === 1) return countedAsk(chosen[0]!, () => chosen[0]!.ask(name, ...rest));
    // The others are given up when one has replied.
    const abort = new AbortController();
    const options = rest[1] as AskOptions | undefined;
    const wrong = problemOf(options);
    if (wrong !== undefined) throw wrong;
    requireSignal(options?.signal);
    const signal = options?.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, options.signal]);
    const asks = chosen.map((routee) => (routee as unknown as Ref).ask(name, rest[0], { ...options, signal }));
    try {
      return (await Promise.any(asks)) as ReplyOf<M, K>;
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error;
    } finally {
      abort.abort();
    }
  }

  /** Asks all routees; resolves with what became of each, in their order. */
  askAll<K extends MessageName<M>>(
    name: K,
    ...rest: AskArguments<M, K>
  ): Promise<PromiseSettledResult<ReplyOf<M, K>>[]> {
    return Promise.allSettled(this.#routees().map((routee) => routee.ask(name, ...rest)));
  }

  /** Resolves when one routee can be told more: all of them, where messages go to all. */
  async ready(): Promise<void> {
    const routees = this.#routees();
    const readies = routees.map((routee) => routee.ready());
    if (this.#isForAll || readies.length === 0) await Promise.all(readies);
    else await Promise.race(readies);
  }

  get #isForAll(): boolean {
    return this.#strategy === 'broadcast' || this.#strategy === 'scatter-gather-first';
  }

  #choose(name: string, payload: unknown): readonly ActorRef<M>[] {
    const routees = this.#routees();
    if (routees.length === 0) return routees;
    switch (this.#strategy) {
      case 'broadcast':
      case 'scatter-gather-first':
        return routees;
      case 'random':
        return [routees[Math.floor(Math.random() * routees.length)]!];
      case 'least-loaded':
        return [routees.reduce((best, routee) => (waitingAt(routee) < waitingAt(best) ? routee : best))];
      case 'consistent-hash': {
        const key = (this.#keyOf as (name: string, payload: unknown) => string)(name, payload);
        requireText('what keyOf(name, payload) returns', key);
        return [rendezvous(key, routees, (routee) => seedOf(routee as unknown as Ref)) as ActorRef<M>];
      }
      default:
        this.#last = (this.#last + 1) % routees.length;
        return [routees[this.#last]!];
    }
  }
}

function seedOf(ref: Ref): number {
  return Math.imul(ref.place, 0x01000193) ^ Math.imul(ref.slot, 0x9e3779b1) ^ ref.generation;
}

/** By host and address: asks of routers and pools that actors of other contexts have not answered. Nothing else counts those. */
const asksUnderWay = new WeakMap<ActorHost, Map<string, number>>();

async function countedAsk<T>(routee: object, ask: () => Promise<T>): Promise<T> {
  const { cell, host, place, slot, generation } = routee as Ref;
  if (cell !== undefined) return ask();
  const counts = asksUnderWay.get(host) ?? new Map<string, number>();
  asksUnderWay.set(host, counts);
  const key = addressKey(place, slot, generation);
  counts.set(key, (counts.get(key) ?? 0) + 1);
  try {
    return await ask();
  } finally {
    const left = counts.get(key)! - 1;
    if (left > 0) counts.set(key, left);
    else counts.delete(key);
  }
}

/** Messages that wait for an actor, as far as this context knows, whichever ref to it they went by. */
export function waitingAt(routee: unknown): number {
  const ref = routee as Ref;
  const { cell, host, place, slot, generation } = ref;
  if (cell !== undefined) return cell.inbox.waiting + cell.pendingHandlers;
  const told = host.links.peer(place).laneTo(ref)?.inFlight ?? 0;
  return told + (asksUnderWay.get(host)?.get(addressKey(place, slot, generation)) ?? 0);
}

/**
 * Makes a router over actors, or over the members of a group of this system as they come and go.
 *
 * @example
 * const router = createRouter(workers, { strategy: 'least-loaded' });
 * router.tell('resize', image);
 */
export function createRouter<M extends Protocol<M>>(
  routees: readonly ActorRef<M>[] | { readonly members: readonly ActorRef<M>[] },
  options: RouterOptions = {},
): Router<M> {
  requireKnownOptions('createRouter', options, ['strategy', 'keyOf']);
  if (Array.isArray(routees)) return routerOver(routees, options);
  const group = routees as { readonly members: readonly ActorRef<M>[] } | null | undefined;
  if (typeof group === 'object' && Array.isArray(group?.members)) return new Router<M>(() => group.members, options);
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `createRouter() takes a list of refs, or a group of its own system, not ${describe(routees)}: of a group of another node, ` +
      'publish() reaches all, and `await group.members()` is such a list',
  );
}

function routerOver<M extends Protocol<M>>(routees: readonly ActorRef<M>[], options: RouterOptions): Router<M> {
  const list = [...routees];
  for (const routee of list) requireRef('createRouter()', routee);
  return new Router<M>(() => list, options);
}
