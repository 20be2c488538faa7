import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import {
  busyWork,
  type Cast,
  type Facts,
  Outcome,
  RandomNumbers,
  type SavinaBenchmark,
  spawnInTurn,
} from './savina.js';

interface Parameters {
  readonly rounds: number;
  readonly smokers: number;
}
interface ArbiterMessages {
  started(index: number): void;
}

const longestSmokeSteps = 1000;

export const Smoker = defineActor(import.meta.url, {
  name: 'smoker',
  state: (args: { index: number; arbiter: ActorRef<ArbiterMessages> }) => ({ ...args, smoked: 0 }),
  handlers: {
    smoke(state, steps: number) {
      state.smoked++;
      state.arbiter.tell('started', state.index);
      busyWork(steps);
    },
    smoked: ({ smoked }) => smoked,
  },
});

/** Puts down what one of the smokers lacks, each time that the last one has started. */
export const Arbiter = defineActor(import.meta.url, {
  name: 'arbiter',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    left: parameters.rounds,
    expecting: -1,
    random: new RandomNumbers(parameters.smokers),
    outcome: new Outcome<Facts>(),
    smokers: await spawnInTurn(parameters.smokers, contexts, (options, index) =>
      actor.spawn(Smoker, { index, arbiter: actor.self }, options),
    ),
  }),
  handlers: {
    run(state, _: undefined, actor) {
      (actor.self as ActorRef<ArbiterMessages>).tell('started', -1);
      return state.outcome.promise;
    },
    async started(state, index: number) {
      if (index !== state.expecting) throw new Error(`smoker ${index} started, not ${state.expecting}`);
      if (state.left-- > 0) {
        state.expecting = state.random.below(state.smokers.length);
        state.smokers[state.expecting]!.tell('smoke', state.random.below(longestSmokeSteps) + 10);
        return;
      }
      const smoked = await Promise.all(state.smokers.map((smoker) => smoker.ask('smoked')));
      state.outcome.resolve({ smoked: smoked.reduce((sum, one) => sum + one, 0) });
    },
  },
});

/** An arbiter and smokers of whom one at a time is chosen. */
export const cigaretteSmokers: SavinaBenchmark<Parameters> = {
  name: 'cigarette-smokers',
  metric: 'cigarette smokers: 200 of them, 1000 rounds',
  parameters: {
    full: { rounds: 1000, smokers: 200 },
    quick: { rounds: 500, smokers: 200 },
    tiny: { rounds: 10, smokers: 3 },
  },
  master: Arbiter,
  expected: ({ rounds }) => ({ smoked: rounds }),
};
