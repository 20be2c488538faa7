import type { AnyStateMachine, InputFrom, Snapshot } from 'xstate';
import { HeddleError, requireKnownOptions } from '../../../errors.js';
import { promiseOf } from '../../message/thenable.js';
import type { ActorContext } from '../actor-context.js';
import { type ActorDefinition, type ActorSpecification, defineActor } from '../definition.js';
import type { Ref } from '../ref.js';
import { MachineRunner } from './machine-runner.js';
import type { MachineMessages } from './machine-types.js';
import { observersOf } from './observers.js';

/** Where the states of machines are kept, so that a restart goes on where the last one was. */
export interface MachinePersistence<TMachine extends AnyStateMachine> {
  /** The snapshot that {@link save} was last given for a machine with that input; undefined: begin anew. */
  load(
    input: InputFrom<TMachine>,
    actor: ActorContext,
  ): Snapshot<unknown> | undefined | Promise<Snapshot<unknown> | undefined>;
  /**
   * Called after every transition with what XState's `getPersistedSnapshot` gives, which can be written as JSON as far as
   * the machine's context can; never with a snapshot of an error. What it throws fails the actor. So does a promise of its
   * that is rejected; the machine goes on before that is settled.
   */
  save(snapshot: Snapshot<unknown>, input: InputFrom<TMachine>, actor: ActorContext): void | Promise<void>;
}

/** What {@link defineMachineActor} takes. */
export interface MachineActorSpecification<TMachine extends AnyStateMachine>
  extends Pick<ActorSpecification<never, never, never>, 'name' | 'mailbox' | 'supervision' | 'stopTimeoutMs'> {
  /** The machine; or what makes it, for one whose actions need the actor: `(actor) => machine.provide({ actions: ... })`. */
  readonly machine: TMachine | ((actor: ActorContext) => TMachine);
  /** What XState's `log` actions call. Default: `console.log`. */
  readonly logger?: ((...items: unknown[]) => void) | undefined;
  /** Keeps states through restarts. Default: a restart begins anew, from the same input. */
  readonly persistence?: MachinePersistence<TMachine> | undefined;
}

const parts = ['name', 'machine', 'logger', 'persistence', 'mailbox', 'supervision', 'stopTimeoutMs'];

/**
 * Defines an actor that is an XState machine (version 5). It is spawned with the machine's input; its messages are the
 * machine's events, by their types; an ask resolves to the state that the event led to. `after` runs on the system's
 * clock, and invoked promises, callbacks and machines run beside it as ever. When the machine is done the actor stops; when it
 * ends in an error the actor has failed, and its supervisor decides. {@link observe} tells its states, anywhere.
 *
 * @example
 * export const Lamp = defineMachineActor(import.meta.url, { name: 'lamp', machine: lampMachine });
 *
 * const lamp = await system.spawn(Lamp, { watts: 40 });
 * const { value } = await lamp.ask('toggle');
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT
 */
export function defineMachineActor<TMachine extends AnyStateMachine>(
  module: string | URL,
  specification: MachineActorSpecification<TMachine>,
): ActorDefinition<InputFrom<TMachine>, MachineMessages<TMachine>> {
  requireKnownOptions('defineMachineActor', specification, parts);
  const { name, mailbox, supervision, stopTimeoutMs, machine, logger, persistence } = specification;
  if (typeof machine !== 'function' && typeof machine?.getInitialSnapshot !== 'function') {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `actor ${name} needs a machine, or a function that makes it`);
  }
  const start = (input: InputFrom<TMachine>, actor: ActorContext, snapshot: Snapshot<unknown> | undefined) =>
    new MachineRunner({
      machine: typeof machine === 'function' ? machine(actor) : machine,
      input,
      snapshot,
      cell: actor.cell,
      observers: observersOf(actor),
      logger,
      save: persistence && ((saved) => persistence.save(saved, input, actor)),
    });
  const definition = defineActor(module, {
    name,
    mailbox,
    supervision,
    stopTimeoutMs,
    state: (input: InputFrom<TMachine>, actor) => {
      const loaded = persistence?.load(input, actor);
      const loading = promiseOf(loaded) as Promise<Snapshot<unknown> | undefined> | undefined;
      if (loading !== undefined) return loading.then((snapshot) => start(input, actor, snapshot));
      return start(input, actor, loaded as Snapshot<unknown> | undefined);
    },
    handlers: {},
    receive: (runner, message, payload) => runner.receive(message, payload),
    onTerminated: (_runner, { ref }, actor) => observersOf(actor).remove(ref as Ref),
    onStop: (runner, reason) => runner.stop(reason),
  });
  return definition as unknown as ActorDefinition<InputFrom<TMachine>, MachineMessages<TMachine>>;
}
