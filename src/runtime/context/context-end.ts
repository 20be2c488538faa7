import { HeddleError, thrownText } from '../../errors.js';

/** Why a context ended. */
export type ContextEndReason =
  /** It was stopped, and everything in it ended in order. */
  | 'stopped'
  /** Its thread called `process.exit`. */
  | 'exited'
  /** An uncaught exception or unhandled rejection. */
  | 'crashed'
  /** It passed its heap limit. */
  | 'out-of-memory'
  /** `terminate()`, an abort signal, or a stop that took longer than its time. */
  | 'terminated';

/** How a context ended. */
export interface ContextEnd {
  /** Why it ended. */
  readonly reason: ContextEndReason;
  /** What was thrown, or why it was terminated. */
  readonly error?: unknown;
  /** The exit code, when the thread exited by itself. */
  readonly exitCode?: number;
}

/** What is known of a thread when it has gone. */
export interface ThreadEnd {
  /** Whether the task returned, that is, the context was stopped in order. */
  readonly completed: boolean;
  /** What the thread threw, uncaught. */
  readonly error?: unknown;
  readonly exitCode?: number;
}

/** Tells from a thread's end how its context ended. `termination` is why this side terminated it, if it did. */
export function describeEnd(thread: ThreadEnd, termination: { readonly cause: unknown } | undefined): ContextEnd {
  if (thread.error !== undefined) {
    const outOfMemory = (thread.error as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    return { reason: outOfMemory ? 'out-of-memory' : 'crashed', error: thread.error };
  }
  if (thread.completed) return { reason: 'stopped' };
  if (termination !== undefined) return { reason: 'terminated', error: termination.cause };
  return thread.exitCode === undefined ? { reason: 'exited' } : { reason: 'exited', exitCode: thread.exitCode };
}

function describeCause(error: unknown): string {
  if (error === undefined) return '';
  return `: ${thrownText(error)}`;
}

function describeReason(end: ContextEnd): string {
  switch (end.reason) {
    case 'stopped':
      return 'was stopped';
    case 'exited':
      return `called process.exit (exitCode=${end.exitCode ?? 'unknown'})`;
    case 'crashed':
      return `crashed${describeCause(end.error)}`;
    case 'out-of-memory':
      return 'passed its heap limit; raise resourceLimits.maxOldGenerationSizeMb or give it less to hold';
    case 'terminated':
      return `was terminated${describeCause(end.error)}`;
  }
}

/** The error that everyone who waits on a context gets when it has ended. */
export function contextLostError(id: number, name: string, end: ContextEnd): HeddleError {
  return new HeddleError('ERR_HEDDLE_CONTEXT_LOST', `context ${name} (id=${id}) ${describeReason(end)}`, {
    cause: end.error,
    details: { contextId: id, contextName: name, reason: end.reason, exitCode: end.exitCode },
  });
}
