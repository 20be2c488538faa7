import { HeddleError } from '../../errors.js';

/** Whoever sends to an actor that has gone. */
export function actorStopped(actor: string, cause?: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_ACTOR_STOPPED',
    `${actor} was stopped, or is not there: watch() it to learn of it`,
    {
      cause,
      details: { actor },
    },
  );
}

export function mailboxFull(actor: string, waiting: number, capacity: number): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_MAILBOX_FULL',
    `the mailbox of ${actor} is full: waiting=${waiting} capacity=${capacity}; when tell() returns false, wait for ready()`,
    { details: { actor, waiting, capacity } },
  );
}

export function unknownMessage(actor: string, name: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_UNKNOWN_MESSAGE', `${actor} has no handler with name=${name}`, {
    details: { actor, name },
  });
}

export function contextLost(contextName: string, cause?: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_CONTEXT_LOST',
    `context ${contextName} is lost, or not there: what it was sent may or may not have been handled`,
    { cause, details: { contextName } },
  );
}

/** Whoever uses a system that is being closed, or still waits for something of it. */
export function systemClosed(cause?: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_CLOSED',
    'the actor system was closed: what was under way may or may not have been handled',
    { cause },
  );
}

/** Whoever asks with a signal that aborts. */
export function askCancelled(signal: AbortSignal): HeddleError {
  return new HeddleError('ERR_HEDDLE_CANCELLED', 'the ask was cancelled by its signal', { cause: signal.reason });
}

export function nodeLost(contextName: string, cause?: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_NODE_LOST',
    `the node of ${contextName} is lost, or not connected: what it was sent may or may not have been handled. Look actors up ` +
      'again once it is connected: a process that was started anew is another node',
    { cause, details: { contextName } },
  );
}

/** For what belongs to the message at hand, called when there is none. */
export function notHandling(what: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_STATE', `${what}: use it in a handler, before its first await`);
}
