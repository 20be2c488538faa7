import type { WireActorError } from '../wire-error.js';

/** The name of the messages by which producers send theirs. */
export const reliableName = 'heddle.reliable';

/** A producer's message on its way. Sequence numbers begin with 1, and each message keeps its own however often it is sent. */
export interface ReliableData {
  readonly producer: string;
  readonly sequence: number;
  /** The lowest sequence number that the producer waits for: those before it are confirmed, or given up. */
  readonly first: number;
  readonly name: string;
  readonly payload: unknown;
}

/**
 * What a consumer does with a message: hands it to its handler; or has handled it before; or has not had the ones before
 * it; or is handling it still.
 */
export type Verdict = 'deliver' | 'duplicate' | 'gap' | 'busy';

/** What a consumer answers. */
export interface ReliableAck {
  /** All messages up to this one have been handled. */
  readonly confirmed: number;
  /** The consumer takes messages up to this one: its demand. */
  readonly granted: number;
  /** Whether this message came before those before it: they have to be sent again. */
  readonly isGap: boolean;
  /** The handler's error, when it failed. */
  readonly error: WireActorError | undefined;
}
