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
  /** Whether more contexts of the process want a core than there are: polling in vain then takes it from another. */
  isCrowded(): boolean;
  /** Something happened: the context is not idle. */
  onActivity(): void;
  /** The context falls asleep, for how long nobody knows. */
  onSleep(): void;
}

/** A user's or an actor system's share of each turn: returns whether it has more to do. */
export type TurnWork = () => boolean;

/**
 * About so many records, or messages in them, one poll takes at the most, so that a busy link does not hold up the
 * others, nor the publishing.
 */
const pollBudgetRecords = 256;
/** How long one turn polls without result before it gives the event loop its chance, in µs; looked at every few polls. */
const emptyPollingMicros = 5;
const emptyPollsPerLook = 16;
/** How long a context keeps its core, when there are not enough of them, before it lets another have it, in µs. */
const crowdedSliceMicros = 200;
/** Nobody changes it: waiting on it, with a time limit, is how a thread gives up its core. */
const neverNotified = new Int32Array(new SharedArrayBuffer(4));
const shortestWaitMs = 0.001;
/** A polling time that has shrunk below this is none at all, in µs. */
const leastPollingMicros = 4;
/** After so many short sleeps a context that does not poll tries it again; the number doubles while that fails. */
const firstProbeAfterSleeps = 16;
const lastProbeAfterSleeps = 256;
/** How often one turn goes on behind the reactions of promises that it settled: a clock may stand still, in a test. */
const maximumContinuations = 1000;
/** Microtasks that the turn leaves to a chain of reactions that has not led to anything to do yet, before it ends. */
const reactionHops = 3;
const settled = Promise.resolve();
/** A sleep that a peer ended within this time was short: polling might have spared the doorbell's latency. */
const quickWakeMicros = 200;

/**
 * One context's share of its thread: polls the transports, runs registered work, publishes what was sent, and gives way to
 * the thread's other events in between. When nothing comes for a while it sleeps in the event loop until a peer wakes it.
 *
 * How long "a while" is adapts to whether polling pays. It doubles when something came while the context polled, and
 * halves, down to none, when the context polled in vain: nothing was on its way, or the peer shares this core and could not
 * run because of the polling. From none it is tried again now and then while sleeps are short.
 */
