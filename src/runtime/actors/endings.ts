import type { Clock } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { promiseOf } from '../message/thenable.js';

/** What is to be done when an actor's state comes to its end, at a stop or a restart. */
export class Endings {
  #endings = new Set<() => void>();

  /** Returns what takes it back. */
  add(ending: () => void): () => void {
    this.#endings.add(ending);
    return () => void this.#endings.delete(ending);
  }

  run(): void {
    const endings = this.#endings;
    this.#endings = new Set();
    for (const ending of endings) ending();
  }
}

/** Calls an actor's `onStop`, and then, whatever came of it, `next`: when its promise has settled, or after so long. */
export function callOnStop(
  call: () => unknown,
  clock: Clock,
  timeoutMs: number,
  report: (error: unknown) => void,
  next: () => void,
): void {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    report(error);
  }
  const promise = promiseOf(result);
  if (promise === undefined) {
    next();
    return;
  }
  let isOver = false;
  const finish = () => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    next();
  };
  const timer = clock.setTimer(timeoutMs, () => {
    report(new HeddleError('ERR_HEDDLE_TIMEOUT', `onStop did not end in time: stopTimeoutMs=${timeoutMs}`));
    finish();
  });
  promise.then(finish, (error: unknown) => {
    report(error);
    finish();
  });
}
