import { type ActorContext, type ActorRef, defineActor } from 'heddle';

interface CollectorMessages {
  found(result: { readonly limit: number; readonly primes: number }): void;
}

/** Does the work: slow, and it takes one job at a time. Few jobs may wait for it. */
export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  mailbox: { capacity: 64 },
  state: (args: { collector: ActorRef<CollectorMessages> }) => ({ ...args, done: 0, mostWaiting: 0 }),
  handlers: {
    async count(state, limit: number, actor: ActorContext) {
      state.mostWaiting = Math.max(state.mostWaiting, actor.waiting);
      state.done++;
      let primes = 0;
      for (let candidate = 2; candidate < limit; candidate++) if (isPrime(candidate)) primes++;
      if (!state.collector.tell('found', { limit, primes })) await state.collector.ready();
    },
    report: ({ done, mostWaiting }) => ({ done, mostWaiting }),
  },
});

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) return false;
  return true;
}

/** Gathers the results, and answers once it has all. */
export const Collector = defineActor(import.meta.url, {
  name: 'collector',
  isReentrant: true,
  state: (args: { expected: number }) => ({
    expected: args.expected,
    jobs: 0,
    primes: 0,
    onComplete: undefined as (() => void) | undefined,
  }),
  handlers: {
    found(state, { primes }: { readonly limit: number; readonly primes: number }) {
      state.primes += primes;
      if (++state.jobs === state.expected) state.onComplete?.();
    },
    async total(state) {
      if (state.jobs < state.expected) {
        await new Promise<void>((resolve) => {
          state.onComplete = resolve;
        });
      }
      return { jobs: state.jobs, primes: state.primes };
    },
  },
});
