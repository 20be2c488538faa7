import type { Clock, Timer } from '../../clock.js';

/** How long a thread has to be quiet after modules have been loaded. */
const quietMs = 100;
/** After so many times, 10 seconds, the young generation of a thread that never is quiet is as large as it needs it. */
const maximumTries = 100;

/** What is asked of the thread, and done in it. */
export interface LoadingGarbageWork {
  readonly clock: Clock;
  /** Another number than before whenever the thread has done something. */
  activity(): number;
  /** Whether somebody waits for what the thread does. */
  isBusy(): boolean;
  /** Collects all garbage, as when memory is short. Must not throw. */
  collect(): void;
}

/**
 * Gives back what loading modules leaves behind in a thread. V8's young generation grows while some hundred modules are
 * loaded, to 8 MiB and more, and never shrinks in a thread whose heap then stays small, since it collects none of it:
 * an idle context held nearly twice the memory that it used. So a thread that is quiet after it has loaded modules collects
 * its garbage once as for a system that is short of memory, which takes some 30 ms and lets the young generation begin anew.
 * It grows again where messages need it to.
 */
export class LoadingGarbage {
  readonly #work: LoadingGarbageWork;
  #timer: Timer | undefined;
  #tries = 0;
  #activityBefore = 0;

  constructor(work: LoadingGarbageWork) {
    this.#work = work;
  }

  /** Modules have been loaded: more of them may follow. */
  onLoaded(): void {
    this.#tries = 0;
    this.#wait();
  }

  #wait(): void {
    this.#timer?.cancel();
    this.#activityBefore = this.#work.activity();
    this.#timer = this.#work.clock.setTimer(quietMs, () => this.#collectIfQuiet(), true);
  }

  #collectIfQuiet(): void {
    if (this.#work.activity() === this.#activityBefore && !this.#work.isBusy()) this.#work.collect();
    else if (++this.#tries < maximumTries) this.#wait();
  }
}

/** By V8's low memory notification, to which this is the only way that each version of Node.js has without flags. */
export async function collectAllGarbage(): Promise<void> {
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('HeapProfiler.collectGarbage');
  } finally {
    // Not within the answer: V8 holds a lock then, for which disconnecting would wait for ever.
    setImmediate(() => session.disconnect());
  }
}
