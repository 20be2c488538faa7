import { longestTimerMs } from '../../clock.js';
import { requireInteger, requireKnownOptions } from '../../errors.js';
import { requireFunction, requireOneOf } from './checks.js';

/** What a supervisor does about a child that failed. */
export type Directive =
  /** A new state by the definition's `state`; the mailbox is kept, the message that failed is not. */
  | 'restart'
  /** The child goes on with the state that it has. */
  | 'resume'
  /** The child stops. */
  | 'stop'
  /** The supervisor fails with the same error, and its own supervisor decides. */
  | 'escalate';

/** Which children a directive is for: the one that failed, it and those spawned after it, or all. */
export type SupervisionStrategy = 'one-for-one' | 'rest-for-one' | 'all-for-one';

/** How an actor, or the system, supervises its children. */
export interface SupervisionOptions {
  /** Default: `one-for-one`. */
  readonly strategy?: SupervisionStrategy | undefined;
  /** Default: `restart` for everything. What is not a directive counts as `escalate`, and so does throwing. */
  decide?(error: unknown): Directive;
  /** Restarts of one child within {@link withinMs} after which it is given up. Default: 10. */
  readonly maximumRestarts?: number | undefined;
  /** Default: 10 000. */
  readonly withinMs?: number | undefined;
  /** What happens to a child past its restarts. Default: `stop`. */
  readonly onLimit?: 'stop' | 'escalate' | undefined;
  /** Pause before the first restart; doubles with each restart within {@link withinMs}. Default: 0. */
  readonly backoffMs?: number | undefined;
  /** The longest pause. Default: 5000. */
  readonly maximumBackoffMs?: number | undefined;
}

/** {@link SupervisionOptions} with their defaults. */
export interface SupervisionSettings {
  readonly strategy: SupervisionStrategy;
  readonly decide: (error: unknown) => Directive;
  readonly maximumRestarts: number;
  readonly withinMs: number;
  readonly onLimit: 'stop' | 'escalate';
  readonly backoffMs: number;
  readonly maximumBackoffMs: number;
}

const strategies: readonly SupervisionStrategy[] = ['one-for-one', 'rest-for-one', 'all-for-one'];
const optionNames: readonly (keyof SupervisionOptions)[] = [
  'strategy',
  'decide',
  'maximumRestarts',
  'withinMs',
  'onLimit',
  'backoffMs',
  'maximumBackoffMs',
];

/** The options with their defaults. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function supervisionWith(options: SupervisionOptions = {}): SupervisionSettings {
  requireKnownOptions('supervision', options, optionNames);
  const strategy = options.strategy ?? 'one-for-one';
  requireOneOf('strategy', strategy, strategies);
  requireOneOf('onLimit', options.onLimit ?? 'stop', ['stop', 'escalate']);
  if (options.decide !== undefined) requireFunction('decide', options.decide);
  return {
    strategy,
    decide: (error) => options.decide?.(error) ?? 'restart',
    maximumRestarts: requireInteger('maximumRestarts', options.maximumRestarts ?? 10, 0, 1_000_000),
    withinMs: requireInteger('withinMs', options.withinMs ?? 10_000, 1, longestTimerMs),
    onLimit: options.onLimit ?? 'stop',
    backoffMs: requireInteger('backoffMs', options.backoffMs ?? 0, 0, longestTimerMs),
    maximumBackoffMs: requireInteger('maximumBackoffMs', options.maximumBackoffMs ?? 5000, 0, longestTimerMs),
  };
}
