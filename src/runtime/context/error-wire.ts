import { inspect } from 'node:util';
import { type ErrorCode, errorCodes, HeddleError, RemoteError } from '../../errors.js';

/**
 * An error as it crosses from thread to thread. Structured clone and comlink keep the message and the stack of an
 * error but not its code, details or class, so control calls carry their failures in this form.
 */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  /** Present on HeddleErrors only. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: WireError;
}

/** What a control call came to. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: WireError };

/** Causes deeper than this are dropped: a chain can be circular. */
const maximumCauseDepth = 8;

function cloneable(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return structuredClone(details);
  } catch {
    return Object.fromEntries(Object.entries(details).map(([key, value]) => [key, inspect(value)]));
  }
}

/** The inverse of {@link fromWireError}. Takes whatever was thrown. */
export function toWireError(thrown: unknown, depth = 0): WireError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: `not an Error: ${inspect(thrown)}` };
  const code: unknown = (thrown as { code?: unknown }).code;
  return {
    name: String(thrown.name),
    message: String(thrown.message),
    ...(typeof code === 'string' && { code }),
    ...(typeof thrown.stack === 'string' && { stack: thrown.stack }),
    ...(thrown instanceof HeddleError && { details: cloneable(thrown.details) }),
    ...(thrown.cause !== undefined && depth < maximumCauseDepth && { cause: toWireError(thrown.cause, depth + 1) }),
  };
}

/** The inverse of {@link toWireError}: a HeddleError with its code, or a RemoteError for what was none. */
export function fromWireError(wire: WireError): HeddleError {
  const cause = wire.cause === undefined ? undefined : fromWireError(wire.cause);
  if (wire.details !== undefined && wire.code !== undefined && Object.hasOwn(errorCodes, wire.code)) {
    const error = new HeddleError(wire.code as ErrorCode, wire.message, { cause, details: wire.details });
    if (wire.stack !== undefined) error.stack = wire.stack;
    return error;
  }
  const error = new RemoteError(wire);
  if (cause !== undefined) error.cause = cause;
  return error;
}

/** Runs `work` and says what it came to; never rejects. */
export async function outcomeOf<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (thrown) {
    return { ok: false, error: toWireError(thrown) };
  }
}

/** The value of an outcome, or its error thrown. */
export function unwrapOutcome<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw fromWireError(outcome.error);
}
