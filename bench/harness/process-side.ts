import type { Side } from './benchmark.js';
import { describeMissing, type Requirement } from './requirement.js';
import { type Role, startProcess } from './role.js';

/** A side that is written in JavaScript. */
export interface ProcessSideOptions {
  readonly name: string;
  /** URL of a compiled module whose `roles.side(options)` answers `setup`, `run` (budget in ms) and `teardown`. */
  readonly module: URL;
  readonly options?: unknown;
  readonly needs?: readonly Requirement[];
}

/** Runs a side's module in a fresh Node.js process. */
export function processSide({ name, module, options = {}, needs = [] }: ProcessSideOptions): Side {
  let role: Role | undefined;
  return {
    name,
    unavailable: () => describeMissing(needs),
    setup: async () => {
      role = await startProcess(module.href, 'side', options);
      await role.call('setup');
    },
    run: async (budgetMs) => {
      if (role === undefined) throw new Error(`${name}: run before setup`);
      return role.call<number>('run', budgetMs);
    },
    teardown: async () => {
      try {
        await role?.call('teardown');
      } finally {
        await role?.stop();
        role = undefined;
      }
    },
  };
}
