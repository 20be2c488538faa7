import { errorCodes, HeddleError, RemoteError, thrownFacts } from '../../errors.js';

/** Longest stack that travels. */
const maximumStackCharacters = 2000;

/** An error as it travels: all of it plain. */
export interface WireActorError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
  /** Whether the runtime itself said so, with one of its own codes. */
  readonly isOwn: boolean;
}

/** An error, ready to travel. The inverse of {@link readError}. */
export function describeError(error: unknown): WireActorError {
  if (error instanceof RemoteError) return describeRemote(error);
  const { name, message, code, stack } = thrownFacts(error);
  return {
    name,
    message: message.slice(0, maximumStackCharacters),
    code,
    stack: stack?.slice(0, maximumStackCharacters),
    isOwn: error instanceof HeddleError && error.name === 'HeddleError',
  };
}

/** One that has come from elsewhere goes on as what it was there. */
function describeRemote({ remoteName, remoteCode, remoteStack, message }: RemoteError): WireActorError {
  const prefix = `${remoteName}: `;
  return {
    name: remoteName,
    message: (message.startsWith(prefix) ? message.slice(prefix.length) : message).slice(0, maximumStackCharacters),
    code: remoteCode,
    stack: remoteStack?.slice(0, maximumStackCharacters),
    isOwn: false,
  };
}

/** What an error from another context becomes here: the runtime's own as they were, others a RemoteError. */
export function readError(payload: unknown): Error {
  const { name, message, code, stack, isOwn } = payload as WireActorError;
  if (isOwn && code !== undefined && Object.hasOwn(errorCodes, code)) {
    return new HeddleError(code as keyof typeof errorCodes, message);
  }
  return new RemoteError({ name, message, code, stack });
}
