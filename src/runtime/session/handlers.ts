import { describe, HeddleError, requireKnownOptions } from '../../errors.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import type { Message, MessageKind } from '../message/message.js';
import type { Connection } from './connection.js';
import type { SessionEvent } from './events.js';
import { defaultConnectionOptions } from './options.js';

/** What is known of a large message before its data has arrived. */
export interface IncomingData {
  /** The connection that it comes by. */
  readonly connection: Connection;
  /** What the message is. */
  readonly kind: MessageKind;
  /** Bytes of its data. */
  readonly lengthBytes: number;
}

/** What a user gives to a connection, client or server side. All are called on the context's own thread. */
export interface SessionHandlers {
  /**
   * Name of the codec of these connections, where it is not to be that of the context. A context whose actors belong to a
   * system serves other processes with `'compact'`: the codec of a system is known to that system alone.
   */
  readonly codec?: string | undefined;
  /**
   * A request. What the handler returns is the response; a promise is waited for; an error thrown goes to the
   * requester. A handler that calls `message.keep()` answers later with `message.respond(...)`. Without this handler
   * requests are answered with an error.
   */
  onRequest?(message: Message, connection: Connection): unknown;
  /** A one-way message. `message.more` tells whether more of its batch follows. */
  onMessage?(message: Message, connection: Connection): unknown;
  /** What happens to the session and its connections. */
  onEvent?(event: SessionEvent): void;
  /**
   * The peer cancels a request that this side has kept: true when the request is cancelled thereby, false when it goes
   * on. Without this handler a request is cancelled when its `signal` was asked for, and goes on otherwise.
   */
  onCancel?(message: Message, connection: Connection): boolean;
  /**
   * Picks where the data of a large message lands: a SharedBuffer, or bytes, of at least that length. Return undefined
   * for a buffer of the context's own pool.
   */
  onAssignBuffer?(incoming: IncomingData): SharedBuffer | Uint8Array | undefined;
}

const handlerNames = ['onRequest', 'onMessage', 'onEvent', 'onCancel', 'onAssignBuffer'] as const;

/** Checks what was given to `call`, `listen` say; `others` are the names that are no handlers. */
export function requireHandlers(call: string, given: unknown, others: readonly string[]): void {
  requireKnownOptions(call, given, [...handlerNames, ...others], (name) =>
    name in defaultConnectionOptions ? `write options: { ${name}: ... }` : undefined,
  );
  for (const name of [...handlerNames, ...others]) {
    const handler = (given as Record<string, unknown>)[name];
    if (handler === undefined || typeof handler === 'function' || !name.startsWith('on')) continue;
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name} must be a function, not ${describe(handler)}`);
  }
}
