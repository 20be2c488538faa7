import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inTurn, patient, rounded, type SavinaBenchmark } from './savina.js';

interface Parameters {
  readonly terms: number;
  readonly series: number;
  readonly startRate: number;
  readonly increment: number;
}
interface ComputerMessages {
  compute(term: number): number;
}

const nextTerm = (term: number, rate: number) => rate * term * (1 - term);
const rateOf = (series: number, { startRate, increment }: Parameters) => startRate + series * increment;

export const RateComputer = defineActor(import.meta.url, {
  name: 'rate-computer',
  state: (args: { rate: number }) => args,
  handlers: { compute: ({ rate }, term: number) => nextTerm(term, rate) },
});

export const SeriesWorker = defineActor(import.meta.url, {
  name: 'series-worker',
  state: (args: { computer: ActorRef<ComputerMessages>; term: number }) => ({ ...args }),
  handlers: {
    async next(state) {
      state.term = await state.computer.ask('compute', state.term, patient);
    },
    get: ({ term }) => term,
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    ...parameters,
    workers: await Promise.all(
      Array.from({ length: parameters.series }, async (_, i) => {
        const rate = rateOf(i, parameters);
        const computer = await actor.spawn(RateComputer, { rate }, { on: inTurn(i, contexts) });
        return actor.spawn(SeriesWorker, { computer, term: i * parameters.increment }, { on: inTurn(i, contexts) });
      }),
    ),
  }),
  handlers: {
    async run({ terms, workers }): Promise<Facts> {
      for (let i = 0; i < terms; i++) {
        for (const worker of workers) if (!worker.tell('next')) await worker.ready();
      }
      const results = await Promise.all(workers.map((worker) => worker.ask('get', undefined, patient)));
      return { sum: rounded(results.reduce((sum, term) => sum + term, 0)) };
    },
  },
});

/** Series of numbers, each computed from the one before by another actor, whom the series asks. */
export const logisticMap: SavinaBenchmark<Parameters> = {
  name: 'logistic-map',
  metric: 'logistic map: 10 series of 25,000 terms',
  parameters: {
    full: { terms: 25_000, series: 10, startRate: 3.46, increment: 0.0025 },
    quick: { terms: 500, series: 10, startRate: 3.46, increment: 0.0025 },
    tiny: { terms: 10, series: 3, startRate: 3.46, increment: 0.0025 },
  },
  master: Master,
  expected: (parameters) => {
    let sum = 0;
    for (let series = 0; series < parameters.series; series++) {
      let term = series * parameters.increment;
      for (let i = 0; i < parameters.terms; i++) term = nextTerm(term, rateOf(series, parameters));
      sum += term;
    }
    return { sum: rounded(sum) };
  },
};
