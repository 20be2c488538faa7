import type { HeddleError } from '../../errors.js';
import type { Connection } from './connection.js';
import type { SessionHandlers } from './handlers.js';
import type { Session } from './session.js';

/** What a connection needs of the session or server that made it. */
export interface ConnectionParent {
  readonly session: Session;
  readonly handlers: SessionHandlers;
  /** The connection is over: it is taken out of the context's table after its teardown event. */
  onConnectionOver(connection: Connection): void;
  /** This side ends the connection without the peer's agreement: the peer is to be told. */
  onConnectionAbandoned(connection: Connection): void;
  /** The connection lost its wire and is to be taken up again. */
  onConnectionResuming(connection: Connection): void;
  /** The wire was lost before the connection was online, or online again. */
  onConnectFailed(connection: Connection, error: HeddleError): void;
}
