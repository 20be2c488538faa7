import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A secret for the tokens of a node's sessions. */
export function drawSecret(): Uint8Array {
  return randomBytes(32);
}

/**
 * What lets further connections into a session, at any context of the node that accepted it: only who was told the token
 * by that node knows it.
 */
export class SessionTokens {
  readonly #secret: Uint8Array;

  /** `secret` is shared by all contexts of a node; see {@link drawSecret}. */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  of(sessionId: string): string {
    return createHmac('sha256', this.#secret).update(sessionId).digest('hex');
  }

  /** Whether `token` is the session's. Takes the same time however much of it is right. */
  matches(sessionId: string, token: string): boolean {
    const expected = Buffer.from(this.of(sessionId));
    const given = Buffer.from(token);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}
