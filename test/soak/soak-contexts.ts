import type { HeddleNode } from '../../src/index.js';
import type { SoakPlan } from './soak-plan.js';
import type soakWorker from './soak-worker.js';

/** Where a context of the soak is reached: to be told what to do, and to be talked to. */
export interface SoakAddress {
  readonly control: string;
  readonly service: string;
}

/** An emulated machine takes long to start threads. */
const startTimeoutMs = 300_000;

/** Starts the contexts of a plan that are one process's: all, or every other one of them. */
export async function startContexts(node: HeddleNode, plan: SoakPlan, process: 0 | 1): Promise<readonly SoakAddress[]> {
  const numbers = Array.from({ length: plan.contexts }, (_, number) => number);
  const own = plan.hasSecondProcess ? numbers.filter((number) => number % 2 === process) : numbers;
  const started = own.map((number) =>
    node.startContext<typeof soakWorker>(new URL('./soak-worker.js', import.meta.url), {
      name: `soak-${number}`,
      data: { plan, number },
      options: plan.contextOptions,
      startTimeoutMs,
    }),
  );
  return (await Promise.all(started)).map((context) => context.value);
}
