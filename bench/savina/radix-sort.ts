import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, inBlocks, type SavinaBenchmark, tellAll, type ValueMessages, whenReady } from './savina.js';
import { largeNumbers, sortedFacts, sortingHandlers, sortingState } from './sorting.js';

interface Parameters {
  readonly length: number;
  readonly bits: number;
  readonly seed: number;
}

/** Passes values on whose bit is 0 at once, and those whose bit is 1 behind them all. */
export const BitSorter = defineActor(import.meta.url, {
  name: 'bit-sorter',
  state: (args: { weight: number; length: number; next: ActorRef<ValueMessages> }) => ({
    ...args,
    taken: 0,
    ones: [] as number[],
  }),
  handlers: {
    value(state, value: number) {
      const { next, weight, length, ones } = state;
      const isOne = Math.floor(value / weight) % 2 === 1;
      if (isOne) ones.push(value);
      const isWelcome = isOne || next.tell('value', value);
      return ++state.taken === length ? tellAll(next, ones) : whenReady(isWelcome, next);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const { length, bits, seed } = parameters;
    let first: ActorRef<ValueMessages> = actor.self;
    for (let bit = bits - 1; bit >= 0; bit--) {
      const args = { weight: 2 ** bit, length, next: first };
      first = await actor.spawn(BitSorter, args, { on: inBlocks(bit, bits, contexts) });
    }
    const values = largeNumbers(length, seed).map((value) => value % 2 ** bits);
    return sortingState(values, first);
  },
  handlers: sortingHandlers,
});

/** A pipeline of actors, one for each bit. */
export const radixSort: SavinaBenchmark<Parameters> = {
  name: 'radix-sort',
  metric: 'radix sort: 100,000 numbers through 52 actors',
  parameters: {
    full: { length: 100_000, bits: 52, seed: 2048 },
    quick: { length: 3000, bits: 52, seed: 2048 },
    tiny: { length: 30, bits: 8, seed: 2048 },
  },
  master: Master,
  expected: ({ length, bits, seed }) =>
    sortedFacts(
      largeNumbers(length, seed)
        .map((value) => value % 2 ** bits)
        .sort(),
    ),
};
