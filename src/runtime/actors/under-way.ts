import type { Clock } from '../../clock.js';
import type { HeddleError } from '../../errors.js';
import type { Origin } from './mailbox.js';

/** How long a stop waits for handlers, and then for `onStop`. */
export const stopTimeoutOf = ({ stopTimeoutMs = 5000 }: { readonly stopTimeoutMs?: number | undefined }) =>
  stopTimeoutMs;

/** The handlers of one actor whose promises are pending, and who asked for what they give. */
export class UnderWay {
  count = 0;
  /** Those of earlier states, too: what they give is a reply still. */
  readonly #asks = new Set<Origin>();
  #onNone: (() => void) | undefined;

  begin(origin: Origin | undefined): void {
    this.count++;
    if (origin?.isAsk === true) this.#asks.add(origin);
  }

  /** A promise has been settled, be it of an earlier state's handler: who asked is about to have the result. */
  settle(origin: Origin | undefined): void {
    if (origin?.isAsk === true) this.#asks.delete(origin);
  }

  end(): void {
    if (--this.count === 0) this.#onNone?.();
  }

  /** The actor begins anew: those of before hold up nothing any more. */
  forget(): void {
    this.count = 0;
  }

  /**
   * Nobody waits for handlers any more: who asked gets the error. A handler that ends because the state did, as one that
   * has offloaded something does, has the last word: it has until the next turn of the event loop.
   */
  abandon(error: HeddleError): void {
    if (this.#asks.size === 0) return;
    setImmediate(() => {
      const asks = [...this.#asks];
      this.#asks.clear();
      for (const ask of asks) ask.abandon(error);
    });
  }

  /** Calls back when none is pending, or after so long. */
  wait(clock: Clock, timeoutMs: number, callback: () => void): void {
    const finish = () => {
      timer.cancel();
      this.#onNone = undefined;
      callback();
    };
    const timer = clock.setTimer(timeoutMs, finish);
    this.#onNone = finish;
  }
}
