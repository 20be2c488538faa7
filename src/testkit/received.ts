import { inspect } from 'node:util';
import type { Origin } from '../runtime/actors/mailbox.js';
import type { MessageName, Protocol, ReplyOf } from '../runtime/actors/types.js';

/** What a message of a protocol carries. */
export type PayloadOf<M, K extends keyof M> = M[K] extends (...payload: infer P) => unknown ? P[0] : never;

/** A message that a {@link Probe} got. */
export interface ReceivedMessage<M extends Protocol<M>, K extends MessageName<M> = MessageName<M>> {
  /** Which message it is. */
  readonly name: K;
  /** What it carried. */
  readonly payload: PayloadOf<M, K>;
  /** Whether its sender waits for a reply. */
  readonly isAsk: boolean;
  /** When it came, in milliseconds of the kit's time. */
  readonly atMs: number;
  /** Answers an ask. Harmless when nobody asked, or it was answered before. */
  reply(value: ReplyOf<M, K>): void;
  /** Answers an ask with an error. Harmless as {@link reply} is. */
  refuse(error: Error): void;
}

/** The one implementation: whatever the protocol. */
export class Received {
  readonly name: string;
  readonly payload: unknown;
  readonly atMs: number;
  readonly #answer: Origin | undefined;

  constructor(name: string, payload: unknown, atMs: number, answer: Origin | undefined) {
    this.name = name;
    this.payload = payload;
    this.atMs = atMs;
    this.#answer = answer;
  }

  get isAsk(): boolean {
    return this.#answer !== undefined;
  }

  reply(value: unknown): void {
    this.#answer?.reply(value);
  }

  refuse(error: Error): void {
    this.#answer?.replyError(error);
  }
}

/** A message, for messages to people. */
export function describeMessage(name: string, payload: unknown): string {
  if (payload === undefined) return name;
  return `${name} ${inspect(payload, { depth: 4, breakLength: Infinity, maxStringLength: 200, maxArrayLength: 20 })}`;
}
