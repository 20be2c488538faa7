import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, inTurn, Outcome, roomy, type SavinaBenchmark } from './savina.js';
import { largeNumbers, sortedFacts } from './sorting.js';

interface Parameters {
  readonly length: number;
  /** Values that are sorted at once instead of being split. */
  readonly threshold: number;
  readonly seed: number;
}
type Side = 'left' | 'right';
interface ParentMessages {
  sorted(part: { side: Side; values: Float64Array }): void;
}
interface SorterArguments {
  readonly parent: ActorRef<ParentMessages>;
  readonly side: Side;
  readonly threshold: number;
  /** Contexts that the halves may be dealt out to. */
  readonly contexts: number;
}

/** What is less than the middle value, how often that occurs, and what is more. */
function split(values: Float64Array) {
  const pivot = values[values.length >> 1]!;
  let less = 0;
  let more = 0;
  for (const value of values) {
    if (value < pivot) less++;
    else if (value > pivot) more++;
  }
  const left = new Float64Array(less);
  const right = new Float64Array(more);
  less = 0;
  more = 0;
  for (const value of values) {
    if (value < pivot) left[less++] = value;
    else if (value > pivot) right[more++] = value;
  }
  return { pivot, left, right };
}

export const Sorter = defineActor(import.meta.url, {
  name: 'sorter',
  mailbox: roomy,
  state: (args: SorterArguments) => ({ ...args, result: new Float64Array(0), pending: 0, leftLength: 0 }),
  handlers: {
    async sort(state, values: Float64Array, actor) {
      const { parent, side, threshold, contexts } = state;
      if (values.length <= threshold) {
        parent.tell('sorted', { side, values: values.slice().sort() });
        void actor.stop();
        return;
      }
      const { pivot, left, right } = split(values);
      state.result = new Float64Array(values.length).fill(pivot);
      state.leftLength = left.length;
      state.pending = 2;
      const spawn = (half: Side, context: number) => {
        const args = { parent: actor.self, side: half, threshold, contexts: 1 };
        return contexts === 1
          ? actor.spawnHere(Sorter, args)
          : actor.spawn(Sorter, args, { on: inTurn(context, contexts) });
      };
      (await spawn('left', 0)).tell('sort', left);
      (await spawn('right', 1)).tell('sort', right);
    },
    sorted(state, { side, values }: { side: Side; values: Float64Array }, actor) {
      state.result.set(values, side === 'left' ? 0 : state.result.length - values.length);
      if (--state.pending > 0) return;
      state.parent.tell('sorted', { side: state.side, values: state.result });
      void actor.stop();
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    values: largeNumbers(parameters.length, parameters.seed),
    outcome: new Outcome<ReturnType<typeof sortedFacts>>(),
    root: actor.spawnHere(Sorter, { parent: actor.self, side: 'left', threshold: parameters.threshold, contexts }),
  }),
  handlers: {
    run({ root, values, outcome }) {
      root.tell('sort', values);
      return outcome.promise;
    },
    sorted({ outcome }, { values }: { side: Side; values: Float64Array }) {
      outcome.resolve(sortedFacts(values));
    },
  },
});

/** Actors that split what they are told to sort between two others. */
export const quicksort: SavinaBenchmark<Parameters> = {
  name: 'quicksort',
  metric: 'quicksort: 1,000,000 numbers, 2048 at once',
  parameters: {
    full: { length: 1_000_000, threshold: 2048, seed: 1024 },
    quick: { length: 50_000, threshold: 2048, seed: 1024 },
    tiny: { length: 200, threshold: 10, seed: 1024 },
  },
  master: Master,
  expected: ({ length, seed }) => sortedFacts(largeNumbers(length, seed).sort()),
};
