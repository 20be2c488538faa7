import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inTurn, Outcome, type SavinaBenchmark } from './savina.js';

interface Parameters {
  readonly n: number;
}
interface ParentMessages {
  value(value: number): void;
}

export const Term = defineActor(import.meta.url, {
  name: 'term',
  state: (args: { parent: ActorRef<ParentMessages>; contexts: number }) => ({ ...args, sum: 0, pending: 2 }),
  handlers: {
    compute({ parent, contexts }, n: number, actor) {
      if (n <= 2) {
        parent.tell('value', 1);
        void actor.stop();
        return undefined;
      }
      if (contexts > 1) return spread(n, contexts, actor);
      const args = { parent: actor.self, contexts };
      (actor.spawnHere(Term, args) as ComputerRef).tell('compute', n - 1);
      (actor.spawnHere(Term, args) as ComputerRef).tell('compute', n - 2);
      return undefined;
    },
    value(state, value: number, actor) {
      state.sum += value;
      if (--state.pending > 0) return;
      state.parent.tell('value', state.sum);
      void actor.stop();
    },
  },
});

type ComputerRef = ActorRef<{ compute(n: number): void }>;

/** The first of all terms has its two in different contexts; those below stay where they are. */
async function spread(n: number, contexts: number, actor: ActorContext): Promise<void> {
  const args = { parent: actor.self, contexts: 1 };
  const one = (await actor.spawn(Term, args, { on: inTurn(0, contexts) })) as ComputerRef;
  const other = (await actor.spawn(Term, args, { on: inTurn(1, contexts) })) as ComputerRef;
  one.tell('compute', n - 1);
  other.tell('compute', n - 2);
}

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    n: parameters.n,
    outcome: new Outcome<Facts>(),
    first: actor.spawnHere(Term, { parent: actor.self, contexts }),
  }),
  handlers: {
    run({ first, n, outcome }) {
      first.tell('compute', n);
      return outcome.promise;
    },
    value({ outcome }, value: number) {
      outcome.resolve({ value });
    },
  },
});

/** An actor for each call of the recursive definition. */
export const fibonacci: SavinaBenchmark<Parameters> = {
  name: 'fibonacci',
  metric: 'fibonacci: number 25 by 150,049 actors',
  parameters: { full: { n: 25 }, quick: { n: 15 }, tiny: { n: 7 } },
  master: Master,
  expected: ({ n }) => {
    let [before, value] = [0, 1];
    for (let i = 1; i < n; i++) [before, value] = [value, before + value];
    return { value };
  },
};
