import { RemoteError, thrownFacts } from '../../errors.js';
import type { Message } from '../message/message.js';

/** The error that a response flagged as one carries. The inverse of {@link writeError}. */
export function readError(message: Message): RemoteError {
  let fields: Record<string, unknown> = {};
  try {
    // `null` is JSON, too.
    fields = { ...(JSON.parse(message.data.toString()) as object) };
  } catch {
    // An error that does not parse is an error still.
  }
  return new RemoteError({
    name: typeof fields.name === 'string' ? fields.name : 'Error',
    message: typeof fields.message === 'string' ? fields.message : 'the other side gave no reason',
    code: typeof fields.code === 'string' ? fields.code : undefined,
    stack: typeof fields.stack === 'string' ? fields.stack : undefined,
  });
}

/** Longest stack that travels; the rest is cut. */
const maximumStackCharacters = 2000;

/**
 * An error as the data of a response: JSON, whatever the codec, so that both sides always understand it. What exceeds
 * `limitBytes` goes: first the stack, then the end of the message, in the end all.
 */
export function writeError(error: unknown, limitBytes: number): Buffer {
  const facts = thrownFacts(error);
  const { name, code } = facts;
  const fields = { name, message: facts.message.slice(0, maximumStackCharacters), code };
  const stack = facts.stack?.slice(0, maximumStackCharacters);
  for (const some of [{ ...fields, stack }, fields, { ...fields, message: fields.message.slice(0, 100) }, { name }]) {
    const bytes = Buffer.from(JSON.stringify(some));
    if (bytes.length <= limitBytes) return bytes;
  }
  return Buffer.alloc(0);
}