export class DutyCycle {
  readonly options: DutyCycleOptions;
  readonly #work: DutyCycleWork;
  readonly #statistics: StatisticsBlock;
  readonly #turnWork: TurnWork[] = [];
  readonly #turn = () => this.#runScheduledTurn(this.#work.clock.nowMicros());
  readonly #continuation = () => this.#continueTurn();
  readonly #publishAfterMicrotasks = () => process.nextTick(this.#publishNow);
  readonly #publishNow = () => {
    this.#publishRequested = false;
    this.#work.publish();
  };
  readonly #sleepWaiters = new Set<() => void>();
  #immediate: NodeJS.Immediate | undefined;
  #turnDepth = 0;
  #turnStartedMicros = 0;
  #turnWorked = false;
  #continuations = 0;
  /** Continuations in a row in which there was nothing to do. */
  #emptyContinuations = 0;
  #endSoon = false;
  #publishRequested = false;
  #isAsleep = false;
  #isStopped = true;
  #adaptedMicros: number;
  #shortSleeps = 0;
  #probeAfterSleeps = firstProbeAfterSleeps;
  #isProbing = false;
  #lastActivityMicros = 0;
  #sleptAtMicros = 0;
  #sliceStartedMicros = 0;
  /** Turns in which nothing came, since the last one in which something did. */
  #idleTurns = 0;
  /** What came last came in a callback: only the event loop tells of the next. */
  #comesByCallback = false;

  constructor(options: DutyCycleOptions, work: DutyCycleWork) {
    this.options = options;
    this.#adaptedMicros = options.pollingMicros;
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
    if (this.#sleepWaiters.size > 0) for (const wake of [...this.#sleepWaiters]) wake();
    if (this.options.manualPolling || !this.#isAsleep) return;
    this.#endSleep();
    this.#schedule();
  }

  /**
   * A response will come. Where polling has paid lately the context polls for it; where it has not, it stays asleep: a
   * peer that has to be woken answers after tens of µs, in which two threads that poll only keep each other from a core.
   */
  expect(): void {
    if (this.#isAsleep && this.#adaptedMicros > 0) this.wake();
  }

  /** A transport woke the context: a peer has published. The turn runs at once, not an event loop turn later. */
  wakeFromTransport(): void {
    if (this.#isStopped || this.options.manualPolling || !this.#isAsleep) {
      this.wake();
      return;
    }
    this.#statistics.numbers[counterIndex.wakeUps]++;
    const nowMicros = this.#work.clock.nowMicros();
    this.#countSleep(nowMicros - this.#sleptAtMicros);
    this.#endSleep(nowMicros);
    if (this.#turnDepth > 0) this.#schedule();
    else this.#runScheduledTurn(nowMicros);
  }

  /** The turn that runs should end as soon as it can: a promise was settled whose reactions wait for that. */
  endTurnSoon(): void {
    this.#endSoon = true;
  }

  /** In a turn that has more to do: peers that wait can begin with what was sent so far. */
  publishEarly(): void {
    this.#work.publish();
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
      this.#cameByCallback();
    }
    this.#turnDepth--;
    if (this.#isAsleep && this.#hasTurnWork) this.wake();
  }

  /** One poll of everything, with the work and the publishing that go with it. Returns how many records were delivered. */
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

  /**
   * What comes in callbacks pays for polling as what is found in rings does: an event loop that goes round is told of the
   * next bytes at once, where one that sleeps in the kernel waits to be given a core first.
   */
  #cameByCallback(): void {
    if (this.#isStopped || this.options.manualPolling) return;
    const nowMicros = this.#work.clock.nowMicros();
    this.#comesByCallback = true;
    if (this.#isAsleep) {
      this.#countSleep(nowMicros - this.#sleptAtMicros);
      // Where polling does not pay the context sleeps on, and this was the end of one sleep and the beginning of another.
      this.#sleptAtMicros = nowMicros;
      if (this.#adaptedMicros === 0 || this.#sleepWaiters.size > 0) return;
      this.#endSleep(nowMicros);
      this.#schedule();
    } else {
      if (this.#idleTurns > 0) this.#pollingPaid();
      this.#idleTurns = 0;
      this.#lastActivityMicros = nowMicros;
    }
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
    this.#statistics.recordPoll(records);
    return records;
  }

  #runScheduledTurn(nowMicros: number): void {
    this.#immediate = undefined;
    if (this.#isStopped) return;
    this.#turnStartedMicros = nowMicros;
    this.#turnWorked = false;
    this.#continuations = 0;
    this.#runTurn(false);
  }

  /** A microtask behind the reactions that the turn was interrupted for. */
  #continueTurn(): void {
    // What ran in between may have ended the context, or begun another turn: that one goes on, and ends.
    if (this.#isStopped || this.#turnDepth > 0 || this.#isAsleep || this.#immediate !== undefined) return;
    this.#runTurn(true);
  }

  #runTurn(isContinued: boolean): void {
    const { clock } = this.#work;
    const startedMicros = this.#turnStartedMicros;
    const { turnBudgetMicros } = this.options;
    this.#endSoon = false;
    this.#turnDepth = 1;
    let emptyPolls = 0;
    let goesOn = false;
    let hasBegun = !isContinued;
    try {
      for (;;) {
        const isIdle = this.#pollOnce() === 0 && !this.#hasTurnWork;
        if (!isIdle) {
          this.#turnWorked = true;
          hasBegun = true;
          emptyPolls = 0;
          this.#comesByCallback = false;
        }
        if (this.#endSoon) {
          this.#emptyContinuations = 0;
          goesOn = clock.nowMicros() - startedMicros < turnBudgetMicros;
          break;
        }
        if (!isIdle) {
          if (this.#isStopped || clock.nowMicros() - startedMicros >= turnBudgetMicros) break;
        } else if (!hasBegun) {
          goesOn = ++this.#emptyContinuations < reactionHops;
          break;
        } else {
          emptyPolls++;
          if (this.#adaptedMicros === 0 || this.#comesByCallback) break;
          if (emptyPolls % emptyPollsPerLook !== 0) continue;
          if (this.#isStopped || clock.nowMicros() - startedMicros >= emptyPollingMicros || this.#work.isCrowded())
            break;
        }
      }
    } finally {
      this.#turnDepth = 0;
      if (goesOn && !this.#isStopped && this.#continuations < maximumContinuations) {
        this.#continuations++;
        // A turn of the event loop would let the reactions run as well, and costs as much as several messages.
        settled.then(this.#continuation);
      } else this.#finishTurn(this.#turnWorked, startedMicros);
    }
  }

  #finishTurn(worked: boolean, startedMicros: number): void {
    if (this.#isStopped) return;
    const isCrowded = this.#work.isCrowded();
    if (worked) {
      if (this.#idleTurns > 0) this.#pollingPaid();
      this.#idleTurns = 0;
      this.#lastActivityMicros = startedMicros;
      this.#work.onActivity();
      if (isCrowded) this.#shareCore();
    } else this.#idleTurns++;
    const pollingMicros = isCrowded ? 0 : Math.min(this.#adaptedMicros, this.options.pollingMicros);
    const isOver = pollingMicros === 0 || (!worked && startedMicros - this.#lastActivityMicros >= pollingMicros);
    if (!isOver || this.#hasTurnWork || !this.#beginSleep()) {
      this.#schedule();
      return;
    }
    if (this.#idleTurns > 0 && pollingMicros > 0) this.#pollingWasInVain();
    this.#idleTurns = 0;
  }

  /**
   * Contexts that keep each other busy never sleep, and would hold their cores for the milliseconds that the operating
   * system's scheduler lets them, while others wait with requests to answer. So each gives its core up now and then: the
   * shortest wait there is ends some 50 µs later, or when the others have had theirs.
   */
  #shareCore(): void {
    const nowMicros = this.#work.clock.nowMicros();
    if (nowMicros - this.#sliceStartedMicros < crowdedSliceMicros) return;
    Atomics.wait(neverNotified, 0, 0, shortestWaitMs);
    this.#sliceStartedMicros = this.#work.clock.nowMicros();
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
    this.#work.onSleep();
    this.#isAsleep = true;
    this.#sleptAtMicros = this.#work.clock.nowMicros();
    this.#statistics.numbers[counterIndex.sleeps]++;
    return true;
  }

  /** Something came while the context polled. */
  #pollingPaid(): void {
    this.#adaptedMicros = Math.min(Math.max(leastPollingMicros, this.#adaptedMicros * 2), this.options.pollingMicros);
    this.#probeAfterSleeps = firstProbeAfterSleeps;
    this.#isProbing = false;
  }

  /** The context has polled for its time, and nothing came. */
  #pollingWasInVain(): void {
    if (this.#isProbing) {
      this.#isProbing = false;
      this.#adaptedMicros = 0;
      this.#probeAfterSleeps = Math.min(this.#probeAfterSleeps * 2, lastProbeAfterSleeps);
    } else this.#adaptedMicros = this.#adaptedMicros < 2 * leastPollingMicros ? 0 : this.#adaptedMicros / 2;
  }

  /** A peer has ended the context's sleep. */
  #countSleep(asleepMicros: number): void {
    if (this.#adaptedMicros > 0) return;
    // A long one takes half of the count, not all: a pause of the peer's garbage collector or of the system's scheduler comes
    // in between now and then, and would keep two contexts that talk all the time from ever polling again.
    this.#shortSleeps = asleepMicros < quickWakeMicros ? this.#shortSleeps + 1 : this.#shortSleeps >> 1;
    if (this.#shortSleeps < this.#probeAfterSleeps) return;
    this.#shortSleeps = 0;
    this.#isProbing = true;
    this.#adaptedMicros = this.options.pollingMicros;
  }

  #endSleep(nowMicros: number = this.#work.clock.nowMicros()): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#sliceStartedMicros = nowMicros;
    this.#lastActivityMicros = nowMicros;
    for (const transport of this.#work.transports()) transport.endSleep();
  }
}
