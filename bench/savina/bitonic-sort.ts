import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, inBlocks, type SavinaBenchmark, tellAll, type ValueMessages, whenReady } from './savina.js';
import { largeNumbers, sortedFacts, sortingHandlers, sortingState } from './sorting.js';

interface Parameters {
  /** A power of 2. */
  readonly length: number;
  readonly seed: number;
}

/** One column of the sorting network: it compares values that lie `distance` apart in the stream. */
interface Column {
  readonly distance: number;
  /** The direction changes after so many values. */
  readonly block: number;
}

function columnsOf(length: number): Column[] {
  const columns: Column[] = [];
  for (let block = 2; block <= length; block *= 2) {
    for (let distance = block / 2; distance >= 1; distance /= 2) columns.push({ distance, block });
  }
  return columns;
}

export const Comparer = defineActor(import.meta.url, {
  name: 'comparer',
  state: (args: Column & { next: ActorRef<ValueMessages> }) => ({
    ...args,
    index: 0,
    held: new Float64Array(args.distance),
  }),
  handlers: {
    value(state, value: number) {
      const { distance, block, held, next } = state;
      const index = state.index++;
      const place = index % distance;
      // The first half of each pair of runs is held back; the second meets it.
      if ((index & distance) === 0) {
        held[place] = value;
        return;
      }
      const other = held[place]!;
      const isRising = (index & block) === 0;
      const isSwapped = other > value === isRising;
      held[place] = isSwapped ? other : value;
      const isWelcome = next.tell('value', isSwapped ? value : other);
      return place < distance - 1 ? whenReady(isWelcome, next) : tellAll(next, held);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const { length, seed } = parameters;
    const columns = columnsOf(length);
    let first: ActorRef<ValueMessages> = actor.self;
    for (let i = columns.length - 1; i >= 0; i--) {
      const on = inBlocks(i, columns.length, contexts);
      first = await actor.spawn(Comparer, { ...columns[i]!, next: first }, { on });
    }
    return sortingState(largeNumbers(length, seed), first);
  },
  handlers: sortingHandlers,
});

/** A sorting network through which the values flow, an actor for each of its columns. */
export const bitonicSort: SavinaBenchmark<Parameters> = {
  name: 'bitonic-sort',
  metric: 'bitonic sort: 4096 numbers through 78 actors',
  parameters: {
    full: { length: 4096, seed: 2048 },
    quick: { length: 512, seed: 2048 },
    tiny: { length: 16, seed: 2048 },
  },
  master: Master,
  expected: ({ length, seed }) => sortedFacts(largeNumbers(length, seed).sort()),
};
