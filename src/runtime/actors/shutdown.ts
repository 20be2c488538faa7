import { constants } from 'node:os';
import { describe, HeddleError, thrownText } from '../../errors.js';
import { requireFunction, requireOneOf } from './checks.js';

/** When a task of the shutdown runs: before the actors stop, after that, and after the contexts have stopped. */
export type ShutdownPhase = 'before-actors' | 'after-actors' | 'after-contexts';

/** A time that several steps share. */
export interface Deadline {
  readonly leftMs: number;
  /** Resolves when `step` has settled, or the time is up. */
  wait(step: Promise<unknown>): Promise<void>;
  end(): void;
}

/**
 * A program that a signal ends while it starts awaits what will not be any more. That is no fault of its, and must not end it
 * as one, with a stack trace and another exit code, before the system has closed. Anything else ends it as ever.
 */
function onExceptionAtEnd(error: unknown): void {
  if (error instanceof HeddleError && error.code === 'ERR_HEDDLE_CLOSED') return;
  // Who listens, too, decides.
  if (process.listenerCount('uncaughtException') > 1) return;
  process.off('uncaughtException', onExceptionAtEnd);
  process.nextTick(() => {
    throw error;
  });
}

/** One listener for each signal, whatever number of systems there is in the process. */
class SignalWatch {
  readonly #closers = new Map<NodeJS.Signals, Set<() => Promise<void>>>();
  readonly #received = new Set<NodeJS.Signals>();
  /** Signals that are being carried out. */
  #underWay = 0;
  readonly #onSignal = (signal: NodeJS.Signals) => {
    if (this.#received.has(signal)) return;
    this.#received.add(signal);
    if (this.#underWay++ === 0) process.on('uncaughtException', onExceptionAtEnd);
    const closers = [...(this.#closers.get(signal) ?? [])];
    void Promise.all(closers.map((close) => close())).then(() => {
      process.off(signal, this.#onSignal);
      if (--this.#underWay === 0) process.off('uncaughtException', onExceptionAtEnd);
      // As the signal would have ended the process without us, unless the program listens for it, too.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  };

  add(signal: NodeJS.Signals, close: () => Promise<void>): void {
    let closers = this.#closers.get(signal);
    if (closers === undefined) {
      closers = new Set();
      this.#closers.set(signal, closers);
      process.on(signal, this.#onSignal);
    }
    closers.add(close);
  }

  remove(close: () => Promise<void>): void {
    for (const [signal, closers] of this.#closers) {
      if (!closers.delete(close) || closers.size > 0) continue;
      this.#closers.delete(signal);
      // While a signal is being carried out, the listener keeps a second one from ending the process half way.
      if (!this.#received.has(signal)) process.off(signal, this.#onSignal);
    }
  }
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` for what is no list of signals that a process can listen for. */
function checkSignals(signals: unknown): void {
  const known = Object.keys(constants.signals).filter((signal) => signal !== 'SIGKILL' && signal !== 'SIGSTOP');
  if (!Array.isArray(signals)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `signals must be a list of names, not ${describe(signals)}`);
  }
  for (const signal of signals) requireOneOf('signals: signal', signal, known);
}

const signalWatch = new SignalWatch();

/** The tasks of a coordinated shutdown, and the signals that begin one. */
export class Shutdown {
  readonly #tasks: Record<ShutdownPhase, Set<() => unknown>> = {
    'before-actors': new Set(),
    'after-actors': new Set(),
    'after-contexts': new Set(),
  };
  readonly #close: () => Promise<void>;

  constructor(close: () => Promise<void>) {
    this.#close = close;
  }

  /** From now on each of these signals begins the shutdown. */
  listen(signals: readonly NodeJS.Signals[]): void {
    checkSignals(signals);
    for (const signal of signals) signalWatch.add(signal, this.#close);
  }

  add(phase: ShutdownPhase, task: () => unknown): () => void {
    requireOneOf('phase', phase, Object.keys(this.#tasks));
    requireFunction('the task of a shutdown', task);
    const tasks = this.#tasks[phase];
    tasks.add(task);
    return () => void tasks.delete(task);
  }

  /** Runs the tasks of a phase together. Never rejects. */
  async run(phase: ShutdownPhase): Promise<void> {
    const outcomes = await Promise.allSettled([...this.#tasks[phase]].map(async (task) => task()));
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      process.emitWarning(`a shutdown task (${phase}) failed: ${thrownText(outcome.reason)}`, {
        code: 'HEDDLE_SHUTDOWN_TASK',
      });
    }
  }

  /** The shutdown has begun; it has this long for all of it. */
  begin(timeoutMs: number): Deadline {
    const endMs = performance.now() + timeoutMs;
    let timer: NodeJS.Timeout | undefined;
    const timeIsUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    return {
      get leftMs() {
        return Math.max(0, Math.floor(endMs - performance.now()));
      },
      wait: async (step) => {
        await Promise.race([step, timeIsUp]);
      },
      end: () => {
        clearTimeout(timer);
        signalWatch.remove(this.#close);
      },
    };
  }
}
