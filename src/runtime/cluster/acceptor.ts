import { HeddleError } from '../../errors.js';
import { mainPlace } from '../actors/places.js';
import type { Message } from '../message/message.js';
import type { Connection } from '../session/connection.js';
import type { SessionRequest } from '../session/session-request.js';
import { answer, Handshake, handshakeTimeoutMs, introduce, refusalBytes, step, stepBytes } from './handshake.js';
import {
  type Introduction,
  readDescription,
  readIntroduction,
  writeDescription,
  writeIntroduction,
} from './introduction.js';
import type { NodeLinks } from './node-links.js';

/** Sessions of strangers that may be under way at a time. */
const maximumStrangers = 256;

/** The listening side of handshakes: see {@link Handshake} for their steps. */
export class Acceptor {
  readonly #links: NodeLinks;
  /** Sessions that have introduced themselves, by id; each may prove itself once. */
  readonly #strangers = new Map<string, { own: Introduction; peer: Introduction; timer: { cancel(): void } }>();
  /** Connections that have proved the secret, and have not described their node yet. */
  readonly #proved = new Map<Connection, Introduction>();

  constructor(links: NodeLinks) {
    this.#links = links;
  }

  onSession(request: SessionRequest): void {
    const { host, key } = this.#links;
    try {
      if (this.#strangers.size >= maximumStrangers) {
        throw new HeddleError(
          'ERR_HEDDLE_REJECTED',
          `more than maximumStrangers=${maximumStrangers} prove themselves now`,
        );
      }
      const peer = readIntroduction(request.privateData);
      if (peer.node === host.systemId)
        throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'a node cannot connect to itself');
      const own = introduce({ node: host.systemId, place: host.place }, key);
      const timer = host.clock.setTimer(handshakeTimeoutMs, () => this.#onSilence(request.sessionId), true);
      this.#strangers.set(request.sessionId, { own, peer, timer });
      request.accept({ privateData: writeIntroduction(own) });
    } catch (error) {
      this.#links.owner?.onRefused(error as HeddleError);
      request.reject((error as Error).message);
    }
  }

  onRequest(message: Message, connection: Connection): unknown {
    const bytes = Buffer.from(message.data);
    try {
      if (bytes[0] === step.prove) {
        this.#onProof(bytes.subarray(1), message, connection);
        return undefined;
      }
      const introduction = this.#proved.get(connection);
      this.#proved.delete(connection);
      if (bytes[0] !== step.describe || introduction === undefined) {
        throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the handshake does not go like this');
      }
      message.keep();
      return this.#onDescription(bytes.subarray(1), introduction, message, connection);
    } catch (error) {
      this.#refuse(error, message, connection);
      return undefined;
    }
  }

  /** The connection has ended. */
  forget(connection: Connection): void {
    this.#proved.delete(connection);
    const stranger = this.#strangers.get(connection.session.id);
    stranger?.timer.cancel();
    this.#strangers.delete(connection.session.id);
  }

  #onProof(proof: Buffer, message: Message, connection: Connection): void {
    const links = this.#links;
    const stranger = this.#strangers.get(connection.session.id);
    // What was drawn for this session serves once, whatever comes of it.
    this.#strangers.delete(connection.session.id);
    if (stranger === undefined) throw new HeddleError('ERR_HEDDLE_SECRET', 'this session may not prove itself again');
    stranger.timer.cancel();
    const { own, peer } = stranger;
    const handshake = new Handshake(links.key, 'server', own, peer, connection);
    handshake.check(proof);
    if (peer.place === mainPlace && links.owner !== undefined) {
      this.#proved.set(connection, peer);
      message.respond(stepBytes(answer.done, handshake.proof()));
      return;
    }
    if (!links.knows(peer.node)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        `node ${peer.node} is not connected: its main context has to be first`,
      );
    }
    message.respond(stepBytes(answer.done, handshake.proof()));
    links.attach(connection, peer);
  }

  async #onDescription(bytes: Buffer, peer: Introduction, message: Message, connection: Connection): Promise<void> {
    try {
      const description = readDescription(bytes);
      if (description.node !== peer.node) {
        throw new HeddleError('ERR_HEDDLE_PROTOCOL', `node ${peer.node} describes itself as another one`);
      }
      const own = await this.#links.owner!.onNode(description);
      if (connection.isOver) return;
      message.respond(stepBytes(answer.done, writeDescription(own)));
      this.#links.attach(connection, peer);
    } catch (error) {
      this.#refuse(error, message, connection);
    }
  }

  #refuse(error: unknown, message: Message, connection: Connection): void {
    if (error instanceof HeddleError) this.#links.owner?.onRefused(error);
    if (connection.isOver) return;
    message.respond(refusalBytes(error));
    void connection.close();
  }

  #onSilence(sessionId: string): void {
    if (!this.#strangers.delete(sessionId)) return;
    const session = this.#links.serverSession(sessionId);
    const error = new HeddleError('ERR_HEDDLE_TIMEOUT', `a peer did not prove itself within ${handshakeTimeoutMs} ms`);
    for (const connection of session?.connections ?? []) connection.destroy(error);
  }
}
