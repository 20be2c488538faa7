import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { HeddleError } from '../../errors.js';

/** The version of everything that nodes say to each other; part of what is proved, so that nobody can talk it down. */
export const clusterVersion = 1;
/** Bytes of the random number that each side draws for each connection. */
export const nonceBytes = 32;
/** Bytes of a proof: an HMAC-SHA256. */
export const proofBytes = 32;
/** Shorter secrets could be tried out by who has seen one proof. */
const minimumSecretBytes = 16;

/** Which side of a connection proves: the one that opened it, or the one that listens. */
export type Role = 'client' | 'server';

/** One side of a connection. */
export interface Party {
  /** The id of its node. */
  readonly node: string;
  /** The number of its context there. */
  readonly place: number;
  /** What it drew for this connection. */
  readonly nonce: Uint8Array;
}

/** What a proof is about: both sides, and the channel between them where that has a name of its own (TLS). */
export interface Conversation {
  readonly client: Party;
  readonly server: Party;
  readonly channel: Uint8Array;
}

export function drawNonce(): Buffer {
  return randomBytes(nonceBytes);
}

/** The secret as a key; empty where there is none. Throws `ERR_HEDDLE_INVALID_ARGUMENT` for one that is too short. */
export function secretKey(secret: string | Uint8Array | undefined): Buffer {
  if (secret === undefined) return Buffer.alloc(0);
  const key = typeof secret === 'string' ? Buffer.from(secret) : Buffer.from(secret ?? '');
  if (key.length >= minimumSecretBytes) return key;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `secret must have at least ${minimumSecretBytes} bytes, not ${key.length}: randomBytes(32).toString('base64') makes one`,
  );
}

/**
 * What shows that who has `role` knows the secret: an HMAC-SHA256 by it over the version, the role, both nodes, contexts and
 * nonces, and the channel. The role keeps a proof from being sent back to who made it, the nonces from being used again.
 */
export function prove(key: Buffer, role: Role, { client, server, channel }: Conversation): Buffer {
  const hmac = createHmac('sha256', key);
  const fields = [
    Buffer.from(`heddle cluster ${clusterVersion}`),
    Buffer.from(role),
    Buffer.from(key.length === 0 ? 'open' : 'secret'),
    ...[client, server].flatMap(({ node, place, nonce }) => [Buffer.from(node), Buffer.from(String(place)), nonce]),
    channel,
  ];
  for (const field of fields) {
    // With its length before it, no field can be taken for another.
    const length = Buffer.alloc(4);
    length.writeUInt32LE(field.length);
    hmac.update(length).update(field);
  }
  return hmac.digest();
}

/** Whether `given` is the proof that this side makes of the same: compared in a time that tells nothing. */
export function isProof(given: Uint8Array, key: Buffer, role: Role, conversation: Conversation): boolean {
  return given.length === proofBytes && timingSafeEqual(given, prove(key, role, conversation));
}
