import { HeddleError, requireKnownOptions } from '../../errors.js';
import type { Link } from '../../transports/transport.js';
import { requirePrivateData, requireUris, type SetupBody } from './setup-body.js';

/** Longer reasons are cut. */
const maximumReasonCharacters = 1000;

/** How a decision is carried out. */
export interface SessionDecision {
  accept(portals: readonly string[] | undefined, privateData: Uint8Array | undefined): void;
  reject(reason: string, privateData: Uint8Array | undefined): void;
  redirect(services: readonly string[]): void;
  onDecided(): void;
}

/** A client's wish for a session, to be decided by the service once: by `accept`, `reject` or `redirect`. */
export class SessionRequest {
  /** The session's name, drawn at random by the client. */
  readonly sessionId: string;
  /** The URI that the client asked for. */
  readonly uri: string;
  /** What the client said beside it: up to 3840 bytes. */
  readonly privateData: Buffer;
  /** The client's address, as far as the transport knows it. */
  readonly peerAddress: string;
  /** Whether it has been decided. */
  isDecided = false;
  readonly #decision: SessionDecision;

  /** @internal */
  constructor(body: SetupBody, privateData: Buffer, link: Link, decision: SessionDecision) {
    this.sessionId = body.sessionId;
    this.uri = body.uri ?? '';
    this.privateData = privateData;
    this.peerAddress = link.peerAddress;
    this.#decision = decision;
  }

  /**
   * Accepts the session. With `portals`, the connections of the session go there, by index modulo their number: portals of
   * other contexts of this service, so that each connection of a client lands on a context of its own.
   */
  accept(answer: { portals?: readonly string[]; privateData?: Uint8Array } = {}): void {
    requireKnownOptions('accept', answer, ['portals', 'privateData']);
    if (answer.portals !== undefined) requireUris('portals', answer.portals);
    this.#decide(answer.privateData, (decision) => decision.accept(answer.portals, answer.privateData));
  }

  /** Rejects the session: the client gets the reason and the private data in its `session-rejected` event. */
  reject(reason = 'no reason given', privateData?: Uint8Array): void {
    const text = String(reason).slice(0, maximumReasonCharacters);
    this.#decide(privateData, (decision) => decision.reject(text, privateData));
  }

  /** Sends the client to other services; it asks them in this order until one answers. */
  redirect(...services: string[]): void {
    requireUris('services', services);
    this.#decide(undefined, (decision) => decision.redirect(services));
  }

  #decide(privateData: Uint8Array | undefined, carryOut: (decision: SessionDecision) => void): void {
    if (this.isDecided) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        `session ${this.sessionId} has been decided before: accept, reject or redirect it once`,
      );
    }
    requirePrivateData(privateData);
    this.isDecided = true;
    try {
      carryOut(this.#decision);
    } catch (error) {
      // It could not be said: another decision can be.
      this.isDecided = false;
      throw error;
    }
    this.#decision.onDecided();
  }
}
