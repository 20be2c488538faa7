import type { HeddleError } from '../../errors.js';
import type { Payload } from '../message/payload.js';
import type { Connection } from './connection.js';
import type { Session } from './session.js';

/**
 * What a session or one of its connections tells its user. The order is always: `connection-closed` (by request, of
 * either side) or `connection-disconnected` / `connection-error` (by fault), never two of them; then every message that
 * was not sent comes back by `message-error`, and every request without a response rejects; then `connection-teardown`;
 * after the session's last connection, `session-teardown`.
 */
export type SessionEvent =
  | { readonly type: 'session-established'; readonly session: Session }
  | {
      readonly type: 'session-rejected';
      readonly session: Session;
      readonly reason: string;
      /** What the service said beside the reason. */
      readonly privateData: Buffer;
    }
  | { readonly type: 'session-refused'; readonly session: Session; readonly error: HeddleError }
  | { readonly type: 'session-redirected'; readonly session: Session; readonly services: readonly string[] }
  | { readonly type: 'session-teardown'; readonly session: Session }
  | { readonly type: 'connection-established'; readonly connection: Connection }
  | { readonly type: 'connection-reconnecting'; readonly connection: Connection; readonly error: HeddleError }
  | { readonly type: 'connection-reconnected'; readonly connection: Connection }
  | {
      readonly type: 'connection-closed';
      readonly connection: Connection;
      /** Whether the peer asked for it. */
      readonly byPeer: boolean;
    }
  | { readonly type: 'connection-disconnected'; readonly connection: Connection; readonly error: HeddleError }
  | { readonly type: 'connection-error'; readonly connection: Connection; readonly error: HeddleError }
  | { readonly type: 'connection-teardown'; readonly connection: Connection }
  | {
      /** A message went wrong. */
      readonly type: 'message-error';
      readonly connection: Connection;
      /**
       * `flushed`: the connection ended before the message was sent. `discarded`: a response had nowhere to go.
       * `handler`: the handler of a one-way message threw.
       */
      readonly status: 'flushed' | 'discarded' | 'handler';
      readonly direction: 'out' | 'in';
      readonly kind: 'one-way' | 'response';
      readonly error: HeddleError;
      /** What was to be sent, where it is at hand: encoded as it would have travelled. */
      readonly payload?: Payload;
      /** The `context` that was given with the message. */
      readonly context?: unknown;
    };
