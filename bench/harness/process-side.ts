import type { Mode, Side } from './benchmark.js';
import { describeMissing, type Requirement } from './requirement.js';
import { type Role, startProcess } from './role.js';

/** A side that is written in JavaScript. */
export interface ProcessSideOptions {
  readonly name: string;
  /** URL of a compiled module whose `roles.side(options)` answers `setup`, `run` (budget in ms) and `teardown`. */
  readonly module: URL;
  readonly options?: unknown;
  readonly needs?: readonly Requirement[];
  /** A new process for each run, where what an earlier one has left behind would count. */
  readonly isNewEachRun?: boolean;
}

/** Runs a side's module in a fresh Node.js process. */
export function processSide({
  name,
  module,
  options = {},
  needs = [],
  isNewEachRun = false,
}: ProcessSideOptions): Side {
  let role: Role | undefined;
  let mode: Mode = 'full';
  const start = async (): Promise<Role> => {
    role = await startProcess(module.href, 'side', options);
    await role.call('setup', mode);
    return role;
  };
  const end = async (): Promise<void> => {
    const ending = role;
    role = undefined;
    try {
      await ending?.call('teardown');
    } finally {
      await ending?.stop();
    }
  };
  return {
    name,
    unavailable: () => describeMissing(needs),
    isNewEachRun,
    setup: async (itsMode) => {
      mode = itsMode;
      if (!isNewEachRun) await start();
    },
    run: async (budgetMs) => {
      if (!isNewEachRun && role === undefined) throw new Error(`${name}: run before setup`);
      try {
        return await (role ?? (await start())).call<number>('run', budgetMs);
      } finally {
        if (isNewEachRun) await end();
      }
    },
    teardown: end,
  };
}

/** A side that is a number: a limit, which heddle's value is held against. */
export function constantSide(name: string, value: number): Side {
  return {
    name,
    isNewEachRun: true,
    unavailable: () => undefined,
    setup: async () => {},
    run: async () => value,
    teardown: async () => {},
  };
}
