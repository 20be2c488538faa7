import { HeddleError, thrownFacts } from '../../errors.js';
import type { Message } from '../message/message.js';
import type { Connection } from '../session/connection.js';
import { type Introduction, readIntroduction } from './introduction.js';
import { type Conversation, drawNonce, isProof, prove, type Role } from './proof.js';

/**
 * How two contexts of different nodes come to trust each other, on a session that is of no other use until then:
 *
 * ```
 *   client                                            server
 *     session setup, private data: introduction   ->
 *                                                 <-  accept, private data: introduction
 *     request: step.prove, the client's proof     ->  checks it; a wrong one ends the session
 *     checks it                                   <-  response: done, the server's proof
 *     request: step.describe, its contexts        ->  only between the main contexts
 *                                                 <-  response: done, its contexts
 * ```
 *
 * The client proves first: who only asks learns nothing that was made with the secret. All of it is raw bytes, so that no
 * decoder of values is within reach of a stranger.
 */
export const step = { prove: 1, describe: 2 } as const;
/** First byte of a response. Behind `refused` stands why, as text. */
export const answer = { done: 0, refused: 1 } as const;

/** How long each step may take. */
export const handshakeTimeoutMs = 10_000;

export function stepBytes(kind: number, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([kind]), body]);
}

/** The body of a response. Throws what the other side refused with. */
export function readAnswer(message: Message): Buffer {
  const bytes = Buffer.from(message.data);
  if (bytes[0] === answer.done) return bytes.subarray(1);
  const [code = '', text = ''] = splitOnce(bytes.toString('utf8', 1));
  const known = code === 'ERR_HEDDLE_SECRET' || code === 'ERR_HEDDLE_INVALID_STATE' || code === 'ERR_HEDDLE_CLOSED';
  throw new HeddleError(known ? code : 'ERR_HEDDLE_REJECTED', `the other node refused: ${text.slice(0, 1000)}`);
}

/** The inverse of {@link readAnswer}, for an error. */
export function refusalBytes(error: unknown): Buffer {
  const code = error instanceof HeddleError ? error.code : 'ERR_HEDDLE_REJECTED';
  return stepBytes(answer.refused, Buffer.from(`${code} ${thrownFacts(error).message}`));
}

function splitOnce(text: string): string[] {
  const at = text.indexOf(' ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** What a side introduces itself as. */
export interface Identity {
  readonly node: string;
  readonly place: number;
}

export function introduce({ node, place }: Identity, key: Buffer): Introduction {
  return { node, place, nonce: drawNonce(), hasSecret: key.length > 0 };
}

/** One side's view of a connection that is being proved. */
export class Handshake {
  readonly #key: Buffer;
  readonly #role: Role;
  readonly own: Introduction;
  readonly peer: Introduction;
  readonly #connection: Connection;

  constructor(key: Buffer, role: Role, own: Introduction, peer: Introduction, connection: Connection) {
    this.#key = key;
    this.#role = role;
    this.own = own;
    this.peer = peer;
    this.#connection = connection;
  }

  /** For the client, once its session is accepted. Throws `ERR_HEDDLE_PROTOCOL` and `ERR_HEDDLE_VERSION`. */
  static ofClient(key: Buffer, own: Introduction, connection: Connection): Handshake {
    return new Handshake(key, 'client', own, readIntroduction(connection.session.peerPrivateData), connection);
  }

  proof(): Buffer {
    return prove(this.#key, this.#role, this.#conversation());
  }

  /** Throws `ERR_HEDDLE_SECRET` unless `given` shows that the other side knows the secret. */
  check(given: Uint8Array): void {
    const otherRole = this.#role === 'client' ? 'server' : 'client';
    if (isProof(given, this.#key, otherRole, this.#conversation())) return;
    const why =
      this.own.hasSecret === this.peer.hasSecret
        ? 'the secrets differ, or somebody stands between the two'
        : `the side of ${this.own.hasSecret ? this.peer.node : this.own.node} was given no secret, the other was`;
    throw new HeddleError(
      'ERR_HEDDLE_SECRET',
      `${this.peer.node} at ${this.#connection.peerAddress} could not prove the secret: ${why}`,
      { details: { node: this.peer.node, peerAddress: this.#connection.peerAddress } },
    );
  }

  #conversation(): Conversation {
    const [client, server] = this.#role === 'client' ? [this.own, this.peer] : [this.peer, this.own];
    return { client, server, channel: this.#connection.link?.channelBinding?.() ?? Buffer.alloc(0) };
  }
}
