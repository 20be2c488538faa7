import { HeddleError, requireKnownOptions } from '../../errors.js';
import { requireDuration, requireFunction } from './checks.js';
import type { ActorSpecification } from './definition.js';
import { mailboxOptionsWith } from './mailbox-options.js';
import { supervisionWith } from './supervision.js';

/** Every part that a specification can have, so that one which is misspelt is found: true where it is a function. */
const parts: Record<keyof ActorSpecification<unknown, unknown, unknown>, boolean> = {
  name: false,
  state: true,
  handlers: false,
  mailbox: false,
  supervision: false,
  isReentrant: false,
  stopTimeoutMs: false,
  receiveTimeoutMs: false,
  onReceiveTimeout: true,
  onTerminated: true,
  onStop: true,
  receive: true,
};

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` for what the compiler would not take, or would not see: now, not at a spawn. */
export function checkSpecification(module: string, specification: unknown): void {
  requireKnownOptions('defineActor', specification, Object.keys(parts));
  const given = specification as Record<string, unknown>;
  const { name, handlers } = given;
  if (typeof name !== 'string' || name === '') {
    throw invalid(`an actor needs a name, unique in its module: module=${module}`);
  }
  if (given.state === undefined) throw invalid(`actor ${name} needs state(args), which makes what its handlers get`);
  if (typeof handlers !== 'object' || handlers === null) {
    throw invalid(`actor ${name} needs handlers, an object with a function for each message`);
  }
  for (const [part, isFunction] of Object.entries(parts)) {
    if (isFunction && given[part] !== undefined) requireFunction(`${part} of actor ${name}`, given[part]);
  }
  for (const [message, handler] of Object.entries(handlers)) {
    requireFunction(`the handler ${message} of actor ${name}`, handler);
  }
  for (const part of ['stopTimeoutMs', 'receiveTimeoutMs']) {
    if (given[part] !== undefined) requireDuration(`${part} of actor ${name}`, given[part]);
  }
  const { urgent } = mailboxOptionsWith(given.mailbox as Parameters<typeof mailboxOptionsWith>[0]);
  // An actor that takes whatever comes may have names that its handlers do not show.
  for (const message of given.receive === undefined ? (urgent ?? []) : []) {
    if (!Object.hasOwn(handlers, message)) {
      throw invalid(`urgent: actor ${name} has no handler ${message}; it has ${Object.keys(handlers).join(', ')}`);
    }
  }
  supervisionWith(given.supervision as Parameters<typeof supervisionWith>[0]);
}

function invalid(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', message);
}
