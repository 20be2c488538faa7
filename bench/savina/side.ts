import type { Mode, Side } from '../harness/benchmark.js';
import { type Role, startProcess } from '../harness/role.js';
import type { SavinaRun } from './role.js';

const roleModule = new URL('./role.js', import.meta.url).href;

async function startStage(contexts: number): Promise<Role> {
  const role = await startProcess(roleModule, 'stage', { contexts });
  await role.call('setup');
  return role;
}

/** Quick runs share one process for each number of contexts: starting sixty takes longer than all that they measure. */
const sharedStages = new Map<number, Promise<Role>>();

async function sharedStage(contexts: number): Promise<Role> {
  let starting = sharedStages.get(contexts);
  if (starting === undefined) {
    starting = startStage(contexts);
    sharedStages.set(contexts, starting);
    (await starting).unref();
  }
  return starting;
}

/** Heddle playing a benchmark of the suite on so many contexts: milliseconds for one iteration. */
export function savinaSide(name: string, benchmark: string, contexts: number): Side {
  let role: Role | undefined;
  let mode: Mode = 'full';
  return {
    name,
    unavailable: () => undefined,
    setup: async (itsMode) => {
      mode = itsMode;
      role = await (mode === 'quick' ? sharedStage(contexts) : startStage(contexts));
    },
    run: async (budgetMs) => {
      if (role === undefined) throw new Error(`${name}: run before setup`);
      const run: SavinaRun = { name: benchmark, size: mode, budgetMs };
      try {
        return await role.call<number>('run', run);
      } catch (error) {
        // What a failed run has left behind must not be the next benchmark's.
        if (mode === 'quick') {
          sharedStages.delete(contexts);
          await role.stop();
        }
        throw error;
      }
    },
    teardown: async () => {
      if (mode === 'quick') return;
      try {
        await role?.call('teardown');
      } finally {
        await role?.stop();
      }
    },
  };
}
