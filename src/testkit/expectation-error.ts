import { HeddleError } from '../errors.js';

/**
 * A probe got something else than the test expects. `expected` and `actual` stand where test runners look for them to
 * show the difference.
 */
export class ExpectationError extends HeddleError {
  /** What the test expects. */
  readonly expected: unknown;
  /** What there was instead. */
  readonly actual: unknown;

  /** @internal */
  constructor(message: string, expected: unknown, actual: unknown) {
    super('ERR_HEDDLE_EXPECTATION', message);
    this.name = 'ExpectationError';
    this.expected = expected;
    this.actual = actual;
  }
}
