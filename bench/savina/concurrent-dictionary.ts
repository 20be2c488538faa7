import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, patient, RandomNumbers, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly workers: number;
  readonly messagesPerWorker: number;
  readonly writePercent: number;
  readonly keys: number;
}
interface DictionaryMessages {
  write(entry: { key: number; value: number }): number | undefined;
  read(key: number): number | undefined;
}

/** Keys and values of a worker; the value of a key is its double, so that every read can be checked. */
function* operationsOf(worker: number, { messagesPerWorker, writePercent, keys }: Parameters) {
  const random = new RandomNumbers(worker);
  for (let i = 0; i < messagesPerWorker; i++) {
    yield { isWrite: random.below(100) < writePercent, key: random.below(keys) };
  }
}

export const Dictionary = defineActor(import.meta.url, {
  name: 'dictionary',
  state: () => new Map<number, number>(),
  handlers: {
    write(map, { key, value }: { key: number; value: number }) {
      const before = map.get(key);
      map.set(key, value);
      return before;
    },
    read: (map, key: number) => map.get(key),
    size: (map) => map.size,
  },
});

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  state: (args: { dictionary: ActorRef<DictionaryMessages>; index: number; parameters: Parameters }) => args,
  handlers: {
    /** Returns how many answers were right. */
    async work({ dictionary, index, parameters }) {
      let right = 0;
      for (const { isWrite, key } of operationsOf(index, parameters)) {
        const found = isWrite
          ? await dictionary.ask('write', { key, value: 2 * key }, patient)
          : await dictionary.ask('read', key, patient);
        if (found === undefined || found === 2 * key) right++;
      }
      return right;
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const dictionary = actor.spawnHere(Dictionary);
    const workers = await spawnInTurn(parameters.workers, contexts, (options, index) =>
      actor.spawn(Worker, { dictionary, index, parameters }, options),
    );
    return { dictionary, workers };
  },
  handlers: {
    async run({ dictionary, workers }): Promise<Facts> {
      const right = await Promise.all(workers.map((worker) => worker.ask('work', undefined, patient)));
      return { right: right.reduce((sum, one) => sum + one, 0), size: await dictionary.ask('size') };
    },
  },
});

/** Readers and writers of one map. */
export const concurrentDictionary: SavinaBenchmark<Parameters> = {
  name: 'concurrent-dictionary',
  metric: 'concurrent dictionary: 20 workers, 10,000 operations each, 10 % of them writes',
  parameters: {
    full: { workers: 20, messagesPerWorker: 10_000, writePercent: 10, keys: 524_287 },
    quick: { workers: 20, messagesPerWorker: 200, writePercent: 10, keys: 524_287 },
    tiny: { workers: 3, messagesPerWorker: 20, writePercent: 50, keys: 10 },
  },
  master: Master,
  expected: (parameters) => {
    const written = new Set<number>();
    for (let worker = 0; worker < parameters.workers; worker++) {
      for (const { isWrite, key } of operationsOf(worker, parameters)) if (isWrite) written.add(key);
    }
    return { right: parameters.workers * parameters.messagesPerWorker, size: written.size };
  },
};
