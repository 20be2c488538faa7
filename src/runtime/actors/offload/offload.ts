import { describe, HeddleError, requireKnownOptions } from '../../../errors.js';
import { requireSignal } from '../../../time-limits.js';
import { SharedBuffer } from '../../memory/shared-buffer.js';
import { actorStopped } from '../actor-errors.js';
import type { Cell } from '../cell.js';
import type { ActorHost } from '../host.js';
import type { OffloadFunction, OffloadFunctions } from './functions.js';

/** How a function is offloaded. */
export interface OffloadOptions {
  /** Gives it up, and ends the thread when it runs: the promise rejects with `ERR_HEDDLE_CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
  /** ArrayBuffers in the arguments that move to the thread instead of being copied: they are empty here afterwards. */
  readonly transfer?: readonly ArrayBuffer[] | undefined;
}

type AnyFunctions = OffloadFunctions<Record<string, OffloadFunction>>;

/** Has a function run on a thread of the host's pool; for an actor, until its state ends. */
export function offload(
  host: ActorHost,
  cell: Cell | undefined,
  functions: unknown,
  name: string,
  args: readonly unknown[],
  options: OffloadOptions = {},
): Promise<unknown> {
  const { module } = requireFunction(functions, name);
  requireKnownOptions('offload', options, ['signal', 'transfer']);
  if (!Array.isArray(args)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `offload() takes the arguments of ${name} as a list`);
  }
  const { signal, transfer = [] } = options;
  requireSignal(signal);
  requireTransfer(transfer);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(cancelled(name, signal));
      return;
    }
    const controller = new AbortController();
    const giveUp = (error: HeddleError) => {
      settle();
      controller.abort();
      reject(error);
    };
    const onAbort = () => giveUp(cancelled(name, signal as AbortSignal));
    const takeBack = cell?.endings.add(() => giveUp(actorStopped(`${cell.ref}, which offloaded ${name},`)));
    const settle = () => {
      signal?.removeEventListener('abort', onAbort);
      takeBack?.();
      host.endTurnSoon();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const task = { module, name, args: args.map(asClonable) };
    host.offloadPool.run(task, transfer, controller.signal).then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}

/** The memory of a SharedBuffer is shared with the thread as it is. */
function asClonable(value: unknown): unknown {
  if (!(value instanceof SharedBuffer)) return value;
  const { buffer, byteOffset, byteLength } = value.bytes;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function requireFunction(functions: unknown, name: string): AnyFunctions {
  const definition = functions as Partial<AnyFunctions> | null | undefined;
  const known = definition?.functions;
  if (typeof known === 'object' && Object.hasOwn(known, name)) return definition as AnyFunctions;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `offload() takes what defineFunctions() made, and a name in it, not ${describe(name)}`,
  );
}

function requireTransfer(transfer: unknown): void {
  if (Array.isArray(transfer) && transfer.every((one) => one instanceof ArrayBuffer)) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `transfer must be a list of ArrayBuffers, not ${describe(transfer)}: of a typed array, name its buffer`,
  );
}

function cancelled(name: string, signal: AbortSignal): HeddleError {
  return new HeddleError('ERR_HEDDLE_CANCELLED', `${name} was cancelled by its signal`, { cause: signal.reason });
}
