import test from 'ava';
import { makeScenario, type Scenario, shrink } from './scenario.js';
import { World } from './world.js';

/** HEDDLE_SEED runs one seed alone; HEDDLE_SEEDS says how many are run, from HEDDLE_FIRST_SEED on. */
const seeds = Number(process.env.HEDDLE_SEEDS ?? 2000);
const firstSeed = Number(process.env.HEDDLE_FIRST_SEED ?? 1);
const onlySeed = process.env.HEDDLE_SEED;

async function failureOf(scenario: Scenario): Promise<{ error: Error; log: string[] } | undefined> {
  const world = new World(scenario);
  try {
    await world.run();
    return undefined;
  } catch (error) {
    return { error: error as Error, log: world.log };
  }
}

async function explain(scenario: Scenario): Promise<string> {
  const smaller = await shrink(scenario, async (one) => (await failureOf(one)) !== undefined);
  const failure = await failureOf(smaller);
  const { actions, ...rest } = smaller;
  return [
    `HEDDLE_SEED=${scenario.seed} fails: ${failure?.error.stack}`,
    `with ${actions.length} of ${scenario.actions.length} actions, and ${JSON.stringify(rest)}`,
    ...(failure?.log.slice(-60) ?? []),
  ].join('\n');
}

test('sessions keep their promises on every simulated network', async (t) => {
  t.timeout(600_000);
  const first = onlySeed === undefined ? firstSeed : Number(onlySeed);
  const last = onlySeed === undefined ? first + seeds - 1 : first;
  for (let seed = first; seed <= last; seed++) {
    const scenario = makeScenario(seed);
    if ((await failureOf(scenario)) !== undefined) {
      t.fail(await explain(scenario));
      return;
    }
  }
  t.log(`${last - first + 1} seeds, from HEDDLE_SEED=${first} on`);
  t.pass();
});
