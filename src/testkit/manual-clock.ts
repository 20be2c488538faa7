import type { Clock, Timer } from '../clock.js';
import { describe, HeddleError } from '../errors.js';

interface ManualTimer {
  readonly atMicros: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is told to go on: what waits for it fires in the order of its times, without any real
 * waiting. `createTestKit({ manualTime: true })` makes one for a system's actors; it serves as well wherever a
 * {@link Clock} is taken.
 *
 * @example
 * const clock = new ManualClock();
 * clock.setTimer(1000, () => console.log('a second later'));
 * clock.advance(1000);
 */
export class ManualClock implements Clock {
  #nowMicros = 0;
  /** In the order in which they are due; those of one time in the order in which they were set. */
  readonly #timers: ManualTimer[] = [];

  /** Milliseconds since the clock was made, by itself. */
  get nowMs(): number {
    return this.#nowMicros / 1000;
  }

  /** Timers that are set. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /** Milliseconds until the next timer is due; undefined when none is set. */
  get nextTimerMs(): number | undefined {
    const next = this.#timers[0];
    return next === undefined ? undefined : Math.max(0, next.atMicros - this.#nowMicros) / 1000;
  }

  /** Microseconds since the clock was made, by itself. */
  nowMicros(): number {
    return this.#nowMicros;
  }

  /** Calls back once, when the clock has been moved past `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer: ManualTimer = { atMicros: this.#nowMicros + Math.max(0, delayMs) * 1000, callback };
    const timers = this.#timers;
    let index = timers.length;
    while (index > 0 && timers[index - 1]!.atMicros > timer.atMicros) index--;
    timers.splice(index, 0, timer);
    return {
      cancel: () => {
        const at = timers.indexOf(timer);
        if (at >= 0) timers.splice(at, 1);
      },
    };
  }

  /**
   * Moves the clock on and calls back what is due by then, timers set meanwhile among it. What actors do about that comes
   * later, in turns of their own: for actors use {@link TestKit.advance}, which lets them come to rest in between.
   *
   * @throws ERR_HEDDLE_INVALID_ARGUMENT unless `durationMs` is 0 or more, and finite
   */
  advance(durationMs: number): void {
    const untilMicros = this.timeAfter(durationMs);
    while (this.fireNext(untilMicros));
    this.moveTo(untilMicros);
  }

  /** @internal The time that is `durationMs` from now, in µs. */
  timeAfter(durationMs: number): number {
    if (!(durationMs >= 0) || durationMs === Infinity) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `time goes forward only: durationMs must be a number from 0 on, not ${describe(durationMs)}`,
        { details: { durationMs } },
      );
    }
    return this.#nowMicros + durationMs * 1000;
  }

  /** @internal Moves on to the next timer and calls it, unless it is due after `untilMicros`. */
  fireNext(untilMicros: number): boolean {
    const timer = this.#timers[0];
    if (timer === undefined || timer.atMicros > untilMicros) return false;
    this.#timers.shift();
    this.moveTo(timer.atMicros);
    timer.callback();
    return true;
  }

  /** @internal */
  moveTo(micros: number): void {
    this.#nowMicros = Math.max(this.#nowMicros, micros);
  }
}
