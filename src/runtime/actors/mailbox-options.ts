import { describe, HeddleError, requireInteger, requireKnownOptions } from '../../errors.js';
import { requireOneOf } from './checks.js';

/** What happens to a message when the mailbox is full. */
export type OverflowPolicy =
  /** `tell` returns false from {@link MailboxOptions.highWater} on; what is sent past the capacity becomes a dead letter. */
  | 'backpressure'
  /** The message that comes is dropped. */
  | 'drop-newest'
  /** The message that has waited longest is dropped. */
  | 'drop-oldest'
  /** `tell` throws `ERR_HEDDLE_MAILBOX_FULL` in the actor's context; elsewhere the message is dropped. */
  | 'fail';

/** How an actor's mailbox is bounded. */
export interface MailboxOptions {
  /**
   * Messages that may wait. Default: 8192. Under `backpressure` each other context may have up to 4096 more on their
   * way or waiting.
   */
  readonly capacity?: number | undefined;
  /**
   * Under `backpressure`: from so many waiting messages on `tell` returns false, and `ready()` resolves when half of them
   * are left. Default: half the capacity. Fewer are better where one actor fills the mailboxes of many: more than fits the
   * core's own cache makes everything slower.
   */
  readonly highWater?: number | undefined;
  /** Default: `backpressure`. */
  readonly whenFull?: OverflowPolicy | undefined;
  /** Messages that wait ahead of all others: their names. They count among those that wait. */
  readonly urgent?: readonly string[] | undefined;
  /** Messages that `actor.stash()` may set aside. Default: 1024. */
  readonly stashCapacity?: number | undefined;
}

/** Mailbox options with their defaults. */
export interface MailboxSettings {
  readonly capacity: number;
  readonly highWater: number;
  readonly whenFull: OverflowPolicy;
  readonly urgent: ReadonlySet<string> | undefined;
  readonly stashCapacity: number;
}

const policies: readonly OverflowPolicy[] = ['backpressure', 'drop-newest', 'drop-oldest', 'fail'];
const defaults: MailboxSettings = {
  capacity: 8192,
  highWater: 4096,
  whenFull: 'backpressure',
  urgent: undefined,
  stashCapacity: 1024,
};
const maximumCapacity = 2 ** 24;

/** The options with their defaults. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function mailboxOptionsWith(options: MailboxOptions | undefined): MailboxSettings {
  if (options === undefined) return defaults;
  requireKnownOptions('mailbox', options, Object.keys(defaults));
  const whenFull = options.whenFull ?? defaults.whenFull;
  requireOneOf('whenFull', whenFull, policies);
  if (options.urgent !== undefined && !Array.isArray(options.urgent)) {
    const text = `urgent must be a list of names, not ${describe(options.urgent)}`;
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', text);
  }
  const capacity = requireInteger('capacity', options.capacity ?? defaults.capacity, 1, maximumCapacity);
  const highWater = options.highWater ?? Math.ceil(capacity / 2);
  return {
    capacity,
    highWater: requireInteger('highWater', highWater, 1, capacity),
    whenFull,
    urgent: options.urgent === undefined || options.urgent.length === 0 ? undefined : new Set(options.urgent),
    stashCapacity: requireInteger('stashCapacity', options.stashCapacity ?? defaults.stashCapacity, 0, maximumCapacity),
  };
}
