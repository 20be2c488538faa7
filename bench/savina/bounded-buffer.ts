import { type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, RandomNumbers, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly bufferSize: number;
  readonly producers: number;
  readonly consumers: number;
  readonly itemsPerProducer: number;
  readonly produceCost: number;
  readonly consumeCost: number;
}
interface Item {
  readonly id: number;
  readonly value: number;
}
interface ProducerMessages {
  produce(): void;
}
interface ConsumerMessages {
  consume(item: Item): void;
}
interface ManagerMessages {
  produced(delivery: { item: Item; from: ActorRef<ProducerMessages> }): void;
  producerDone(): void;
  available(consumer: { from: ActorRef<ConsumerMessages>; consumed: number | undefined }): void;
}

/** What an item costs to make or to use up. */
function process(value: number, cost: number): number {
  const random = new RandomNumbers(cost);
  let result = value;
  for (let i = 0; i < cost * 100; i++) result += Math.log(random.fraction() + 0.01);
  return result;
}

export const Producer = defineActor(import.meta.url, {
  name: 'producer',
  state: (args: { index: number; manager: ActorRef<ManagerMessages>; parameters: Parameters }) => ({
    ...args,
    produced: 0,
    value: 0,
  }),
  handlers: {
    produce(state, _: undefined, actor) {
      const { itemsPerProducer, produceCost } = state.parameters;
      if (state.produced === itemsPerProducer) {
        state.manager.tell('producerDone');
        return;
      }
      state.value = process(state.value, produceCost);
      const id = state.index * itemsPerProducer + state.produced++;
      state.manager.tell('produced', { item: { id, value: state.value }, from: actor.self });
    },
  },
});

export const Consumer = defineActor(import.meta.url, {
  name: 'consumer',
  state: (args: { manager: ActorRef<ManagerMessages>; parameters: Parameters }) => args,
  handlers: {
    consume({ manager, parameters }, { id, value }: Item, actor) {
      const isWhole = Number.isFinite(process(value, parameters.consumeCost));
      manager.tell('available', { from: actor.self, consumed: isWhole ? id : undefined });
    },
  },
});

export const Manager = defineActor(import.meta.url, {
  name: 'manager',
  isReentrant: true,
  state: ({ parameters, contexts }: Cast<Parameters>) => ({
    parameters,
    contexts,
    buffer: [] as Item[],
    idleProducers: [] as ActorRef<ProducerMessages>[],
    idleConsumers: [] as ActorRef<ConsumerMessages>[],
    runningProducers: parameters.producers,
    consumed: 0,
    idSum: 0,
    isBounded: true,
    outcome: new Outcome<Facts>(),
  }),
  handlers: {
    async run(state, _: undefined, actor) {
      const { parameters, contexts, outcome } = state;
      const manager = actor.self;
      state.idleConsumers = await spawnInTurn(parameters.consumers, contexts, (options) =>
        actor.spawn(Consumer, { manager, parameters }, options),
      );
      const producers = await spawnInTurn(parameters.producers, contexts, (options, index) =>
        actor.spawn(Producer, { index, manager, parameters }, options),
      );
      for (const producer of producers) producer.tell('produce');
      return outcome.promise;
    },
    produced(state, { item, from }: { item: Item; from: ActorRef<ProducerMessages> }) {
      const consumer = state.idleConsumers.pop();
      if (consumer !== undefined) consumer.tell('consume', item);
      else state.buffer.push(item);
      const { bufferSize, producers } = state.parameters;
      if (state.buffer.length > bufferSize) state.isBounded = false;
      // Each producer may have an item on its way, for which there must be room.
      if (state.buffer.length >= bufferSize - producers) state.idleProducers.push(from);
      else from.tell('produce');
    },
    producerDone(state) {
      state.runningProducers--;
    },
    available(state, { from, consumed }: { from: ActorRef<ConsumerMessages>; consumed: number | undefined }) {
      if (consumed !== undefined) {
        state.consumed++;
        state.idSum += consumed;
      }
      const item = state.buffer.shift();
      if (item === undefined) state.idleConsumers.push(from);
      else from.tell('consume', item);
      const { bufferSize, producers, itemsPerProducer } = state.parameters;
      if (state.buffer.length < bufferSize - producers) state.idleProducers.pop()?.tell('produce');
      if (state.consumed < producers * itemsPerProducer) return;
      const { consumed: total, idSum, isBounded } = state;
      state.outcome.resolve({ consumed: total, idSum, isBounded });
    },
  },
});

/** Producers and consumers with a buffer between them that must never hold more than its size. */
export const boundedBuffer: SavinaBenchmark<Parameters> = {
  name: 'bounded-buffer',
  metric: 'bounded buffer: 40 producers of 1000 items each, 40 consumers, room for 50',
  parameters: {
    full: { bufferSize: 50, producers: 40, consumers: 40, itemsPerProducer: 1000, produceCost: 25, consumeCost: 25 },
    quick: { bufferSize: 50, producers: 40, consumers: 40, itemsPerProducer: 20, produceCost: 5, consumeCost: 5 },
    tiny: { bufferSize: 5, producers: 3, consumers: 2, itemsPerProducer: 7, produceCost: 1, consumeCost: 1 },
  },
  master: Manager,
  expected: ({ producers, itemsPerProducer }) => {
    const items = producers * itemsPerProducer;
    return { consumed: items, idSum: (items * (items - 1)) / 2, isBounded: true };
  },
};
