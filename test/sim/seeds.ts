import { Random } from './random.js';

const firstSeed = Number(process.env.HEDDLE_FIRST_SEED ?? 1);
const scale = Number(process.env.HEDDLE_FUZZ_SCALE ?? 1);

/** The one seed that is to be repeated: counts over many seeds mean nothing then. */
export const onlySeed = process.env.HEDDLE_SEED;

/** Runs `run` with a generator for each seed; a failure names the seed that repeats it. */
export async function forSeeds(
  count: number,
  run: (random: Random, seed: number) => Promise<void> | void,
): Promise<void> {
  const first = onlySeed === undefined ? firstSeed : Number(onlySeed);
  const last = onlySeed === undefined ? first + count * scale - 1 : first;
  for (let seed = first; seed <= last; seed++) {
    try {
      await run(new Random(seed), seed);
    } catch (cause) {
      throw new Error(`HEDDLE_SEED=${seed} fails: ${(cause as Error).stack}`, { cause });
    }
  }
}
