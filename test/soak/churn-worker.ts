import { type Connection, type Context, HeddleError } from '../../src/index.js';
import { Random } from '../sim/random.js';

/** What the threads of a churn share: a count at each place. */
export const ChurnCount = { cycles: 0, ended: 1, problems: 2, stop: 3 } as const;

export interface ChurnWorkerData {
  readonly seed: number;
  /** Where this thread listens. */
  readonly uri: string;
  /** Where all of them do; each connects to the others. Empty: this thread only listens. */
  readonly uris: readonly string[];
  /** See {@link ChurnCount}. */
  readonly counts: Int32Array;
}

/** What may come of a connection to a thread that is terminated, or is being replaced. */
const expected = new Set([
  'ERR_HEDDLE_CLOSED',
  'ERR_HEDDLE_DISCONNECTED',
  'ERR_HEDDLE_FLUSHED',
  'ERR_HEDDLE_REFUSED',
  'ERR_HEDDLE_TIMEOUT',
  'ERR_HEDDLE_INVALID_STATE',
]);

/** Listens, and makes links to the others and loses them, one after the other, until it is told to stop. */
export default async function main(context: Context, data: ChurnWorkerData): Promise<string> {
  const { counts, seed, uri, uris } = data;
  const random = new Random(seed);
  const problem = (what: string, error: unknown) => {
    if (Atomics.add(counts, ChurnCount.problems, 1) < 5) console.error(`${uri}: ${what}`, error);
  };
  context.on('report', (error) => {
    if (!(error instanceof HeddleError) || !expected.has(error.code)) problem('reported', error);
  });
  const server = await context.listen(uri, { onRequest: (message) => message.takeBuffer() ?? message.value });
  const others = uris.filter((other) => other !== uri);
  const lane = async () => {
    while (others.length > 0 && Atomics.load(counts, ChurnCount.stop) === 0) {
      try {
        await cycle(context, random, random.pick(others));
        Atomics.add(counts, ChurnCount.cycles, 1);
      } catch (error) {
        if (Atomics.load(counts, ChurnCount.stop) === 1) return;
        if (!(error instanceof HeddleError) || !expected.has(error.code)) problem('failed', error);
        Atomics.add(counts, ChurnCount.ended, 1);
        // Who is not there yet will be soon: not at once again.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  for (let number = 0; number < 2; number++) void lane();
  return server.uri;
}

/** A connection's life: a few requests, small ones and large ones, and one of its ends. */
async function cycle(context: Context, random: Random, uri: string): Promise<void> {
  const connection: Connection = await context.connect(uri, { options: { requestTimeoutMs: 20_000 } });
  const requests = Array.from({ length: random.integer(1, 4) }, async (_, number) => {
    // Held still where the request failed before it was sent.
    using buffer = number % 2 === 0 ? undefined : context.allocate(100_000);
    const response = await connection.request(buffer ?? { number });
    response.takeBuffer()?.release();
    response.release();
  });
  // Some are cut off in the middle.
  if (random.chance(0.2)) {
    await requests[0]?.catch(() => {});
    connection.destroy();
    await Promise.allSettled(requests);
  } else {
    const failed = (await Promise.allSettled(requests)).find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await connection.close();
  }
}
