import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, patient, RandomNumbers, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly workers: number;
  readonly messagesPerWorker: number;
  readonly writePercent: number;
  readonly sizePercent: number;
}
interface ListMessages {
  add(value: number): boolean;
  contains(value: number): boolean;
  size(): number;
}

type Operation = { readonly kind: 'add' | 'contains' | 'size'; readonly value: number };

function* operationsOf(worker: number, { messagesPerWorker, writePercent, sizePercent }: Parameters) {
  const random = new RandomNumbers(worker + 1000);
  for (let i = 0; i < messagesPerWorker; i++) {
    const percent = random.below(100);
    const kind = percent < sizePercent ? 'size' : percent < sizePercent + writePercent ? 'add' : 'contains';
    yield { kind, value: random.below(1 << 20) } satisfies Operation as Operation;
  }
}

/** The index of the first value that is not below `value`. */
function lowerBound(values: readonly number[], value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const SortedList = defineActor(import.meta.url, {
  name: 'sorted-list',
  state: () => [] as number[],
  handlers: {
    add(values, value: number) {
      values.splice(lowerBound(values, value), 0, value);
      return true;
    },
    contains: (values, value: number) => values[lowerBound(values, value)] === value,
    size: (values) => values.length,
    facts: (values) => ({
      length: values.length,
      isSorted: values.every((value, i) => i === 0 || values[i - 1]! <= value),
      sum: values.reduce((sum, value) => sum + value, 0),
    }),
  },
});

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  state: (args: { list: ActorRef<ListMessages>; index: number; parameters: Parameters }) => args,
  handlers: {
    /** Returns how many operations were answered; what it has added itself it must find. */
    async work({ list, index, parameters }) {
      const own = new Set<number>();
      let answered = 0;
      for (const { kind, value } of operationsOf(index, parameters)) {
        if (kind === 'add') {
          await list.ask('add', value, patient);
          own.add(value);
        } else if (kind === 'size') {
          if ((await list.ask('size', undefined, patient)) < own.size) throw new Error('the list has become shorter');
        } else if (!(await list.ask('contains', value, patient)) && own.has(value)) {
          throw new Error(`the list has lost ${value}`);
        }
        answered++;
      }
      return answered;
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const list = actor.spawnHere(SortedList);
    const workers = await spawnInTurn(parameters.workers, contexts, (options, index) =>
      actor.spawn(Worker, { list, index, parameters }, options),
    );
    return { list, workers };
  },
  handlers: {
    async run({ list, workers }): Promise<Facts> {
      const answered = await Promise.all(workers.map((worker) => worker.ask('work', undefined, patient)));
      return { answered: answered.reduce((sum, one) => sum + one, 0), ...(await list.ask('facts')) };
    },
  },
});

/** Readers and writers of one sorted list. */
export const concurrentSortedList: SavinaBenchmark<Parameters> = {
  name: 'concurrent-sorted-list',
  metric: 'concurrent sorted list: 20 workers, 8000 operations each, 10 % of them writes',
  parameters: {
    full: { workers: 20, messagesPerWorker: 8000, writePercent: 10, sizePercent: 1 },
    quick: { workers: 20, messagesPerWorker: 200, writePercent: 10, sizePercent: 1 },
    tiny: { workers: 3, messagesPerWorker: 20, writePercent: 40, sizePercent: 10 },
  },
  master: Master,
  expected: (parameters) => {
    let length = 0;
    let sum = 0;
    for (let worker = 0; worker < parameters.workers; worker++) {
      for (const { kind, value } of operationsOf(worker, parameters)) {
        if (kind !== 'add') continue;
        length++;
        sum += value;
      }
    }
    return { answered: parameters.workers * parameters.messagesPerWorker, length, isSorted: true, sum };
  },
};
