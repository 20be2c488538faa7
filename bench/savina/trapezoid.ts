import { type ActorContext, defineActor } from '../../src/index.js';
import { type Cast, type Facts, patient, rounded, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly pieces: number;
  readonly workers: number;
  readonly left: number;
  readonly right: number;
}
interface Range {
  readonly first: number;
  readonly end: number;
}

/** The suite's own function. */
function height(x: number): number {
  const a = Math.sin(x ** 3 - 1);
  const b = x + 1;
  const c = a / b;
  const d = Math.sqrt(1 + Math.exp(Math.sqrt(2 * x)));
  return c * d;
}

function areaOf({ first, end }: Range, { pieces, left, right }: Parameters): number {
  const width = (right - left) / pieces;
  let area = 0;
  for (let i = first; i < end; i++) {
    const x = left + i * width;
    area += ((height(x) + height(x + width)) / 2) * width;
  }
  return area;
}

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  state: (args: { parameters: Parameters }) => args,
  handlers: { area: ({ parameters }, range: Range) => areaOf(range, parameters) },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    ...parameters,
    actors: await spawnInTurn(parameters.workers, contexts, (options) => actor.spawn(Worker, { parameters }, options)),
  }),
  handlers: {
    async run({ pieces, workers, actors }): Promise<Facts> {
      const bound = (i: number) => Math.floor((i * pieces) / workers);
      const areas = await Promise.all(
        actors.map((worker, i) => worker.ask('area', { first: bound(i), end: bound(i + 1) }, patient)),
      );
      return { area: rounded(areas.reduce((sum, area) => sum + area, 0)) };
    },
  },
});

/** The area under a curve, a part of it by each worker. */
export const trapezoid: SavinaBenchmark<Parameters> = {
  name: 'trapezoid',
  metric: 'trapezoid: 10,000,000 pieces by 100 workers',
  parameters: {
    full: { pieces: 10_000_000, workers: 100, left: 1, right: 5 },
    quick: { pieces: 200_000, workers: 100, left: 1, right: 5 },
    tiny: { pieces: 1000, workers: 3, left: 1, right: 5 },
  },
  master: Master,
  expected: (parameters) => ({ area: rounded(areaOf({ first: 0, end: parameters.pieces }, parameters)) }),
};
