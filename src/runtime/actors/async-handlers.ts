import { AsyncLocalStorage } from 'node:async_hooks';
import type { Cell } from './cell.js';
import type { Handler } from './definition.js';

/** One run of a handler that is an async function. */
interface HandlerRun {
  readonly cell: Cell;
  /** Whether its promise is pending. */
  isPending: boolean;
}

const [major = 0] = process.versions.node.split('.').map(Number);

/**
 * Whether following async functions costs next to nothing. Before Node.js 24 an AsyncLocalStorage in use makes every
 * promise of the thread 130 to 150 ns slower; since then it rides on V8's own continuation data.
 */
export const isFollowingCheap = major >= 24;

const AsyncFunction = (async () => {}).constructor;

/**
 * Knows, while an async function runs, whose handler it is, past every `await`: so that an actor that asks itself there,
 * and could never answer, is told so at once. Handlers that are no async functions are not followed.
 */
export class AsyncHandlers {
  readonly #runs = new AsyncLocalStorage<HandlerRun | undefined>();
  #isUsed = false;

  /** Calls a handler of that actor, and follows it when it is an async function. */
  call(cell: Cell, handler: Handler, state: unknown, payload: unknown): unknown {
    const { context } = cell;
    if (!(handler instanceof AsyncFunction)) return handler(state, payload, context);
    this.#isUsed = true;
    const run: HandlerRun = { cell, isPending: true };
    const result = this.#runs.run(run, handler, state, payload, context) as Promise<unknown>;
    const end = () => {
      run.isPending = false;
    };
    result.then(end, end);
    return result;
  }

  /** Whether the code that runs now belongs to a handler of that actor whose promise is pending. */
  isWithin(cell: Cell): boolean {
    if (!this.#isUsed) return false;
    const run = this.#runs.getStore();
    return run?.cell === cell && run.isPending;
  }

  /** Runs what is no part of the handler that happened to wake it. */
  apart<R>(work: () => R): R {
    return this.#isUsed ? this.#runs.run(undefined, work) : work();
  }
}
