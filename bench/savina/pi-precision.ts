import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly digits: number;
  readonly workers: number;
}
interface MasterMessages {
  computed(result: { term: bigint; worker: number }): void;
}

/** Digits that are computed beyond those that are shown: every term is rounded. */
const guardDigits = 10;

/** Term `k` of the formula of Bailey, Borwein and Plouffe, in units of the last digit. */
function termOf(k: number, scale: bigint): bigint {
  const n = BigInt(8 * k);
  const sum = (4n * scale) / (n + 1n) - (2n * scale) / (n + 4n) - scale / (n + 5n) - scale / (n + 6n);
  return sum >> BigInt(4 * k);
}

/** pi by Machin's formula: another one than the actors use. */
function machin(scale: bigint): bigint {
  const arctangentOfInverse = (x: bigint): bigint => {
    let power = scale / x;
    let sum = power;
    for (let n = 3n, sign = -1n; power !== 0n; n += 2n, sign = -sign) {
      power /= x * x;
      sum += (sign * power) / n;
    }
    return sum;
  };
  return 4n * (4n * arctangentOfInverse(5n) - arctangentOfInverse(239n));
}

const scaleOf = (digits: number): bigint => 10n ** BigInt(digits + guardDigits);
const shown = (pi: bigint): string => (pi / 10n ** BigInt(guardDigits)).toString();

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  state: (args: { index: number; digits: number; master: ActorRef<MasterMessages> }) => ({
    ...args,
    scale: scaleOf(args.digits),
  }),
  handlers: {
    compute({ index, scale, master }, k: number) {
      master.tell('computed', { term: termOf(k, scale), worker: index });
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    pi: 0n,
    requested: 0,
    computed: 0,
    isExact: false,
    outcome: new Outcome<Facts>(),
    workers: await spawnInTurn(parameters.workers, contexts, (options, index) =>
      actor.spawn(Worker, { index, digits: parameters.digits, master: actor.self }, options),
    ),
  }),
  handlers: {
    run(state) {
      for (const worker of state.workers) worker.tell('compute', state.requested++);
      return state.outcome.promise;
    },
    computed(state, { term, worker }: { term: bigint; worker: number }) {
      state.pi += term;
      state.computed++;
      // Terms only become smaller: behind one that is nothing come no more that matter.
      if (term === 0n) state.isExact = true;
      if (!state.isExact) state.workers[worker]!.tell('compute', state.requested++);
      else if (state.computed === state.requested) state.outcome.resolve({ pi: shown(state.pi) });
    },
  },
});

/** The digits of pi: a master asks its workers for the terms of a series until they are too small to matter. */
export const piPrecision: SavinaBenchmark<Parameters> = {
  name: 'pi-precision',
  metric: 'pi precision: 5000 digits by 20 workers',
  parameters: {
    full: { digits: 5000, workers: 20 },
    quick: { digits: 800, workers: 20 },
    tiny: { digits: 30, workers: 3 },
  },
  master: Master,
  expected: ({ digits }) => ({ pi: shown(machin(scaleOf(digits))) }),
};
