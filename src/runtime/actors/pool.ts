import { longestTimerMs, type Timer } from '../../clock.js';
import { requireInteger, requireKnownOptions } from '../../errors.js';
import { requireDefinition } from './checks.js';
import type { AnyDefinition } from './definition.js';
import type { Family } from './family.js';
import type { ActorHost } from './host.js';
import type { Placement } from './placement.js';
import type { Ref } from './ref.js';
import { Router, type RouterOptions, waitingAt } from './router.js';
import type { ActorRef, Protocol } from './types.js';

/** How a pool is made. */
export interface PoolOptions extends RouterOptions {
  /** The fewest members. Default: 1. */
  readonly minimum?: number | undefined;
  /** The most members. Default: the minimum. */
  readonly maximum?: number | undefined;
  /** Where members live. Default: `round-robin`. */
  readonly on?: Placement | undefined;
  /** Messages of this context's that wait for the average member when one more is made. Default: 16. */
  readonly growAbove?: number | undefined;
  /** How often the pool looks whether it has the right size, in milliseconds. Default: 100. */
  readonly resizeEveryMs?: number | undefined;
  /** Looks in a row that find the average member with nothing waiting, after which one member is stopped. Default: 10. */
  readonly shrinkAfter?: number | undefined;
}

const optionNames: readonly (keyof PoolOptions)[] = [
  'strategy',
  'keyOf',
  'minimum',
  'maximum',
  'on',
  'growAbove',
  'resizeEveryMs',
  'shrinkAfter',
];

/**
 * Actors of one definition that share the messages of the pool's context: more of them when much waits, fewer when nothing
 * does, and another for each that has gone.
 */
export class Pool<M extends Protocol<M>> extends Router<M> implements AsyncDisposable {
  readonly #host: ActorHost;
  readonly #family: Family;
  readonly #definition: AnyDefinition;
  readonly #args: unknown;
  readonly #on: Placement;
  readonly #minimum: number;
  readonly #maximum: number;
  readonly #growAbove: number;
  readonly #shrinkAfter: number;
  readonly #resizeEveryMs: number;
  readonly #members: Ref[];
  #quietLooks = 0;
  #spawning = 0;
  #isClosed = false;
  #timer: Timer | undefined;

  /** @internal */
  constructor(host: ActorHost, family: Family, definition: AnyDefinition, args: unknown, options: PoolOptions) {
    requireDefinition('createPool()', definition);
    requireKnownOptions('createPool', options, optionNames);
    const members: Ref[] = [];
    super(() => members as unknown as ActorRef<M>[], { strategy: 'least-loaded', ...options });
    this.#members = members;
    this.#host = host;
    this.#family = family;
    this.#definition = definition;
    this.#args = args;
    this.#on = options.on ?? 'round-robin';
    this.#minimum = requireInteger('minimum', options.minimum ?? 1, 1, 100_000);
    this.#maximum = requireInteger('maximum', options.maximum ?? this.#minimum, this.#minimum, 100_000);
    this.#growAbove = requireInteger('growAbove', options.growAbove ?? 16, 0, 2 ** 24);
    this.#shrinkAfter = requireInteger('shrinkAfter', options.shrinkAfter ?? 10, 1, 1_000_000);
    this.#resizeEveryMs = requireInteger('resizeEveryMs', options.resizeEveryMs ?? 100, 1, longestTimerMs);
  }

  /** Members that take messages now. */
  get size(): number {
    return this.#members.length;
  }

  /** @internal Makes the first members; rejects, and leaves none behind, when one cannot be made. */
  async start(): Promise<void> {
    try {
      await Promise.all(Array.from({ length: this.#minimum }, () => this.#spawn()));
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#look();
  }

  /** Stops all members; resolves when they have gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await Promise.all(this.#members.splice(0).map((member) => this.#host.stop(member)));
  }

  /** For `await using`: the same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #spawn(): Promise<void> {
    this.#spawning++;
    try {
      const ref = await this.#host.spawner.spawn(this.#family, this.#definition, this.#args, { on: this.#on });
      if (this.#isClosed) {
        await this.#host.stop(ref);
        return;
      }
      this.#members.push(ref);
      this.#host.watches.add(ref, this, { onTerminated: () => this.#forget(ref) });
    } finally {
      this.#spawning--;
    }
  }

  #forget(ref: Ref): void {
    const index = this.#members.findIndex((member) => member.equals(ref));
    if (index >= 0) this.#members.splice(index, 1);
  }

  #look(): void {
    if (this.#isClosed || this.#host.isClosing || this.#family.owner?.isGone === true) return;
    this.#resize();
    // In the background: a pool with nothing to do holds no process.
    this.#timer = this.#host.clock.setTimer(this.#resizeEveryMs, () => this.#look(), true);
  }

  #resize(): void {
    const size = this.#members.length + this.#spawning;
    const waiting = this.#members.reduce((sum, member) => sum + waitingAt(member), 0);
    const average = waiting / Math.max(1, this.#members.length);
    this.#quietLooks = average < 1 ? this.#quietLooks + 1 : 0;
    if (size < this.#minimum || (size < this.#maximum && average > this.#growAbove)) {
      // What keeps a member from being made is tried again at the next look.
      this.#spawn().catch(() => {});
    } else if (size > this.#minimum && this.#quietLooks >= this.#shrinkAfter) {
      this.#quietLooks = 0;
      const youngest = this.#members.pop();
      // In order: what it has been told comes first.
      if (youngest !== undefined) this.#host.stopAfterMessages(youngest);
    }
  }
}
