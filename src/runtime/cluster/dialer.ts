import { HeddleError } from '../../errors.js';
import { mainPlace } from '../actors/places.js';
import type { Message } from '../message/message.js';
import type { Connection } from '../session/connection.js';
import { Handshake, handshakeTimeoutMs, introduce, readAnswer, step, stepBytes } from './handshake.js';
import {
  type Introduction,
  type NodeDescription,
  readDescription,
  writeDescription,
  writeIntroduction,
} from './introduction.js';
import type { NodeLinks } from './node-links.js';
import { secretKey } from './proof.js';

export interface DialOptions {
  /** What this side proves; undefined: the system's own secret. */
  readonly secret: string | undefined;
  /**
   * The other side has said who it is, and nothing is proved yet: throws to leave it at that. Between main contexts it
   * returns what this node describes itself by.
   */
  onIntroduced(peer: Introduction): NodeDescription | undefined;
}

const noDescription: NodeDescription = { node: '', contexts: [], receptionist: { slot: 0, generation: 0 } };

/**
 * Opens a connection with a context of another node and attaches it, once both sides have proved the secret. Resolves
 * to the other node's description, where one was exchanged.
 */
export async function dial(links: NodeLinks, uri: string, options: DialOptions): Promise<NodeDescription> {
  const { host } = links;
  const { secret } = options;
  const key = secret === undefined ? links.key : secretKey(secret);
  const own = introduce({ node: host.systemId, place: host.place }, key);
  const session = host.context.open(uri, {
    privateData: writeIntroduction(own),
    options: links.options,
    ...links.handlers(() => {}),
  });
  const connection = session.connection;
  try {
    await connection.online;
    const handshake = Handshake.ofClient(key, own, connection);
    const description = options.onIntroduced(handshake.peer);
    return await new Promise<NodeDescription>((resolve, reject) => {
      // What follows a response may be delivered before a promise's reactions run: the connection is attached at once.
      ask(connection, stepBytes(step.prove, handshake.proof()), reject, (proof) => {
        handshake.check(proof);
        if (description === undefined) {
          links.attach(connection, handshake.peer);
          resolve(noDescription);
          return;
        }
        ask(connection, stepBytes(step.describe, writeDescription(description)), reject, (bytes) => {
          const theirs = readDescription(bytes);
          if (theirs.node !== handshake.peer.node) {
            throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'the other node describes itself as another one');
          }
          const main = theirs.contexts.filter(({ place }) => place === mainPlace);
          void links.enter({ node: theirs.node, contexts: main, isDialer: true, secret });
          links.attach(connection, handshake.peer);
          resolve(theirs);
        });
      });
    });
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

function ask(
  connection: Connection,
  bytes: Buffer,
  reject: (error: unknown) => void,
  onAnswer: (body: Buffer) => void,
): void {
  const waiter = {
    onResponse: (message: Message) => {
      try {
        onAnswer(readAnswer(message));
      } catch (error) {
        reject(error);
      }
    },
    onError: reject,
  };
  connection.requestWith(bytes, waiter, { timeoutMs: handshakeTimeoutMs });
}
