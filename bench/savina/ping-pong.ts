import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inTurn, Outcome, type SavinaBenchmark } from './savina.js';

interface Parameters {
  readonly pings: number;
}
interface PingMessages {
  pong(value: number): void;
}

export const Pong = defineActor(import.meta.url, {
  name: 'pong',
  state: (args: { ping: ActorRef<PingMessages> }) => args,
  handlers: {
    ping({ ping }, value: number) {
      ping.tell('pong', value + 1);
    },
  },
});

export const Ping = defineActor(import.meta.url, {
  name: 'ping',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    left: parameters.pings,
    value: 0,
    outcome: new Outcome<Facts>(),
    pong: await actor.spawn(Pong, { ping: actor.self }, { on: inTurn(1, contexts) }),
  }),
  handlers: {
    run({ pong, outcome }) {
      pong.tell('ping', 0);
      return outcome.promise;
    },
    pong(state, value: number) {
      state.value = value;
      if (--state.left === 0) state.outcome.resolve({ pongs: value });
      else state.pong.tell('ping', value);
    },
  },
});

/** Two actors of which each sends when it has received. */
export const pingPong: SavinaBenchmark<Parameters> = {
  name: 'ping-pong',
  metric: 'ping pong: 2 actors, 40,000 pings',
  parameters: { full: { pings: 40_000 }, quick: { pings: 4000 }, tiny: { pings: 20 } },
  master: Ping,
  expected: ({ pings }) => ({ pongs: pings }),
};
