import { longestTimerMs } from '../../clock.js';
import { isLoopAliveWithout, isProbingLoop } from './loop-liveness.js';
import { threadWide } from './thread-wide.js';

/** A node, as the watch over the process's exit sees it. */
export interface ExitParticipant {
  /** Whether it has contexts on worker threads, in whatever state. */
  hasContexts(): boolean;
  /** Whether it has a context on its own thread that runs. */
  hasOwnContext(): boolean;
  /**
   * A reading of what all of its contexts did so far, when each of them is passive; undefined when one is not. Two
   * equal readings say that nothing happened between them. Settles whatever becomes of the contexts.
   */
  readPassivity(): Promise<string | undefined>;
  /** Stops the contexts on worker threads, gracefully. Settles. */
  stopContexts(): Promise<void>;
  /** Stops the context of the node's own thread. Settles, and then {@link hasOwnContext} is false. */
  stopOwnContext(): Promise<void>;
}

const firstDelayMs = 5;
const maximumDelayMs = 250;
const delayGrowth = 1.3;

/**
 * Lets the process exit by itself when nothing is left to do in any context, and not before.
 *
 * Worker threads do not keep the process alive (see thread-pool.ts), so Node.js emits 'beforeExit' exactly when this
 * thread has nothing left to do. Then every context is asked whether it is passive, twice. If all were, both times, and
 * none of them did anything in between, then nothing was under way at the moment between the two questions, neither
 * in a context nor in a ring, and nothing can begin any more: the contexts are stopped, the event loop runs empty again,
 * and the process ends with the exit code it has. Otherwise a timer holds the process for a while; once it has fired
 * the loop is empty again and the question is asked anew. An idle thread is asked a few times a second at most.
 */
class ExitWatch {
  readonly #participants = new Set<ExitParticipant>();
  #checking = false;
  #delayMs = firstDelayMs;
  /** What holds the process between two checks. */
  #hold: NodeJS.Timeout | undefined;
  readonly #onBeforeExit = () => {
    // In a context's thread the probe empties the loop, too, and then its own nodes are not at their end.
    if (this.#checking || isProbingLoop()) return;
    for (const participant of this.#participants) {
      if (participant.hasContexts() || participant.hasOwnContext()) {
        void this.#check();
        return;
      }
    }
  };

  add(participant: ExitParticipant): void {
    if (this.#participants.size === 0) process.on('beforeExit', this.#onBeforeExit);
    this.#participants.add(participant);
    this.#delayMs = firstDelayMs;
  }

  remove(participant: ExitParticipant): void {
    this.#participants.delete(participant);
    if (this.#participants.size > 0) return;
    process.off('beforeExit', this.#onBeforeExit);
    // A process whose nodes are closed has nothing to wait for. A check that is under way has a hold of its own.
    clearTimeout(this.#hold);
  }

  async #check(): Promise<void> {
    this.#checking = true;
    const hold = setTimeout(() => {}, longestTimerMs);
    try {
      if (!(await this.#isAllPassive()) || (await isLoopAliveWithout([hold]))) this.#holdForAWhile();
      else await this.#stopAll();
    } finally {
      clearTimeout(hold);
      this.#checking = false;
    }
  }

  async #isAllPassive(): Promise<boolean> {
    const first = await this.#readPassivity();
    return first !== undefined && first === (await this.#readPassivity());
  }

  /** One node after another: the first that is not passive answers for all. */
  async #readPassivity(): Promise<string | undefined> {
    const readings: string[] = [];
    for (const participant of this.#participants) {
      const reading = await participant.readPassivity();
      if (reading === undefined) return undefined;
      readings.push(reading);
    }
    return readings.join('|');
  }

  async #stopAll(): Promise<void> {
    this.#delayMs = firstDelayMs;
    const participants = [...this.#participants];
    const withContexts = participants.filter((participant) => participant.hasContexts());
    if (withContexts.length > 0) await Promise.all(withContexts.map((participant) => participant.stopContexts()));
    // Those who waited for the contexts' end may have more to do: this thread's own contexts go when the loop is empty
    // once more.
    else
      await Promise.all(participants.map((participant) => participant.hasOwnContext() && participant.stopOwnContext()));
  }

  #holdForAWhile(): void {
    if (this.#participants.size === 0) return;
    this.#hold = setTimeout(() => {}, this.#delayMs);
    this.#delayMs = Math.min(maximumDelayMs, this.#delayMs * delayGrowth);
  }
}

/**
 * The one watch of this thread. Two would each take the other's timer for work, and the moment in which that has fired for
 * the end, while the other's nodes are busy yet.
 */
export const exitWatch = threadWide('exit-watch.1', () => new ExitWatch());
