/** What the sorts have in common: the numbers, what must come out, and the master of a pipeline that sorts. */
import type { ActorRef } from '../../src/index.js';
import { type Facts, Outcome, RandomNumbers, tellAll, type ValueMessages } from './savina.js';

/** Facts of numbers that have been sorted: their order, their number, and a sum that shows whether they are the same. */
export function sortedFacts(values: ArrayLike<number>): Facts {
  let isSorted = true;
  let checksum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (i > 0 && value < (values[i - 1] as number)) isSorted = false;
    checksum = (checksum + (value % 1_000_003)) % 1_000_000_007;
  }
  return { length: values.length, isSorted, checksum };
}

/** The numbers that the sorts begin with. */
export function largeNumbers(length: number, seed: number): Float64Array {
  const random = new RandomNumbers(seed);
  return Float64Array.from({ length }, () => random.large());
}

/** What the master of a pipeline knows: what goes in at its first actor, and what has come out at its end. */
export function sortingState(values: Float64Array, first: ActorRef<ValueMessages>) {
  return { values, first, sorted: new Float64Array(values.length), taken: 0, outcome: new Outcome<Facts>() };
}

type SortingState = ReturnType<typeof sortingState>;

/** The master's handlers: it is the end of the pipeline, too. */
export const sortingHandlers = {
  async run({ values, first, outcome }: SortingState): Promise<Facts> {
    await tellAll(first, values);
    return outcome.promise;
  },
  value(state: SortingState, value: number): void {
    state.sorted[state.taken++] = value;
    if (state.taken === state.sorted.length) state.outcome.resolve(sortedFacts(state.sorted));
  },
};
