import type { HeddleError } from '../../errors.js';
import type { RegionHandle } from '../memory/region-handle.js';
import type { Payload } from '../message/payload.js';
import type { Connection } from './connection.js';
import type { RegionOperationName } from './remote-region.js';
import type { Session } from './session.js';

/**
 * What a session or one of its connections tells its user. The order is always: `connection-closed` (by request, of
 * either side) or `connection-disconnected` / `connection-error` (by fault), never two of them; then every message that
 * was not sent comes back by `message-error`, and every request without a response rejects; then `connection-teardown`;
 * after the session's last connection, `session-teardown`.
 */
export type SessionEvent =
  | {
      /** The service has accepted, and this context's connection is online. */
      readonly type: 'session-established';
      /** The session. */
      readonly session: Session;
    }
  | {
      /** The service said no. */
      readonly type: 'session-rejected';
      /** The session. */
      readonly session: Session;
      /** Why, in the service's words. */
      readonly reason: string;
      /** What the service said beside the reason. */
      readonly privateData: Buffer;
    }
  | {
      /** No service could be reached, or none decided in time. */
      readonly type: 'session-refused';
      /** The session. */
      readonly session: Session;
      /** Why. */
      readonly error: HeddleError;
    }
  | {
      /** The service names others, which are asked next. */
      readonly type: 'session-redirected';
      /** The session. */
      readonly session: Session;
      /** Their URIs, in the order in which they are asked. */
      readonly services: readonly string[];
    }
  | {
      /** The last of everything: the session is over in this context. */
      readonly type: 'session-teardown';
      /** The session. */
      readonly session: Session;
    }
  | {
      /** Messages flow. */
      readonly type: 'connection-established';
      /** The connection. */
      readonly connection: Connection;
    }
  | {
      /** The wire was lost and is looked for again; what is sent meanwhile waits. */
      readonly type: 'connection-reconnecting';
      /** The connection. */
      readonly connection: Connection;
      /** How the wire was lost. */
      readonly error: HeddleError;
    }
  | {
      /** The wire is back: nothing was lost, and nothing is delivered twice. */
      readonly type: 'connection-reconnected';
      /** The connection. */
      readonly connection: Connection;
    }
  | {
      /** The connection ended because one side asked for it. */
      readonly type: 'connection-closed';
      /** The connection. */
      readonly connection: Connection;
      /** Whether the peer asked for it. */
      readonly byPeer: boolean;
    }
  | {
      /** The wire or the peer was lost. */
      readonly type: 'connection-disconnected';
      /** The connection. */
      readonly connection: Connection;
      /** How. */
      readonly error: HeddleError;
    }
  | {
      /** The peer broke the protocol. */
      readonly type: 'connection-error';
      /** The connection. */
      readonly connection: Connection;
      /** How. */
      readonly error: HeddleError;
    }
  | {
      /** The connection is over: no event of it follows. */
      readonly type: 'connection-teardown';
      /** The connection. */
      readonly connection: Connection;
    }
  | {
      /** An operation on a region of the peer has ended, one that this side began; its promise settles likewise. */
      readonly type: 'region-operation';
      /** The connection that the region was opened by. */
      readonly connection: Connection;
      /** The region. */
      readonly handle: RegionHandle;
      /** What was done. */
      readonly operation: RegionOperationName;
      /** Where in the region. */
      readonly offset: number;
      /** How many bytes it was about. */
      readonly lengthBytes: number;
      /** What went wrong; absent when it was done. */
      readonly error?: HeddleError;
      /** The `context` that was given with the operation. */
      readonly context: unknown;
    }
  | {
      /** A message went wrong. */
      readonly type: 'message-error';
      /** The connection. */
      readonly connection: Connection;
      /**
       * `flushed`: the connection ended before the message was sent. `discarded`: a response had nowhere to go.
       * `handler`: the handler of a one-way message threw.
       */
      readonly status: 'flushed' | 'discarded' | 'handler';
      /** Whether this side was to send the message, or received it. */
      readonly direction: 'out' | 'in';
      /** What the message was; what becomes of a request its promise or waiter tells. */
      readonly kind: 'one-way' | 'response';
      /** What went wrong. */
      readonly error: HeddleError;
      /** What was to be sent, where it is at hand: encoded as it would have travelled. */
      readonly payload?: Payload;
      /** The `context` that was given with the message. */
      readonly context?: unknown;
    };
