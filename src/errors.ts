import { inspect, types } from 'node:util';

/**
 * Every failure that heddle reports carries one of these codes. Codes are stable: programs may compare them.
 * The value of each entry says in a few words what happened; the message of an error says what to do about it.
 */
export const errorCodes = {
  ERR_HEDDLE_INVALID_ARGUMENT: 'an argument is missing, of the wrong type or out of range',
  ERR_HEDDLE_INVALID_STATE: 'the call does not fit the state that the object is in',
  ERR_HEDDLE_INVALID_URI: 'the address is not a portal URI that a transport here understands',
  ERR_HEDDLE_ADDRESS_IN_USE: 'another portal listens at that address',
  ERR_HEDDLE_REFUSED: 'nothing listens at that address, or no service has that name',
  ERR_HEDDLE_REJECTED: 'the service rejected the session',
  ERR_HEDDLE_TIMEOUT: 'the deadline passed',
  ERR_HEDDLE_CANCELLED: 'the request was cancelled, by its AbortSignal or by cancel()',
  ERR_HEDDLE_CLOSED: 'the object was closed on request',
  ERR_HEDDLE_FLUSHED: 'the connection ended before the message was sent or answered',
  ERR_HEDDLE_DISCARDED: 'the answer had nowhere to go: the connection ended before it',
  ERR_HEDDLE_ALREADY_ANSWERED: 'the request was answered before',
  ERR_HEDDLE_DISCONNECTED: 'the peer or the wire to it was lost',
  ERR_HEDDLE_PEER_SILENT: 'the peer gave no sign of life within the keepalive time',
  ERR_HEDDLE_PROTOCOL: 'the peer sent something that the protocol does not allow',
  ERR_HEDDLE_MALFORMED: 'a record or frame from the wire does not parse',
  ERR_HEDDLE_VERSION: 'the peer speaks another version of the protocol',
  ERR_HEDDLE_CONNECTION_EXISTS: 'this context already has a connection in that session',
  ERR_HEDDLE_SEND_QUEUE_FULL: 'the send queue is at its depth; wait for ready()',
  ERR_HEDDLE_MESSAGE_TOO_LARGE: 'the message exceeds a limit of this side or of the peer',
  ERR_HEDDLE_REMOTE: 'the handler on the other side threw',
  ERR_HEDDLE_CODEC: 'a value could not be encoded or decoded',
  ERR_HEDDLE_BUFFER_MOVED: 'the SharedBuffer was sent away: its bytes belong to another context now',
  ERR_HEDDLE_BUFFER_RELEASED: 'the SharedBuffer was released before',
  ERR_HEDDLE_BUFFER_SHARED: 'the SharedBuffer has as many handles as one piece of a slab allows',
  ERR_HEDDLE_OUT_OF_MEMORY: 'the slab pool is at its limit',
  ERR_HEDDLE_REGION_UNKNOWN: 'no region that can be reached has that handle: it was revoked, or the handle is forged',
  ERR_HEDDLE_REGION_REVOKED: 'the region was revoked by its owner after it was opened',
  ERR_HEDDLE_REGION_DENIED: 'the region was not exported with the right to do that',
  ERR_HEDDLE_CONTEXT_LOST: 'the context exited, crashed, ran out of memory or was terminated',
  ERR_HEDDLE_CONTEXT_START: 'the context could not start: its module failed to load or its main function threw',
  ERR_HEDDLE_CPU_NOT_HONOURED: 'the thread could not be bound to the CPU that was asked for; it runs on any',
  ERR_HEDDLE_OPTION_NOT_HONOURED:
    'an option about memory or packets could not be set here; everything works without it',
  ERR_HEDDLE_ACTOR_STOPPED: 'the actor was stopped, or never was: it takes no messages',
  ERR_HEDDLE_ACTOR_FAILED: 'the actor failed, and its supervisor did not let it go on',
  ERR_HEDDLE_MAILBOX_FULL: 'the mailbox of the actor is at its capacity; wait for ready()',
  ERR_HEDDLE_UNKNOWN_MESSAGE: 'the actor has no handler of that name',
  ERR_HEDDLE_UNKNOWN_ACTOR_TYPE: 'the module does not define an actor of that name',
  ERR_HEDDLE_TYPESCRIPT: 'this Node.js cannot run that TypeScript module; the message says why',
  ERR_HEDDLE_DEADLOCK: 'the actor asked itself while it handles a message: the answer could never come',
  ERR_HEDDLE_OFFLOAD_FULL: 'as many offloaded functions wait for a thread as may',
  ERR_HEDDLE_OFFLOAD_LOST: 'the thread that ran an offloaded function exited or ran out of memory',
  ERR_HEDDLE_NAME_IN_USE: 'another actor has that name',
  ERR_HEDDLE_NODE_LOST: 'the other node, a process, was lost, or is not connected, or was replaced by a new one',
  ERR_HEDDLE_SECRET: 'the two nodes did not prove the same secret to each other',
  ERR_HEDDLE_NOT_REGISTERED: 'the other node has registered no definition of that name',
  ERR_HEDDLE_EXPECTATION: 'a probe of the test kit got something else than the test expects',
  ERR_HEDDLE_TRANSPORT_UNAVAILABLE: 'that transport cannot run here; the message says what to install',
} as const;

