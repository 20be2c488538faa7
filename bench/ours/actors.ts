/** Heddle's sides of the benchmarks of actors. */
import { createSystem } from '../../src/index.js';
import { floodRate } from '../harness/arrivals.js';
import type { Roles } from '../harness/role.js';
import { createBatch, fanInSenders } from '../workloads.js';
import { Asker, Echo, Ephemeral, FanInSender, Flooder, Ping, Pong, Sink } from './actor-definitions.js';
import type { OursOptions } from './index.js';

type System = Awaited<ReturnType<typeof createSystem>>;

const longAsk = { timeoutMs: 90_000 };

function withSystem(contexts: number, prepare: (system: System) => Promise<(budgetMs: number) => Promise<number>>) {
  let system: System;
  let measure: (budgetMs: number) => Promise<number>;
  return {
    setup: async () => {
      system = await createSystem({ contexts });
      measure = await prepare(system);
    },
    run: (budgetMs: number) => measure(budgetMs),
    teardown: () => system.close(),
  };
}

const tellLocal = () =>
  withSystem(0, async (system) => {
    const pong = system.spawnHere(Pong);
    const ping = system.spawnHere(Ping, { pong });
    return async (budgetMs) => {
      const startMs = performance.now();
      let messages = 0;
      do {
        messages += await ping.ask('play', 100_000, longAsk);
      } while (performance.now() - startMs < budgetMs);
      return (messages / (performance.now() - startMs)) * 1000;
    };
  });

const tellCross = () =>
  withSystem(2, async (system) => {
    const sink = await system.spawn(Sink, undefined, { on: 'worker-1' });
    const flooder = await system.spawn(Flooder, { sink }, { on: 'worker-2' });
    return async (budgetMs) => {
      const flood = await flooder.ask('flood', budgetMs, longAsk);
      return floodRate(flood, await sink.ask('waitFor', flood.total, longAsk));
    };
  });

const askCross = () =>
  withSystem(2, async (system) => {
    const echo = await system.spawn(Echo, undefined, { on: 'worker-1' });
    const asker = await system.spawn(Asker, { echo }, { on: 'worker-2' });
    return (budgetMs) => asker.ask('ask', budgetMs, longAsk);
  });

const fanIn = () =>
  withSystem(2, async (system) => {
    const sink = await system.spawn(Sink, undefined, { on: 'worker-1' });
    const senders = await Promise.all(
      Array.from({ length: fanInSenders }, (_, number) =>
        system.spawn(FanInSender, { sink, number }, { on: number % 2 === 0 ? 'worker-1' : 'worker-2' }),
      ),
    );
    return async (budgetMs) => {
      const startMs = performance.now();
      const before = await sink.ask('received');
      const sent = await Promise.all(senders.map((sender) => sender.ask('send', budgetMs, longAsk)));
      const received = (await sink.ask('received')) - before;
      const total = sent.reduce((sum, each) => sum + each, 0);
      if (received !== total) throw new Error(`received=${received} sent=${total}`);
      return (received / (performance.now() - startMs)) * 1000;
    };
  });

const create = () =>
  withSystem(0, async (system) => {
    return async (budgetMs) => {
      const startMs = performance.now();
      let created = 0;
      do {
        let handled = 0;
        let sum = 0;
        await new Promise<void>((resolve) => {
          const onHandled = (value: number) => {
            sum += value;
            if (++handled === createBatch) resolve();
          };
          const actors = Array.from({ length: createBatch }, () => system.spawnHere(Ephemeral, { onHandled }));
          for (let i = 0; i < createBatch; i++) actors[i]!.tell('handle', i);
        });
        if (sum !== (createBatch * (createBatch - 1)) / 2) throw new Error(`wrong sum: ${sum}`);
        created += createBatch;
      } while (performance.now() - startMs < budgetMs);
      // The last one stops after the handler that told of it.
      await new Promise((resolve) => setImmediate(resolve));
      const elapsedMs = performance.now() - startMs;
      if (system.host.actorCount > 0) throw new Error(`${system.host.actorCount} actors were not stopped`);
      return (created / elapsedMs) * 1000;
    };
  });

const sides = { tellLocal, tellCross, askCross, fanIn, create };

export const roles: Roles = {
  side: ({ workload }: OursOptions & { workload: keyof typeof sides }) => sides[workload](),
};
