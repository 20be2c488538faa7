import { Refusal } from './definition.js';
import type { Origin } from './mailbox.js';

/** Thrown by handlers of the runtime's own: who asks gets the error inside, and the actor goes on. */
export class ErrorReply {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** The error itself. */
export function errorOf(error: unknown): unknown {
  return error instanceof ErrorReply ? error.error : error;
}

/**
 * Whether what a handler threw is the end of its message alone, and no failure of the actor: an error for who asked, or what
 * came of giving up an ask for which nobody waits any more, as the message's signal told the handler.
 */
export function isOfMessageAlone(error: unknown, origin: Origin | undefined): boolean {
  if (error instanceof ErrorReply || error instanceof Refusal) return true;
  if (origin?.isCancelled !== true) return false;
  const reason: unknown = origin.signal?.reason;
  const { name, cause } = (error ?? {}) as Partial<Error>;
  // fetch throws the reason itself; Node.js's own functions an AbortError; asks and offload an error that it caused.
  return error === reason || cause === reason || name === 'AbortError';
}
