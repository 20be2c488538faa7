import type { ActorContext } from './actor-context.js';
import type { Cell } from './cell.js';
import { type AnySpecification, unhandled } from './definition.js';
import type { Mailbox } from './mailbox.js';
import type { Termination } from './types.js';

/** Signals: entries of the mailbox that the runtime itself puts there, so that they keep the order. */
export const signals = {
  terminated: Symbol('terminated'),
  receiveTimeout: Symbol('receiveTimeout'),
  stop: Symbol('stop'),
} as const;

/** Stops the actor, or has the definition take a signal, where it wants to. */
export function callSignalHandler(
  specification: AnySpecification,
  name: symbol,
  state: unknown,
  payload: unknown,
  actor: ActorContext,
): unknown {
  if (name === signals.stop) return actor.cell.stop('stopped');
  if (name === signals.terminated) return specification.onTerminated?.(state, payload as Termination, actor);
  // It waited behind messages, perhaps, and they were handled only now.
  if (!actor.cell.timers.takeReceiveTimeout()) return undefined;
  return specification.onReceiveTimeout?.(state, actor);
}

/** Has the definition take a message for which it has no handler; where it does not either, the sender learns of it. */
export function callReceive(
  specification: AnySpecification,
  state: unknown,
  { name, payload, origin }: Mailbox,
  { inbox, context }: Cell,
): unknown {
  const message = name as string;
  const result =
    specification.receive === undefined ? unhandled : specification.receive(state, message, payload, context);
  return result === unhandled ? inbox.refuseUnknown(message, payload, origin) : result;
}
