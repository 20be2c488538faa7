import type { HeddleError } from '../../errors.js';
import type { Connection } from './connection.js';
import type { ConnectionParent } from './connection-parent.js';
import type { SessionEvent } from './events.js';
import type { SessionHandlers } from './handlers.js';
import type { SessionLayer } from './session-layer.js';
import { type SessionEventInput, SessionLife, type SessionState } from './session-machine.js';

/**
 * The conversation between a client and a service, as far as this context takes part in it: all connections of one
 * session share its id, its private data and its end. A client context has one connection in it; a server context has
 * one for each client context that came to it.
 */
export abstract class Session implements ConnectionParent {
  /** The session's name, drawn at random by its client: the same on both sides and in all contexts. */
  readonly id: string;
  /** The service's URI, as the client asked for it; after a redirect, where it was sent. */
  uri: string;
  /** What the other side said at setup: up to 3840 bytes. Empty until the session is established. */
  peerPrivateData: Buffer = Buffer.alloc(0);
  /** For the user's own use. */
  userData: unknown;
  /** @internal */
  readonly handlers: SessionHandlers;
  /** @internal */
  readonly layer: SessionLayer;
  readonly #connections = new Set<Connection>();
  readonly #life = new SessionLife();
  #resolveEnded!: () => void;
  /** Resolves after the session's teardown in this context; never rejects. */
  readonly ended: Promise<void> = new Promise((resolve) => {
    this.#resolveEnded = resolve;
  });

  /** @internal */
  constructor(layer: SessionLayer, id: string, uri: string, handlers: SessionHandlers) {
    this.layer = layer;
    this.id = id;
    this.uri = uri;
    this.handlers = handlers;
  }

  /** Which side of the session this context is on. */
  abstract readonly role: 'client' | 'server';

  /** Where the session is in its life. */
  get state(): SessionState {
    return this.#life.state;
  }

  /** The connections of this context in the session. */
  get connections(): readonly Connection[] {
    return [...this.#connections];
  }

  /** @internal */
  get session(): Session {
    return this;
  }

  /** Closes all connections of this context gracefully. Resolves after the session's teardown. */
  async close(): Promise<void> {
    this.step({ type: 'close' });
    if (this.#connections.size === 0) this.step({ type: 'lastConnectionGone' });
    await Promise.all([...this.#connections].map((connection) => connection.close()));
    await this.ended;
  }

  /** Closes gracefully: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  addConnection(connection: Connection): void {
    this.#connections.add(connection);
    this.layer.statistics.add('connectionsOpened');
    this.layer.statistics.add('connectionsOpen');
  }

  /** @internal */
  onConnectionOver(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.layer.forgetConnection(connection);
    this.layer.statistics.add('connectionsOpen', -1);
    if (this.#connections.size === 0) this.step({ type: 'lastConnectionGone' });
  }

  /** @internal */
  onConnectionAbandoned(connection: Connection): void {
    this.layer.wires.abandon(connection);
  }

  /** @internal */
  abstract onConnectionResuming(connection: Connection): void;
  /** @internal */
  abstract onConnectFailed(connection: Connection, error: HeddleError): void;
  /** @internal What the subclass says of the effects that only it knows about. */
  protected abstract describe(effect: 'announceRejected' | 'announceRefused'): SessionEvent;
  /** @internal The session is over: its maker forgets it. */
  protected abstract onOver(): void;

  /** @internal */
  step(event: SessionEventInput): void {
    for (const effect of this.#life.handle(event)) {
      switch (effect) {
        case 'announceEstablished':
          this.emit({ type: 'session-established', session: this });
          break;
        case 'announceRejected':
        case 'announceRefused':
          this.emit(this.describe(effect));
          break;
        case 'tearDown':
          this.emit({ type: 'session-teardown', session: this });
          this.onOver();
          this.#resolveEnded();
          this.layer.endTurnSoon();
          break;
      }
    }
  }

  /** @internal */
  emit(event: SessionEvent): void {
    this.layer.guard(() => this.handlers.onEvent?.(event));
  }
}
