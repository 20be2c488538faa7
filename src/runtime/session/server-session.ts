import { HeddleError } from '../../errors.js';
import type { Connection } from './connection.js';
import type { SessionEvent } from './events.js';
import type { SessionHandlers } from './handlers.js';
import { Session } from './session.js';
import type { SessionLayer } from './session-layer.js';

/** The service's side of a session, in one context: the connections of the session that came to this context's portal. */
export class ServerSession extends Session {
  readonly role = 'server';
  readonly #forget: () => void;

  /** @internal */
  constructor(layer: SessionLayer, id: string, uri: string, handlers: SessionHandlers, forget: () => void) {
    super(layer, id, uri, handlers);
    this.#forget = forget;
  }

  /** @internal The client has to come back: it knows where we are. */
  onConnectionResuming(connection: Connection): void {
    const { reconnectTimeoutMs } = connection.options;
    connection.resumeLimit = this.layer.clock.setTimer(reconnectTimeoutMs, () =>
      connection.failResume(
        new HeddleError(
          'ERR_HEDDLE_DISCONNECTED',
          `the client ${connection.peerAddress} did not come back within reconnectTimeoutMs=${reconnectTimeoutMs}`,
          { cause: connection.endError },
        ),
      ),
    );
  }

  /** @internal A wire that a client began to come back on was lost too: it still has its time. */
  onConnectFailed(connection: Connection, error: HeddleError): void {
    if (!connection.isResuming) connection.destroy(error);
  }

  protected describe(): SessionEvent {
    throw new HeddleError('ERR_HEDDLE_INVALID_STATE', 'a server session is neither rejected nor refused');
  }

  protected onOver(): void {
    this.#forget();
  }
}
