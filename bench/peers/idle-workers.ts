/** Workers that listen for messages and get none: what they cost in CPU time. */
import { type Role, type Roles, startThread } from '../harness/role.js';
import { cpuPercentDuring } from '../harness/statistics.js';
import { idleContexts } from '../workloads.js';

function createSide() {
  let workers: Role[] = [];
  return {
    setup: async () => {
      workers = await Promise.all(Array.from({ length: idleContexts }, () => startThread(import.meta.url, 'idler')));
    },
    run: async (budgetMs: number) => {
      const percentOfCore = await cpuPercentDuring(budgetMs);
      // Idle, not gone: each of them still answers.
      const answers = await Promise.all(workers.map((worker, i) => worker.call<number>('answer', i)));
      answers.forEach((answer, i) => {
        if (answer !== i + 1) throw new Error(`worker ${i} answered ${answer}`);
      });
      return percentOfCore;
    },
    teardown: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}

function createIdler() {
  return { answer: (question: number) => question + 1 };
}

export const roles: Roles = { side: createSide, idler: createIdler };
