import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inBlocks, Outcome, type SavinaBenchmark } from './savina.js';

interface Parameters {
  readonly actors: number;
  readonly hops: number;
}
interface NodeMessages {
  pass(left: number): void;
}
interface MasterMessages {
  arrived(index: number): void;
}

export const Node = defineActor(import.meta.url, {
  name: 'node',
  state: (args: { index: number; next?: ActorRef<NodeMessages>; master: ActorRef<MasterMessages> }) => ({ ...args }),
  handlers: {
    connect(state, next: ActorRef<NodeMessages>) {
      state.next = next;
    },
    pass(state, left: number) {
      if (left === 0) state.master.tell('arrived', state.index);
      else state.next!.tell('pass', left - 1);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const { actors, hops } = parameters;
    const spawn = (index: number, next?: ActorRef<NodeMessages>) =>
      actor.spawn(
        Node,
        { index, master: actor.self, ...(next !== undefined && { next }) },
        { on: inBlocks(index, actors, contexts) },
      );
    const last = await spawn(actors - 1);
    let first = last;
    for (let index = actors - 2; index >= 0; index--) first = await spawn(index, first);
    last.tell('connect', first);
    return { first, hops, outcome: new Outcome<Facts>() };
  },
  handlers: {
    run({ first, hops, outcome }) {
      first.tell('pass', hops);
      return outcome.promise;
    },
    arrived({ outcome }, index: number) {
      outcome.resolve({ lastActor: index });
    },
  },
});

/** A token that goes round a ring of actors. */
export const threadRing: SavinaBenchmark<Parameters> = {
  name: 'thread-ring',
  metric: 'thread ring: 100 actors, 100,000 hops',
  parameters: {
    full: { actors: 100, hops: 100_000 },
    quick: { actors: 100, hops: 20_000 },
    tiny: { actors: 5, hops: 23 },
  },
  master: Master,
  expected: ({ actors, hops }) => ({ lastActor: hops % actors }),
};
