import type { Clock } from '../../clock.js';
import type { Transport } from '../../transports/transport.js';
import type { StatisticsBlock } from '../observe/statistics.js';
import { counterIndex } from '../observe/statistics-layout.js';

/** What a duty cycle is told when it is made; all but the functions can be changed while it runs. */
export interface DutyCycleOptions {
  /** How long to go on polling after the last record before sleeping: the upper bound of what adapts, in µs. 0: sleep at once. */
  pollingMicros: number;
  /** How long one turn may run before other events of the thread have their chance, in µs. */
  turnBudgetMicros: number;
  /** No turns but those that the user asks for by `poll()`. */
  manualPolling: boolean;
}

/** What a duty cycle runs. */
export interface DutyCycleWork {
  readonly clock: Clock;
  readonly statistics: StatisticsBlock;
  readonly transports: () => readonly Transport[];
  /** Makes visible what was placed since the last call. */
  publish(): void;
  /** Something happened: the context is not idle. */
  onActivity(): void;
}

/** A user's or an actor system's share of each turn: returns whether it has more to do. */
export type TurnWork = () => boolean;

/** Records that one poll takes at the most, so that a busy link does not hold up the others, nor the publishing. */
const pollBudgetRecords = 256;
/** Polls without result that one turn makes before it gives the event loop its chance: about a microsecond's worth. */
const emptyPollsPerTurn = 100;
/** Where the adaptive polling time begins, and the least that it goes down to, in µs. */
const initialPollingMicros = 20;
const leastPollingMicros = 2;

/**
 * A context that is woken within this time of falling asleep should have polled on. Most of such a short sleep is the
 * doorbell's own latency, and in a conversation the peer's as well: tens of µs each that polling would have spared.
 */
const quickWakeMicros = 200;

/**
 * One context's share of its thread: polls the transports, runs registered work, publishes what was sent, and gives way to
 * the thread's other events in between. When nothing comes for a while it sleeps in the event loop until a peer wakes it.
 *
 * How long "a while" is adapts: it grows when a peer woke the context soon after it had gone to sleep, since polling on
 * would have been faster for both, and shrinks when polling was in vain.
 */
