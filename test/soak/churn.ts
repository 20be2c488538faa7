import { readdirSync } from 'node:fs';
import { type ContextHandle, createNode } from '../../src/index.js';
import { Random } from '../sim/random.js';
import type churnWorker from './churn-worker.js';
import { ChurnCount } from './churn-worker.js';

export interface ChurnPlan {
  readonly seed: number;
  readonly transport: 'tcp' | 'rdma';
  /** Threads that connect to each other all the time. */
  readonly threads: number;
  /** How many of them are terminated in the middle of it, and replaced. */
  readonly terminations: number;
  /** Connections between one termination and the next. */
  readonly cyclesBetween: number;
}

/** What the process holds at a time. */
export interface ChurnSample {
  readonly cycles: number;
  readonly descriptors: number;
  readonly residentBytes: number;
}

export interface ChurnReport {
  /** Connections that ended well. */
  readonly cycles: number;
  /** Those that ended with an error, since the thread at the other end was terminated. */
  readonly ended: number;
  /** Errors that no such end explains; they have been printed. */
  readonly problems: number;
  /** One before the first termination, one behind each. */
  readonly samples: readonly ChurnSample[];
}

/**
 * Threads of one process that connect to each other, talk and part again without pause, while one after the other is
 * terminated in the middle of it and replaced by another at the same address.
 */
export async function runChurn(
  plan: ChurnPlan,
  onSample: (sample: ChurnSample) => void = () => {},
): Promise<ChurnReport> {
  const random = new Random(plan.seed);
  const counts = new Int32Array(new SharedArrayBuffer(4 * Object.keys(ChurnCount).length));
  const node = createNode();
  const startThread = (uri: string, uris: readonly string[]) =>
    node.startContext<typeof churnWorker>(new URL('./churn-worker.js', import.meta.url), {
      data: { seed: random.integer(0, 2 ** 30), uri, uris, counts },
      options: { linkLingerMs: 0 },
      startTimeoutMs: 120_000,
    });
  const samples: ChurnSample[] = [];
  try {
    const any = `${plan.transport}://127.0.0.1:0`;
    // Their addresses are known when they listen: they do so once, are ended, and begin again with the list of all.
    const first = await Promise.all(Array.from({ length: plan.threads }, () => startThread(any, [])));
    const uris = first.map((thread) => thread.value);
    await Promise.all(first.map((thread) => thread.terminate()));
    const threads: ContextHandle<string>[] = await Promise.all(uris.map((uri) => startThread(uri, uris)));
    const sample = () => {
      const cycles = Atomics.load(counts, ChurnCount.cycles);
      const taken = { cycles, descriptors: countDescriptors(), residentBytes: process.memoryUsage.rss() };
      samples.push(taken);
      onSample(taken);
    };
    await cyclesDone(counts, plan.cyclesBetween);
    sample();
    for (let number = 0; number < plan.terminations; number++) {
      const slot = random.integer(0, plan.threads - 1);
      await threads[slot]?.terminate();
      threads[slot] = await startThread(uris[slot] as string, uris);
      await cyclesDone(counts, Atomics.load(counts, ChurnCount.cycles) + plan.cyclesBetween);
      sample();
    }
    Atomics.store(counts, ChurnCount.stop, 1);
  } finally {
    await node.close();
  }
  return {
    cycles: Atomics.load(counts, ChurnCount.cycles),
    ended: Atomics.load(counts, ChurnCount.ended),
    problems: Atomics.load(counts, ChurnCount.problems),
    samples,
  };
}

/** The count of another thread is looked at now and then: nothing here is told of it. */
async function cyclesDone(counts: Int32Array, wanted: number): Promise<void> {
  while (Atomics.load(counts, ChurnCount.cycles) < wanted) await new Promise((resolve) => setTimeout(resolve, 10));
}

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
