/** A process in which heddle plays the benchmarks of the Savina suite. */
import type { Roles } from '../harness/role.js';
import { median } from '../harness/statistics.js';
import { savinaBenchmarks } from './index.js';
import type { Facts, Size } from './savina.js';
import { Stage } from './stage.js';

/** What a run is told. */
export interface SavinaRun {
  readonly name: string;
  readonly size: Size;
  readonly budgetMs: number;
}

export const roles: Roles = {
  stage: ({ contexts }: { contexts: number }) => {
    let stage: Stage;
    const expectations = new Map<string, Facts>();
    return {
      setup: async () => {
        stage = await Stage.open(contexts);
      },
      /** Plays a benchmark again and again; returns the median of the milliseconds. */
      run: async ({ name, size, budgetMs }: SavinaRun) => {
        const benchmark = savinaBenchmarks.find((one) => one.name === name);
        if (benchmark === undefined) throw new Error(`no benchmark of the suite is named ${name}`);
        const parameters = benchmark.parameters[size];
        const key = `${name} ${size}`;
        const expected = expectations.get(key) ?? benchmark.expected(parameters);
        expectations.set(key, expected);
        const times: number[] = [];
        const startMs = performance.now();
        do {
          times.push(await stage.play(benchmark, parameters, expected));
        } while (performance.now() - startMs < budgetMs);
        return median(times);
      },
      teardown: () => stage.close(),
    };
  },
};
