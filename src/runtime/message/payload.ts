import { describe, HeddleError, requireKnownOptions } from '../../errors.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import { Segments } from './segments.js';

/**
 * What can be sent: a `Uint8Array` or Buffer (its bytes are taken at the call), a `SharedBuffer` (moves to the
 * receiver), `segments(...)`, or any other value, which the system's codec encodes.
 */
export type Payload = Uint8Array | SharedBuffer | Segments | unknown;

/** How a message is sent. */
export interface SendOptions {
  /**
   * More messages of the same batch follow at once: keep this one until they are there. Without it the message is
   * made visible to the peer by the call. It travels with the message: see `message.more`.
   */
  readonly more?: boolean | undefined;
  /** A few bytes (at most 4096) that travel beside the data. */
  readonly header?: Uint8Array | undefined;
  /** Asks for a receipt, which `onReceipt` gets when the receiver's handler has returned. */
  readonly onReceipt?: ((receipt: Receipt) => void) | undefined;
  /** Called when the message has been handed to the wire. */
  readonly onSent?: (() => void) | undefined;
  /** Anything; it comes back in the `message-error` event when the message could not be sent. Not transmitted. */
  readonly context?: unknown;
}

/** How a request is sent. */
export interface RequestOptions extends SendOptions {
  /** How long to wait for the response, in milliseconds; `Infinity` for no limit. Default: the `requestTimeoutMs` option. */
  readonly timeoutMs?: number | undefined;
  /** Cancels the request: its promise rejects with `ERR_HEDDLE_CANCELLED` at once, and the peer is told. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Where the data of a large response lands, if it fits: a SharedBuffer, or bytes. Over rdma a SharedBuffer is written into
   * without a copy on the way. It stays the caller's, and the response shows it: `release()` of the response leaves it alone, and
   * once it is used for something else the response's data is gone. A SharedBuffer may be released at any time: until the data
   * is there its memory goes to nobody else. Bytes may be written until the connection has ended where the request was
   * cancelled, or timed out, while its response was on its way.
   */
  readonly responseBuffer?: SharedBuffer | Uint8Array | undefined;
}

/** What became of a message, as its receiver's side says. */
export interface Receipt {
  /** Whether the receiver took the message; false when it refused it, or its handler threw. */
  readonly accepted: boolean;
  /** Why nothing is known of the message: the connection ended before the receipt came. */
  readonly error?: HeddleError | undefined;
}

/** What holds where a caller gives no options. */
export const noOptions: SendOptions = {};

/** What `send` takes. */
export const sendOptionNames = ['more', 'header', 'onReceipt', 'onSent', 'context'] as const;
/** What `deliver` takes, which waits for the receipt by itself, and `respond`, of which there is none. */
export const receiptlessOptionNames = sendOptionNames.filter((name) => name !== 'onReceipt');
/** What `requestWith` takes: it is given up by its id, not by a signal. */
export const fastRequestOptionNames = [...sendOptionNames, 'timeoutMs', 'responseBuffer'] as const;
/** What `request` takes. */
export const requestOptionNames = [...fastRequestOptionNames, 'signal'] as const;

/**
 * Throws `ERR_HEDDLE_INVALID_ARGUMENT` for options of a message that are no object, have a name that is not among `known`, or a
 * hint that is neither true nor false. Where that says which, the names are not looked at: a message of a batch has to be quick.
 */
export function requireMessageOptions(call: string, options: SendOptions, known: readonly string[]): void {
  const more: unknown = options?.more;
  if (more === true || more === false) return;
  requireKnownOptions(call, options, known);
  if (more === undefined) return;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `more must be true or false, not ${describe(more)}`);
}

/** Whether the straight way into the link can carry everything that the options ask for. */
export function isPlain(options: SendOptions): boolean {
  return options.header === undefined && options.onReceipt === undefined && options.onSent === undefined;
}

/** Whether the payload is one for the codec. */
export function isValue(payload: Payload): boolean {
  return !(payload instanceof SharedBuffer) && !(payload instanceof Segments);
}
