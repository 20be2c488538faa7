import { type ActorContext, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inTurn, patient, type SavinaBenchmark } from './savina.js';

interface Parameters {
  readonly messages: number;
}

export const Counter = defineActor(import.meta.url, {
  name: 'counter',
  state: () => ({ count: 0 }),
  handlers: {
    increment(state) {
      state.count++;
    },
    get: (state) => state.count,
  },
});

export const Producer = defineActor(import.meta.url, {
  name: 'producer',
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    messages: parameters.messages,
    counter: await actor.spawn(Counter, undefined, { on: inTurn(1, contexts) }),
  }),
  handlers: {
    async run({ messages, counter }): Promise<Facts> {
      for (let i = 0; i < messages; i++) if (!counter.tell('increment')) await counter.ready();
      return { count: await counter.ask('get', undefined, patient) };
    },
  },
});

/** One actor sends, the other counts. */
export const counting: SavinaBenchmark<Parameters> = {
  name: 'counting',
  metric: 'counting: 1,000,000 messages to a counter',
  parameters: { full: { messages: 1_000_000 }, quick: { messages: 50_000 }, tiny: { messages: 50 } },
  master: Producer,
  expected: ({ messages }) => ({ count: messages }),
};
