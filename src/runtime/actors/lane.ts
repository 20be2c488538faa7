import type { Origin } from './mailbox.js';

/** Messages that one context may have on their way to, or waiting at, one actor of another. */
export const laneWindow = 4096;
/** From this many on, `tell` says to slow down. */
export const laneHighWater = laneWindow / 2;
/** So many messages taken out of the mailbox are reported together. */
export const laneReportEvery = laneWindow / 8;

/**
 * What a context knows of its messages to one actor of another context: how many are on their way or wait there. The
 * receiving context reports those that have left the mailbox; so a slow actor holds up who sends to it, and nobody else.
 */
export class Lane {
  /** Sent and not reported as taken. */
  inFlight = 0;
  /** The actor has gone: what is sent to it would be in vain. */
  isClosed = false;
  readonly #waiters: (() => void)[] = [];

  /** The receiver has taken so many messages out. True when somebody was waiting for it. */
  taken(count: number): boolean {
    this.inFlight = Math.max(0, this.inFlight - count);
    return this.inFlight < laneHighWater && this.release();
  }

  close(): void {
    this.isClosed = true;
    this.release();
  }

  /** Calls back when there is room again. */
  wait(callback: () => void): void {
    this.#waiters.push(callback);
  }

  release(): boolean {
    if (this.#waiters.length === 0) return false;
    for (const callback of this.#waiters.splice(0)) callback();
    return true;
  }
}

/** The receiving end of a lane: an origin that counts what leaves the mailbox. */
export class LaneEnd implements Origin {
  readonly isAsk = false;
  #unreported = 0;
  readonly #report: (count: number) => void;

  constructor(report: (count: number) => void) {
    this.#report = report;
  }

  onTaken(): void {
    if (++this.#unreported < laneReportEvery) return;
    this.#report(this.#unreported);
    this.#unreported = 0;
  }

  reply(): void {}
  replyError(): void {}
}