/** One of heddle's stable error codes, `ERR_HEDDLE_...`. */
export type ErrorCode = keyof typeof errorCodes;

/** What else an error can carry. */
export interface HeddleErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** Facts for programs: ids, sizes, limits, the peer's address. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The base of every error that heddle throws, rejects with or reports.
 *
 * @example
 * try {
 *   await connection.request(question, { timeoutMs: 100 });
 * } catch (error) {
 *   if (error instanceof HeddleError && error.code === 'ERR_HEDDLE_TIMEOUT') retryLater();
 *   else throw error;
 * }
 */
export class HeddleError extends Error {
  /** What happened, as a stable code. */
  readonly code: ErrorCode;
  /** Facts for programs: ids, sizes, limits, the peer's address. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: HeddleErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HeddleError';
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** An error that a handler on the other side threw, with its class name, code and stack as they were there. */
export class RemoteError extends HeddleError {
  /** The class name of the error on the other side, `TypeError` for one. */
  readonly remoteName: string;
  /** The `code` property of the error on the other side, if it had one. */
  readonly remoteCode: string | undefined;
  /** The stack of the error on the other side. */
  readonly remoteStack: string | undefined;

  constructor(remote: { name: string; message: string; code?: string | undefined; stack?: string | undefined }) {
    super('ERR_HEDDLE_REMOTE', `${remote.name}: ${remote.message}`);
    this.name = 'RemoteError';
    this.remoteName = remote.name;
    this.remoteCode = remote.code;
    this.remoteStack = remote.stack;
    if (remote.stack !== undefined) this.stack = `${this.stack}\n    at the other side:\n${remote.stack}`;
  }
}

/** What can be said of something that was thrown. */
export interface ThrownFacts {
  /** Its class. */
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

/**
 * What can be said of whatever a user's code has thrown: an error whose properties are no text, a plain object, an object
 * without a prototype, a proxy. Never throws: what reports a failure must not be another one.
 */
export function thrownFacts(thrown: unknown): ThrownFacts {
  try {
    // Errors of another realm are no instances of this one's class.
    if (!(thrown instanceof Error) && !types.isNativeError(thrown)) {
      const code = (thrown as { code?: unknown } | null | undefined)?.code;
      return {
        name: 'Error',
        message: textOf(thrown),
        code: typeof code === 'string' ? code : undefined,
        stack: undefined,
      };
    }
    const { message, stack } = thrown;
    const { code } = thrown as { code?: unknown };
    return {
      name: textOf(thrown.constructor?.name ?? thrown.name),
      message: textOf(message),
      code: typeof code === 'string' ? code : undefined,
      stack: typeof stack === 'string' ? stack : undefined,
    };
  } catch {
    return { name: 'Error', message: 'what was thrown cannot be read', code: undefined, stack: undefined };
  }
}

/** What was thrown, in a line: `TypeError: text` for an error. Never throws. */
export function thrownText(thrown: unknown): string {
  const { name, message, stack } = thrownFacts(thrown);
  // What has no stack is no error.
  return stack === undefined ? message : `${name}: ${message}`;
}

function textOf(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? inspect(value, { depth: 2, breakLength: Infinity })
    : String(value);
}

/** A value in some words, for the error that refuses it. */
export function describe(value: unknown): string {
  return typeof value === 'function' ? `function ${value.name}` : inspect(value, { depth: 0 }).slice(0, 100);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `value` is an integer from `minimum` to `maximum`. */
export function requireInteger(name: string, value: unknown, minimum: number, maximum: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `${name} must be an integer from ${minimum} to ${maximum}, not ${describe(value)}`,
      { details: { [name]: value } },
    );
  }
  return value;
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `given`, the options of `call`, is an object. */
export function requireObject(call: string, given: unknown): asserts given is object {
  if (typeof given === 'object' && given !== null) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `${call} takes its options as an object, not ${describe(given)}`,
  );
}

/**
 * Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `given`, the options of `call`, is an object without other names than
 * `known`: a misspelt option that is silently ignored costs its user an evening. Objects of classes may have more.
 */
export function requireKnownOptions(
  call: string,
  given: unknown,
  known: readonly string[],
  advice: (name: string) => string | undefined = () => undefined,
): void {
  requireObject(call, given);
  const prototype: unknown = Object.getPrototypeOf(given);
  if (prototype !== Object.prototype && prototype !== null) return;
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `${call} has no option ${name}: ${advice(name) ?? `it takes ${known.join(', ')}`}`,
      { details: { option: name } },
    );
  }
}
