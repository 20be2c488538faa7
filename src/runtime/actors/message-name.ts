import { describe, HeddleError } from '../../errors.js';

/** What is wrong with the name of a message, if it is no text: the runtime's own signals have symbols for names. */
export function problemOfName(name: unknown): HeddleError | undefined {
  if (typeof name === 'string') return undefined;
  return new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `the name of a message is a text, that of one of the actor's handlers, not ${describe(name)}`,
  );
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `name` can be that of a message. */
export function requireMessageName(name: unknown): void {
  const problem = problemOfName(name);
  if (problem !== undefined) throw problem;
}
