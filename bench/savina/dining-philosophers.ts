import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly philosophers: number;
  readonly rounds: number;
}
interface PhilosopherMessages {
  eat(): void;
  denied(): void;
}
interface ArbitratorMessages {
  hungry(philosopher: { index: number; from: ActorRef<PhilosopherMessages> }): void;
  done(index: number): void;
  leave(rounds: number): void;
}

export const Philosopher = defineActor(import.meta.url, {
  name: 'philosopher',
  state: (args: { index: number; rounds: number; arbitrator: ActorRef<ArbitratorMessages> }, actor: ActorContext) => {
    const hungry = { index: args.index, from: actor.self };
    args.arbitrator.tell('hungry', hungry);
    return { ...args, hungry, eaten: 0 };
  },
  handlers: {
    eat(state) {
      state.eaten++;
      state.arbitrator.tell('done', state.index);
      if (state.eaten < state.rounds) state.arbitrator.tell('hungry', state.hungry);
      else state.arbitrator.tell('leave', state.eaten);
    },
    denied({ arbitrator, hungry }) {
      arbitrator.tell('hungry', hungry);
    },
  },
});

export const Arbitrator = defineActor(import.meta.url, {
  name: 'arbitrator',
  isReentrant: true,
  state: ({ parameters, contexts }: Cast<Parameters>) => ({
    parameters,
    contexts,
    isTaken: new Array<boolean>(parameters.philosophers).fill(false),
    present: parameters.philosophers,
    meals: 0,
    outcome: new Outcome<Facts>(),
  }),
  handlers: {
    async run({ parameters: { philosophers, rounds }, contexts, outcome }, _: undefined, actor) {
      await spawnInTurn(philosophers, contexts, (options, index) =>
        actor.spawn(Philosopher, { index, rounds, arbitrator: actor.self }, options),
      );
      return outcome.promise;
    },
    hungry({ isTaken }, { index, from }: { index: number; from: ActorRef<PhilosopherMessages> }) {
      const right = (index + 1) % isTaken.length;
      if (isTaken[index] || isTaken[right]) {
        from.tell('denied');
        return;
      }
      isTaken[index] = true;
      isTaken[right] = true;
      from.tell('eat');
    },
    done({ isTaken }, index: number) {
      const right = (index + 1) % isTaken.length;
      if (!isTaken[index] || !isTaken[right]) throw new Error(`philosopher ${index} ate without forks`);
      isTaken[index] = false;
      isTaken[right] = false;
    },
    leave(state, rounds: number) {
      state.meals += rounds;
      if (--state.present > 0) return;
      state.outcome.resolve({ meals: state.meals, forksTaken: state.isTaken.filter(Boolean).length });
    },
  },
});

/** Philosophers who ask for their two forks until they get them. */
export const diningPhilosophers: SavinaBenchmark<Parameters> = {
  name: 'dining-philosophers',
  metric: 'dining philosophers: 20 of them, 10,000 meals each',
  parameters: {
    full: { philosophers: 20, rounds: 10_000 },
    quick: { philosophers: 20, rounds: 200 },
    tiny: { philosophers: 3, rounds: 5 },
  },
  master: Arbitrator,
  expected: ({ philosophers, rounds }) => ({ meals: philosophers * rounds, forksTaken: 0 }),
};
