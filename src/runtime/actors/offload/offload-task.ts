import { move, transferableSymbol, valueSymbol } from 'piscina';
import { type Outcome, outcomeOf } from '../../context/error-wire.js';
import { loadFunction } from './functions.js';

/** A call of a function, as it goes to a thread of the pool. */
export interface OffloadTask {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
}

// A result that cannot be cloned ends the thread by a DOMException, which itself arrives at the other side as nothing.
process.on('uncaughtException', (error: unknown) => {
  if (!(error instanceof DOMException)) throw error;
  throw Object.assign(new Error(error.message), { code: error.name });
});

/** The pool's task: calls the function. */
export default async function runFunction({ module, name, args }: OffloadTask): Promise<Outcome<unknown>> {
  const outcome = await outcomeOf(async () => (await loadFunction(module, name))(...args));
  const memory = outcome.ok ? ownedMemory(outcome.value) : undefined;
  if (memory === undefined) return outcome;
  return move({ [transferableSymbol]: memory, [valueSymbol]: outcome } as never) as never;
}

/** The memory of a result that is nothing but memory: the thread has no use for it any more. */
function ownedMemory(value: unknown): ArrayBuffer | undefined {
  if (value instanceof ArrayBuffer) return value;
  // Small Buffers are pieces of memory that all of the thread's share.
  if (!ArrayBuffer.isView(value) || !(value.buffer instanceof ArrayBuffer)) return undefined;
  return value.byteLength === value.buffer.byteLength ? value.buffer : undefined;
}
