import type { Clock } from '../../clock.js';

/** How long a stop waits for handlers, unless the definition says otherwise. */
const defaultStopTimeoutMs = 5000;

/** The handlers of one actor whose promises are pending. */
export class UnderWay {
  count = 0;
  #onNone: (() => void) | undefined;

  begin(): void {
    this.count++;
  }

  end(): void {
    if (--this.count === 0) this.#onNone?.();
  }

  /** The actor begins anew: those of before hold up nothing any more. */
  forget(): void {
    this.count = 0;
  }

  /** Calls back when none is pending, or after so long. */
  wait(clock: Clock, timeoutMs: number | undefined, callback: () => void): void {
    const finish = () => {
      timer.cancel();
      this.#onNone = undefined;
      callback();
    };
    const timer = clock.setTimer(timeoutMs ?? defaultStopTimeoutMs, finish);
    this.#onNone = finish;
  }
}
