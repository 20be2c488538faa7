import type { HeddleError } from '../../errors.js';
import type { Connection } from './connection.js';
import type { RegionClient, RegionQuestion } from './region-client.js';
import { cancelledError, type RegionTask } from './remote-region.js';

/** What is asked, without who waits for it. */
type Question = Omit<RegionQuestion, 'onDone' | 'onError'> & Partial<Pick<RegionTask, 'timeoutMs' | 'signal'>>;

/**
 * Asks the peer; settles by its answer, the deadline, the signal, or the connection's end. `take` makes the result of the
 * answer, and `onFailure` learns of an error, before anything else arrives.
 */
export function askPeer<Result>(
  connection: Connection,
  client: RegionClient,
  question: Question,
  take: (before: bigint, answer: Buffer) => Result,
  onFailure: (error: HeddleError) => void = () => {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const { timeoutMs = connection.options.requestTimeoutMs, signal } = question;
    const settle = () => {
      signal?.removeEventListener('abort', onAbort);
      connection.host.endTurnSoon();
    };
    const onAbort = () => client.cancel(id, cancelledError(signal?.reason));
    const onDone = (before: bigint, answer: Buffer) => {
      settle();
      try {
        resolve(take(before, answer));
      } catch (error) {
        reject(error);
      }
    };
    const onError = (error: HeddleError) => {
      settle();
      onFailure(error);
      reject(error);
    };
    const id = client.ask({ ...question, onDone, onError }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
