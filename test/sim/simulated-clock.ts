import type { Clock, Timer } from '../../src/clock.js';

interface ScheduledEvent {
  readonly atMicros: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * Virtual time: a queue of events, run in the order of their times, those of one time in the order of scheduling.
 * Between two events all promise reactions run, so that a run is the same each time.
 */
export class Simulation {
  nowMicros = 0;
  /** Events that have run. */
  eventCount = 0;
  readonly #heap: ScheduledEvent[] = [];
  #order = 0;
  /** Called after each event and its promise reactions. */
  afterEvent: () => void = () => {};

  /** Calls back `delayMicros` from now; the function returned takes that back. */
  schedule(delayMicros: number, run: () => void): () => void {
    const event: ScheduledEvent = { atMicros: this.nowMicros + delayMicros, order: this.#order++, run };
    this.#push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Runs events up to `untilMicros`, or until none is left. Fails after `maximumEvents`: something goes on for ever. */
  async run(untilMicros: number, maximumEvents = 200_000): Promise<void> {
    let left = maximumEvents;
    await promiseReactions();
    for (let next = this.#heap[0]; next !== undefined && next.atMicros <= untilMicros; next = this.#heap[0]) {
      this.#pop();
      const run = next.run;
      if (run === undefined) continue;
      if (left-- === 0) throw new Error(`more than ${maximumEvents} events: something goes on for ever`);
      this.nowMicros = next.atMicros;
      this.eventCount++;
      run();
      await promiseReactions();
      this.afterEvent();
    }
    if (Number.isFinite(untilMicros)) this.nowMicros = Math.max(this.nowMicros, untilMicros);
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, heap[parent] as ScheduledEvent)) break;
      heap[index] = heap[parent] as ScheduledEvent;
      index = parent;
    }
    heap[index] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as ScheduledEvent;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as ScheduledEvent, heap[child] as ScheduledEvent))
        child++;
      if (!isBefore(heap[child] as ScheduledEvent, last)) break;
      heap[index] = heap[child] as ScheduledEvent;
      index = child;
    }
    heap[index] = last;
  }
}

/** Resolves when no promise reaction is left: that is when a nextTick queued by one of them runs. */
function promiseReactions(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function isBefore(one: ScheduledEvent, other: ScheduledEvent): boolean {
  return one.atMicros < other.atMicros || (one.atMicros === other.atMicros && one.order < other.order);
}

/** One context's clock: its timers end with it. */
export class SimulatedClock implements Clock {
  readonly #simulation: Simulation;
  /** What takes each timer back that has been set and has not fired. */
  readonly #timers = new Map<Timer, { cancel: () => void; background: boolean; delayMs: number }>();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Timers that are set. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** The delays of the timers that keep a process alive. */
  get foregroundDelays(): number[] {
    return [...this.#timers.values()].filter((timer) => !timer.background).map((timer) => timer.delayMs);
  }

  nowMicros(): number {
    return this.#simulation.nowMicros;
  }

  setTimer(delayMs: number, callback: () => void, background = false): Timer {
    if (!(delayMs >= 0 && delayMs < 2 ** 31)) throw new Error(`Node.js has no timers of delayMs=${delayMs}`);
    const timer: Timer = {
      cancel: () => {
        this.#timers.get(timer)?.cancel();
        this.#timers.delete(timer);
      },
    };
    const cancel = this.#simulation.schedule(delayMs * 1000, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.set(timer, { cancel, background, delayMs });
    return timer;
  }

  /** Takes all timers back: the context has crashed. */
  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