export class DutyCycle {
  readonly options: DutyCycleOptions;
  readonly #work: DutyCycleWork;
  readonly #statistics: StatisticsBlock;
  readonly #turnWork: TurnWork[] = [];
  readonly #turn = () => this.#runScheduledTurn();
  readonly #publishAfterMicrotasks = () => process.nextTick(this.#publishNow);
  readonly #publishNow = () => {
    this.#publishRequested = false;
    this.#work.publish();
  };
  readonly #sleepWaiters = new Set<() => void>();
  #immediate: NodeJS.Immediate | undefined;
  #turnDepth = 0;
  #endSoon = false;
  #publishRequested = false;
  #isAsleep = false;
  #isStopped = true;
  #adaptedMicros = initialPollingMicros;
  #lastActivityMicros = 0;
  #sleptAtMicros = 0;

  constructor(options: DutyCycleOptions, work: DutyCycleWork) {
    this.options = options;
    this.#work = work;
    this.#statistics = work.statistics;
  }

  /** Whether the context waits in the event loop for a peer. */
  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  start(): void {
    this.#isStopped = false;
    this.#lastActivityMicros = this.#work.clock.nowMicros();
    if (!this.options.manualPolling) this.#schedule();
  }

  /** Polls by itself from now on: its owner, who polled by hand, wants to stop. */
  takeOver(): void {
    if (!this.options.manualPolling) return;
    this.options.manualPolling = false;
    this.#endSleep();
    if (!this.#isStopped) this.#schedule();
  }

  /** Stops for good. */
  stop(): void {
    this.#isStopped = true;
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#endSleep();
    for (const wake of [...this.#sleepWaiters]) wake();
  }

  /** Adds something that is run in every turn, and keeps the context awake while it has more to do. */
  addWork(work: TurnWork): void {
    this.#turnWork.push(work);
    this.wake();
  }

  /** Ends the context's sleep, or keeps it from falling asleep: something is about to come. */
  wake(): void {
    if (this.#isStopped) return;
    for (const wake of [...this.#sleepWaiters]) wake();
    if (this.options.manualPolling || !this.#isAsleep) return;
    this.#endSleep();
    this.#schedule();
  }

  /** A transport woke the context: a peer has published. The turn runs at once, not an event loop turn later. */
  wakeFromTransport(): void {
    if (this.#isStopped || this.options.manualPolling || !this.#isAsleep) {
      this.wake();
      return;
    }
    const asleepMicros = this.#work.clock.nowMicros() - this.#sleptAtMicros;
    if (asleepMicros < quickWakeMicros) {
      this.#adaptedMicros = Math.min(this.#adaptedMicros * 2, this.options.pollingMicros);
    }
    this.#statistics.numbers[counterIndex.wakeUps]++;
    this.#endSleep();
    if (this.#turnDepth > 0) this.#schedule();
    else this.#runScheduledTurn();
  }

  /** The turn that runs should end as soon as it can: a promise was settled whose reactions wait for that. */
  endTurnSoon(): void {
    this.#endSoon = true;
  }

  /** Sees to it that what was placed is published: at the end of the turn, or after the microtasks of this callback. */
  requestPublish(): void {
    if (this.#turnDepth > 0 || this.#publishRequested) return;
    this.#publishRequested = true;
    // A nextTick queued from a microtask runs when the microtask queue is empty: all of this callback's sends are in.
    queueMicrotask(this.#publishAfterMicrotasks);
  }

  /** For transports whose records arrive in callbacks of the event loop: sends are gathered until `leaveTurn`. */
  enterTurn(): void {
    this.#turnDepth++;
  }

  leaveTurn(): void {
    if (this.#turnDepth === 1) {
      this.#runTurnWork();
      this.#work.publish();
      this.#work.onActivity();
    }
    this.#turnDepth--;
    if (this.#isAsleep && this.#hasTurnWork) this.wake();
  }

  /** One poll of everything, with the work and the publishing that go with it. Returns the records delivered. */
  poll(): number {
    if (this.#turnDepth > 0 || this.#isStopped) return 0;
    this.#turnDepth = 1;
    try {
      return this.#pollOnce();
    } finally {
      this.#turnDepth = 0;
    }
  }

  /** Resolves when a peer has published something, or `timeoutMs` has passed: true and false. For manual polling. */
  async waitForWork(timeoutMs: number): Promise<boolean> {
    if (this.#isStopped) return false;
    if (this.#hasTurnWork || !this.#beginSleep()) return true;
    return new Promise((resolve) => {
      const finish = (woken: boolean) => {
        this.#sleepWaiters.delete(wake);
        timer.cancel();
        this.#endSleep();
        // Awake, a peer does not wake it again: a context that is not polled by hand has to poll on by itself.
        if (!this.options.manualPolling && !this.#isStopped) this.#schedule();
        resolve(woken);
      };
      const wake = () => finish(true);
      const timer = this.#work.clock.setTimer(timeoutMs, () => finish(false));
      this.#sleepWaiters.add(wake);
    });
  }

  #hasTurnWork = false;

  #runTurnWork(): void {
    let hasMore = false;
    for (const work of this.#turnWork) if (work()) hasMore = true;
    this.#hasTurnWork = hasMore;
  }

  #pollOnce(): number {
    let records = 0;
    const transports = this.#work.transports();
    for (let index = 0; index < transports.length; index++) records += transports[index].poll(pollBudgetRecords);
    if (this.#turnWork.length > 0) this.#runTurnWork();
    this.#work.publish();
    const numbers = this.#statistics.numbers;
    numbers[counterIndex.polls]++;
    if (records === 0) numbers[counterIndex.emptyPolls]++;
    return records;
  }

  #runScheduledTurn(): void {
    this.#immediate = undefined;
    if (this.#isStopped) return;
    const { clock } = this.#work;
    const startedMicros = clock.nowMicros();
    const { turnBudgetMicros } = this.options;
    this.#endSoon = false;
    this.#turnDepth = 1;
    let worked = false;
    let emptyPolls = 0;
    try {
      do {
        if (this.#pollOnce() > 0 || this.#hasTurnWork) {
          worked = true;
          emptyPolls = 0;
          if (this.#endSoon || clock.nowMicros() - startedMicros >= turnBudgetMicros) break;
        } else emptyPolls++;
      } while (emptyPolls < emptyPollsPerTurn && !this.#isStopped);
    } finally {
      this.#turnDepth = 0;
      this.#finishTurn(worked, startedMicros);
    }
  }

  #finishTurn(worked: boolean, startedMicros: number): void {
    if (this.#isStopped) return;
    if (worked) {
      this.#lastActivityMicros = startedMicros;
      this.#work.onActivity();
    } else if (startedMicros - this.#lastActivityMicros >= Math.min(this.#adaptedMicros, this.options.pollingMicros)) {
      if (this.#beginSleep()) {
        // This time of polling was in vain.
        this.#adaptedMicros = Math.max(leastPollingMicros, this.#adaptedMicros * 0.9);
        return;
      }
    }
    this.#schedule();
  }

  #schedule(): void {
    this.#immediate ??= setImmediate(this.#turn);
  }

  #beginSleep(): boolean {
    const transports = this.#work.transports();
    for (let index = 0; index < transports.length; index++) {
      if (transports[index].beginSleep()) continue;
      while (index-- > 0) transports[index].endSleep();
      return false;
    }
    this.#isAsleep = true;
    this.#sleptAtMicros = this.#work.clock.nowMicros();
    this.#statistics.numbers[counterIndex.sleeps]++;
    return true;
  }

  #endSleep(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    for (const transport of this.#work.transports()) transport.endSleep();
    this.#lastActivityMicros = this.#work.clock.nowMicros();
  }
}
