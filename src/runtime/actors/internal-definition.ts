import type { ActorContext } from './actor-context.js';
import { Cell } from './cell.js';
import type { ActorSpecification, AnyDefinition, Handlers } from './definition.js';
import { HandlerTable } from './handler-table.js';
import type { ActorHost } from './host.js';
import type { Ref } from './ref.js';

/**
 * The definition of an actor of the runtime's own, which lives in the context that makes it. Its arguments go by reference,
 * also where a test has everything else go through the codec.
 */
export function internalDefinition<S, A>(specification: ActorSpecification<S, A, Handlers<S>>): AnyDefinition {
  return {
    name: specification.name,
    module: import.meta.url,
    specification,
    handlers: new HandlerTable(specification.handlers),
    cellClass: Cell,
  } as AnyDefinition;
}

/** Makes such an actor. It ends, at the latest, with the state of its owner: the actor whose handler runs now, if one does. */
export function spawnInternal(host: ActorHost, definition: AnyDefinition, args: unknown, owner = host.current): Ref {
  const ref = host.spawner.spawnHere(host.internals, definition, args);
  const cell = ref.cell as Cell;
  if (owner !== undefined && !cell.isGone) {
    const forget = owner.endings.add(() => cell.stop('stopped'));
    cell.endings.add(forget);
  }
  return ref;
}

/** The ref of the actor that has this context object. */
export function refOf(actor: ActorContext): Ref {
  return actor.cell.ref;
}
