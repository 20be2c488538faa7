import { performance } from 'node:perf_hooks';

/** A timer that has been set and not yet fired. */
export interface Timer {
  /** Keeps the timer from firing; harmless once it has fired. */
  cancel(): void;
}

/**
 * Time as the runtime sees it. Everything that waits takes its time from here, so that a test can run the same
 * logic under a simulated clock.
 */
export interface Clock {
  /** Monotonic microseconds, the same for all threads of a process. */
  nowMicros(): number;
  /**
   * Calls back once, `delayMs` from now. A timer keeps the process alive unless `background` says that nothing
   * depends on it (a keepalive probe on an idle connection, say).
   */
  setTimer(delayMs: number, callback: () => void, background?: boolean): Timer;
}

/** `performance.now()` counts from the start of its thread; hrtime is the same for all threads of the process. */
const threadOffsetMicros = measureThreadOffset();

function measureThreadOffset(): number {
  // The first call takes longer than others: it must not fall between the two readings.
  performance.now();
  return Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000;
}

/** Longest time, in milliseconds, that a timer of Node.js can be set to: past it, it fires at once. Options go no further. */
export const longestTimerMs = 2 ** 31 - 1;

class NodeTimer implements Timer {
  #timeout: NodeJS.Timeout;
  constructor(delayMs: number, callback: () => void, background: boolean) {
    this.#timeout =
      delayMs > longestTimerMs ? this.#wait(delayMs, callback, background) : setTimeout(callback, delayMs);
    if (background) this.#timeout.unref();
  }
  /** Apart, since a function that makes closures allocates for them, even when it makes none. */
  #wait(delayMs: number, callback: () => void, background: boolean): NodeJS.Timeout {
    return setTimeout(() => {
      const leftMs = delayMs - longestTimerMs;
      this.#timeout = leftMs > longestTimerMs ? this.#wait(leftMs, callback, background) : setTimeout(callback, leftMs);
      if (background) this.#timeout.unref();
    }, longestTimerMs);
  }
  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMicros: () => performance.now() * 1000 + threadOffsetMicros,
  setTimer: (delayMs, callback, background = false) => new NodeTimer(delayMs, callback, background),
};
