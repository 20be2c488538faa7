import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly messages: number;
  readonly actors: number;
}
interface MasterMessages {
  done(handled: number): void;
}

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  // Sixty mailboxes are filled by one actor: what waits is to fit the core's own cache.
  mailbox: { highWater: 512 },
  state: (args: { master: ActorRef<MasterMessages>; messages: number }) => ({ ...args, handled: 0, sum: 0 }),
  handlers: {
    compute(state, theta: number) {
      const sine = Math.sin(theta);
      state.sum += sine * sine;
      if (++state.handled === state.messages) state.master.tell('done', state.sum >= 0 ? state.handled : 0);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    ...parameters,
    running: parameters.actors,
    handled: 0,
    outcome: new Outcome<Facts>(),
    workers: await spawnInTurn(parameters.actors, contexts, (options) =>
      actor.spawn(Worker, { master: actor.self, messages: parameters.messages }, options),
    ),
  }),
  handlers: {
    async run({ workers, messages, outcome }) {
      for (let i = 0; i < messages; i++) {
        for (const worker of workers) if (!worker.tell('compute', 37.2)) await worker.ready();
      }
      return outcome.promise;
    },
    done(state, handled: number) {
      state.handled += handled;
      if (--state.running === 0) state.outcome.resolve({ handled: state.handled });
    },
  },
});

/** Many messages to each of some actors. */
export const forkJoinThroughput: SavinaBenchmark<Parameters> = {
  name: 'fork-join-throughput',
  metric: 'fork-join throughput: 10,000 messages to each of 60 actors',
  parameters: {
    full: { messages: 10_000, actors: 60 },
    quick: { messages: 500, actors: 60 },
    tiny: { messages: 10, actors: 4 },
  },
  master: Master,
  expected: ({ messages, actors }) => ({ handled: messages * actors }),
};
