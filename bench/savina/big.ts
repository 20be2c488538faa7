import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, RandomNumbers, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly pings: number;
  readonly actors: number;
}
interface BigMessages {
  meet(all: readonly ActorRef<BigMessages>[]): void;
  begin(): void;
  ping(from: number): void;
  pong(from: number): void;
}
interface MasterMessages {
  done(pongs: number): void;
}

export const Big = defineActor(import.meta.url, {
  name: 'big',
  state: (args: { index: number; pings: number; master: ActorRef<MasterMessages> }) => ({
    ...args,
    all: [] as readonly ActorRef<BigMessages>[],
    random: new RandomNumbers(args.index),
    expecting: -1,
    pongs: 0,
  }),
  handlers: {
    meet(state, all: readonly ActorRef<BigMessages>[]) {
      state.all = all;
    },
    begin(_state, _nothing: undefined, actor) {
      (actor.self as ActorRef<BigMessages>).tell('pong', -1);
    },
    ping(state, from: number) {
      state.all[from]!.tell('pong', state.index);
    },
    pong(state, from: number) {
      if (from !== state.expecting) throw new Error(`a pong from ${from}, not from ${state.expecting}`);
      if (from >= 0) state.pongs++;
      if (state.pongs === state.pings) {
        state.master.tell('done', state.pongs);
        return;
      }
      state.expecting = state.random.below(state.all.length);
      state.all[state.expecting]!.tell('ping', state.index);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    running: parameters.actors,
    pongs: 0,
    outcome: new Outcome<Facts>(),
    all: await spawnInTurn(parameters.actors, contexts, (options, index) =>
      actor.spawn(Big, { index, pings: parameters.pings, master: actor.self }, options),
    ),
  }),
  handlers: {
    async run({ all, outcome }) {
      // All know all before any begins: a ping may come sooner than what another context tells.
      await Promise.all(all.map((one) => one.ask('meet', all)));
      for (const one of all) one.tell('begin');
      return outcome.promise;
    },
    done(state, pongs: number) {
      state.pongs += pongs;
      if (--state.running === 0) state.outcome.resolve({ pongs: state.pongs });
    },
  },
});

/** Everybody pings somebody at random, and waits for the answer. */
export const big: SavinaBenchmark<Parameters> = {
  name: 'big',
  metric: 'big: 120 actors, 20,000 pings each to a random one',
  parameters: {
    full: { pings: 20_000, actors: 120 },
    quick: { pings: 150, actors: 120 },
    tiny: { pings: 5, actors: 6 },
  },
  master: Master,
  expected: ({ pings, actors }) => ({ pongs: pings * actors }),
};
