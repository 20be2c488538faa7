import type { Clock, Timer } from '../../clock.js';
import type { Cell } from './cell.js';
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
  /** It serves no longer: the actor has gone, or the connection that this lane counted for. */
  isStale = false;
  /** The last message's name, and its number on the connection: the next one is often called the same. */
  lastName = '';
  lastNameNumber = -1;
  readonly #waiters: (() => void)[] = [];

  /** The receiver has taken so many messages out. True when somebody was waiting for it. */
  taken(count: number): boolean {
    this.inFlight = Math.max(0, this.inFlight - count);
    return this.inFlight < laneHighWater && this.release();
  }

  close(): void {
    this.isClosed = true;
    this.retire();
  }

  /** Nothing is reported on it any more: who waits for room need not, and the next message goes by another lane. */
  retire(): void {
    this.isStale = true;
    this.inFlight = 0;
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

/** How long what was taken may go unreported: for who looks at how much waits. */
const reportAfterMs = 20;

/** The receiving end of a lane: an origin that counts what leaves the mailbox. */
export class LaneEnd implements Origin {
  readonly isAsk = false;
  readonly isCancelled = false;
  readonly signal = undefined;
  /** Messages of this lane in the mailbox. */
  waiting = 0;
  readonly cell: Cell;
  #unreported = 0;
  #timer: Timer | undefined;
  readonly #clock: Clock;
  readonly #report: (count: number) => void;

  constructor(cell: Cell, clock: Clock, report: (count: number) => void) {
    this.cell = cell;
    this.#clock = clock;
    this.#report = report;
  }

  onTaken(): void {
    this.waiting--;
    if (++this.#unreported >= laneReportEvery) this.#reportNow();
    // One timer serves many messages: it stays armed while reports are made by number.
    else if (this.#timer === undefined) this.#arm();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(
      reportAfterMs,
      () => {
        this.#timer = undefined;
        if (this.#unreported > 0) this.#reportNow();
      },
      true,
    );
  }

  #reportNow(): void {
    const count = this.#unreported;
    this.#unreported = 0;
    this.#report(count);
  }

  /** The actor has gone, or who sent to it. */
  close(): void {
    this.#timer?.cancel();
  }

  reply(): void {}
  replyError(): void {}
  abandon(): void {}
}
