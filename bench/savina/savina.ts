/**
 * What the ported benchmarks of the Savina suite share (Imam and Sarkar, 2014). Each file beside this one is one of them:
 * its actors, its parameters, and what must come out. Parameters of the size `full` are those of the suite, except that
 * its numbers below 2^60 lie below 2^52 here.
 */
import type { ActorDefinition, ActorRef, SpawnOptions } from '../../src/index.js';

/** `full`: the suite's own parameters; `quick`: some milliseconds; `tiny`: for tests. */
export type Size = 'full' | 'quick' | 'tiny';

/** What a run comes to, in values that can be compared. */
export type Facts = Readonly<Record<string, number | string | boolean>>;

/** What a master is spawned with. */
export interface Cast<P> {
  readonly parameters: P;
  /** How many contexts the actors may live in: `worker-1` to `worker-N`. The master lives in the first. */
  readonly contexts: number;
}

/** What every master can be asked: to run the benchmark once, with actors of its own. */
export interface MasterMessages {
  run(): Facts;
}

/** One benchmark of the suite. */
export interface SavinaBenchmark<P> {
  /** What the command line calls it, behind `savina/`. */
  readonly name: string;
  /** What the table says that it measures. */
  readonly metric: string;
  readonly parameters: Readonly<Record<Size, P>>;
  readonly master: ActorDefinition<Cast<P>, MasterMessages>;
  /** What must come out, found without actors. */
  expected(parameters: P): Facts;
}

// biome-ignore lint/suspicious/noExplicitAny: a benchmark with its own parameters
export type AnySavinaBenchmark = SavinaBenchmark<any>;

/** The context of the actor number `index` of many that are dealt out in turn. */
export function inTurn(index: number, contexts: number): string {
  return `worker-${1 + (index % contexts)}`;
}

/** Makes so many actors, dealt out in turn. */
export function spawnInTurn<R>(
  count: number,
  contexts: number,
  spawn: (options: SpawnOptions, index: number) => Promise<R>,
): Promise<R[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => spawn({ on: inTurn(index, contexts) }, index)));
}

/** The context of the actor number `index` of a chain of `count`: neighbours live together wherever they can. */
export function inBlocks(index: number, count: number, contexts: number): string {
  return `worker-${1 + Math.floor((index * contexts) / count)}`;
}

/** What a handler returns after a tell: nothing, or the wait until the receiver has room. */
export function whenReady(isWelcome: boolean, receiver: { ready(): Promise<void> }): Promise<void> | undefined {
  return isWelcome ? undefined : receiver.ready();
}

/** What an actor takes that stands in a pipeline of numbers. */
export interface ValueMessages {
  value(value: number): void;
}

/** Sends numbers into a pipeline, no faster than it takes them. */
export async function tellAll(first: ActorRef<ValueMessages>, values: Iterable<number>): Promise<void> {
  for (const value of values) if (!first.tell('value', value)) await first.ready();
}

/** A result that later messages bring about: the handler that was asked for it returns the promise. */
export class Outcome<T> {
  resolve!: (value: T) => void;
  reject!: (error: Error) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** Asks that may wait for as long as a whole run takes. */
export const patient = { timeoutMs: 80_000 };

/** A mailbox for those to whom thousands of actors of their own context report at once. */
export const roomy = { capacity: 2 ** 22 };

/** Whole numbers from 0 to below a limit, the same ones for the same seed (a xorshift generator). */
export class RandomNumbers {
  #state: number;

  constructor(seed: number) {
    // Scrambled, so that neighbouring seeds have nothing in common; never 0, where the generator would stay.
    this.#state = Math.imul((seed | 0) ^ 0x5bd1e995, 0x9e3779b1) | 1;
    for (let i = 0; i < 4; i++) this.#word();
  }

  #word(): number {
    let word = this.#state;
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    this.#state = word;
    return word >>> 0;
  }

  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** From 0 to below 1, with 32 bits. */
  fraction(): number {
    return this.#word() / 2 ** 32;
  }

  /** A whole number below 2^52. */
  large(): number {
    return (this.#word() >>> 12) * 2 ** 32 + this.#word();
  }

  /** Normally distributed (Box-Muller). */
  normal(mean: number, deviation: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.fraction()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.fraction());
  }
}

/** Sums of floating point numbers depend on their order in the last digits, and messages come in any order. */
export function rounded(value: number, digits = 9): number {
  return Number(value.toPrecision(digits));
}

/** Work that takes its time and cannot be left out by the compiler. */
export function busyWork(steps: number): number {
  let sum = 0;
  for (let i = 0; i < steps; i++) sum += Math.random();
  return sum;
}
