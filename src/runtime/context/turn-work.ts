import { describe, HeddleError } from '../../errors.js';
import type { TurnWork } from './duty-cycle.js';

/** Work of the user's that runs in every turn: what it throws is reported, and it has no more to do in that turn. */
export function guardedWork(work: TurnWork, onThrown: (cause: unknown) => void): TurnWork {
  if (typeof work !== 'function') {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `addWork takes a function () => boolean, not ${describe(work)}`,
    );
  }
  return () => {
    try {
      return work();
    } catch (cause) {
      onThrown(cause);
      return false;
    }
  };
}
