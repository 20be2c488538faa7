import type { ActorContext } from './actor-context.js';
import type { ActorSpecification, Handlers } from './definition.js';
import type { Termination } from './types.js';

/** Signals: entries of the mailbox that the runtime itself puts there, so that they keep the order. */
export const signals = {
  terminated: Symbol('terminated'),
  receiveTimeout: Symbol('receiveTimeout'),
  stop: Symbol('stop'),
} as const;

/** Has the definition take a signal, where it wants to. */
export function callSignalHandler(
  specification: ActorSpecification<unknown, unknown, Handlers<unknown>>,
  name: symbol,
  state: unknown,
  payload: unknown,
  actor: ActorContext,
): unknown {
  if (name === signals.terminated) return specification.onTerminated?.(state, payload as Termination, actor);
  return specification.onReceiveTimeout?.(state, actor);
}
