import { finalizer } from 'comlink';
import { HeddleError, requireKnownOptions } from '../../../errors.js';
import { requireWaitMs } from '../../../time-limits.js';
import type { ActorContext } from '../actor-context.js';
import { actorStopped } from '../actor-errors.js';
import { type ActorDefinition, type ActorSpecification, defineActor } from '../definition.js';
import { ErrorReply } from '../error-reply.js';
import { ObjectEndpoint } from './object-endpoint.js';
import { objectMessages } from './object-messages.js';

/** Where a ref says, only for the compiler, which object its actor has. */
export declare const exposedObject: unique symbol;

/** The messages of an actor that has an object of type `T`: none to be sent by hand; `wrap` the ref. */
export interface ObjectMessages<T> {
  /** Never there: says which object it is. */
  readonly [exposedObject]: () => T;
}

/** What {@link defineObjectActor} takes. `A` is what the actor is spawned with, `T` the object. */
export interface ObjectActorSpecification<A, T>
  extends Pick<
    ActorSpecification<never, never, never>,
    'name' | 'mailbox' | 'supervision' | 'stopTimeoutMs' | 'isReentrant'
  > {
  /** Makes the object: at first, and anew at each restart. */
  create(args: A, actor: ActorContext): T | Promise<T>;
  /** Whether an error that the object threw at a caller fails the actor, too. Default: no error does. */
  isFailure?(error: unknown): boolean;
  /** How long a call of the object to a callback that it was given waits. Default: the system's `askTimeoutMs`, 5000. */
  readonly callbackTimeoutMs?: number | undefined;
}

interface ObjectState {
  readonly object: unknown;
  readonly endpoint: ObjectEndpoint;
}

const parts = [
  'name',
  'create',
  'isFailure',
  'callbackTimeoutMs',
  'isReentrant',
  'mailbox',
  'supervision',
  'stopTimeoutMs',
];

/**
 * Defines an actor that is a plain object, an instance of a class for one, which comlink exposes: `wrap(ref)` is a proxy of
 * it. One call at a time, those that return promises included, unless `isReentrant` is set, as it has to be where
 * the object waits for a callback that calls the object again. What a method throws goes to its caller alone.
 *
 * @example
 * export const Library = defineObjectActor(import.meta.url, {
 *   name: 'library',
 *   create: ({ shelves }: { shelves: number }) => new LibraryOfBooks(shelves),
 * });
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT
 */
export function defineObjectActor<A, T>(
  module: string | URL,
  specification: ObjectActorSpecification<A, T>,
): ActorDefinition<A, ObjectMessages<T>> {
  requireKnownOptions('defineObjectActor', specification, parts);
  const { name, mailbox, supervision, stopTimeoutMs, isReentrant, callbackTimeoutMs, create, isFailure } =
    specification;
  for (const [part, value] of Object.entries({ create, isFailure })) {
    if (typeof value === 'function' || (value === undefined && part !== 'create')) continue;
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${part} of actor ${name} must be a function`);
  }
  if (callbackTimeoutMs !== undefined) requireWaitMs('callbackTimeoutMs', callbackTimeoutMs);
  const definition = defineActor(module, {
    name,
    mailbox,
    supervision,
    stopTimeoutMs,
    isReentrant,
    state: async (args: A, actor: ActorContext): Promise<ObjectState> => {
      const object = await specification.create(args, actor);
      return { object, endpoint: new ObjectEndpoint(object, actor.cell, callbackTimeoutMs) };
    },
    handlers: {
      async [objectMessages.call]({ endpoint }, request: unknown) {
        try {
          return await endpoint.call(request);
        } catch (error) {
          throw specification.isFailure?.(error) === true ? error : new ErrorReply(error);
        }
      },
    },
    onStop: async ({ object, endpoint }, _reason, actor) => {
      endpoint.end(actorStopped(`${actor.cell.ref}, or its object,`));
      const last = (object as { [finalizer]?: () => unknown } | null)?.[finalizer];
      if (typeof last === 'function') await last.call(object);
    },
  });
  return definition as unknown as ActorDefinition<A, ObjectMessages<T>>;
}
