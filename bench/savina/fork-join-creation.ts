import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, patient, roomy, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly actors: number;
}
interface ForkerMessages {
  done(value: number): void;
}

export const Task = defineActor(import.meta.url, {
  name: 'task',
  state: (args: { forker: ActorRef<ForkerMessages> }) => args,
  handlers: {
    compute({ forker }, value: number, actor) {
      const sine = Math.sin(37.2);
      forker.tell('done', sine * sine > 0 ? value : 0);
      void actor.stop();
    },
  },
});

/** Makes the actors of one context. */
export const Forker = defineActor(import.meta.url, {
  name: 'forker',
  isReentrant: true,
  mailbox: roomy,
  state: () => ({ left: 0, sum: 0, outcome: new Outcome<number>() }),
  handlers: {
    fork(state, range: { first: number; count: number }, actor) {
      state.left = range.count;
      const args = { forker: actor.self };
      for (let i = 0; i < range.count; i++) actor.spawnHere(Task, args).tell('compute', range.first + i);
      return state.outcome.promise;
    },
    done(state, value: number) {
      state.sum += value;
      if (--state.left === 0) state.outcome.resolve(state.sum);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    ...parameters,
    forkers: await spawnInTurn(contexts, contexts, (options) => actor.spawn(Forker, undefined, options)),
  }),
  handlers: {
    async run({ actors, forkers }): Promise<Facts> {
      const share = Math.ceil(actors / forkers.length);
      const sums = await Promise.all(
        forkers.map((forker, i) =>
          forker.ask('fork', { first: i * share, count: Math.min(share, actors - i * share) }, patient),
        ),
      );
      return { sum: sums.reduce((total, sum) => total + sum, 0) };
    },
  },
});

/** Actors that are created, handle one message and end. */
export const forkJoinCreation: SavinaBenchmark<Parameters> = {
  name: 'fork-join-creation',
  metric: 'fork-join creation: 40,000 actors, one message each',
  parameters: { full: { actors: 40_000 }, quick: { actors: 2000 }, tiny: { actors: 10 } },
  master: Master,
  expected: ({ actors }) => ({ sum: (actors * (actors - 1)) / 2 }),
};
