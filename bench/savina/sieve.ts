import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inTurn, Outcome, type SavinaBenchmark, whenReady } from './savina.js';

interface Parameters {
  readonly below: number;
  /** Primes that one actor divides by. */
  readonly primesPerActor: number;
}
interface FilterMessages {
  candidate(value: number): void;
  end(primesBefore: number): void;
}
interface MasterMessages {
  counted(primes: number): void;
}

/** Divides by its own primes; what is left is a prime of its own, or goes to the next one, which is made then. */
export const Filter = defineActor(import.meta.url, {
  name: 'filter',
  state: (args: { index: number; parameters: Parameters; contexts: number; master: ActorRef<MasterMessages> }) => ({
    ...args,
    primes: [] as number[],
    next: undefined as ActorRef<FilterMessages> | undefined,
  }),
  handlers: {
    candidate(state, value: number, actor) {
      const { primes, next, parameters } = state;
      for (const prime of primes) {
        if (value % prime === 0) return;
        if (prime * prime > value) break;
      }
      if (primes.length < parameters.primesPerActor) {
        primes.push(value);
        return;
      }
      if (next !== undefined) return whenReady(next.tell('candidate', value), next);
      return addFilter(state, value, actor);
    },
    end({ primes, next, master }, primesBefore: number) {
      const count = primesBefore + primes.length;
      if (next === undefined) master.tell('counted', count);
      else next.tell('end', count);
    },
  },
});

interface FilterState {
  readonly index: number;
  readonly parameters: Parameters;
  readonly contexts: number;
  readonly master: ActorRef<MasterMessages>;
  next: ActorRef<FilterMessages> | undefined;
}

async function addFilter(state: FilterState, first: number, actor: ActorContext): Promise<void> {
  const { index, parameters, contexts, master } = state;
  const args = { index: index + 1, parameters, contexts, master };
  state.next = await actor.spawn(Filter, args, { on: inTurn(index + 1, contexts) });
  state.next.tell('candidate', first);
}

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    below: parameters.below,
    first: actor.spawnHere(Filter, { index: 0, parameters, contexts, master: actor.self }),
    outcome: new Outcome<Facts>(),
  }),
  handlers: {
    async run({ below, first, outcome }) {
      for (let value = 3; value < below; value += 2) if (!first.tell('candidate', value)) await first.ready();
      // One prime is no candidate: 2.
      first.tell('end', 1);
      return outcome.promise;
    },
    counted({ outcome }, primes: number) {
      outcome.resolve({ primes });
    },
  },
});

/** The sieve of Eratosthenes as a pipeline that grows. */
export const sieve: SavinaBenchmark<Parameters> = {
  name: 'sieve',
  metric: 'sieve: primes below 100,000, 1000 for each actor',
  parameters: {
    full: { below: 100_000, primesPerActor: 1000 },
    quick: { below: 20_000, primesPerActor: 400 },
    tiny: { below: 200, primesPerActor: 10 },
  },
  master: Master,
  expected: ({ below }) => {
    const isComposite = new Uint8Array(below);
    let primes = 0;
    for (let value = 2; value < below; value++) {
      if (isComposite[value] === 1) continue;
      primes++;
      for (let multiple = value * value; multiple < below; multiple += value) isComposite[multiple] = 1;
    }
    return { primes };
  },
};
