import type { AnyStateMachine, EventFromLogic, EventObject, OutputFrom, SnapshotFrom } from 'xstate';
import type { Protocol } from '../types.js';

type TagOf<S> = S extends { hasTag(tag: infer T): boolean } ? T : string;

/** The state that an XState machine is in, as everybody else sees it: what of its snapshot is data. */
export interface MachineState<TMachine extends AnyStateMachine> {
  /** `done`: it has reached its final state; `error`: something that nobody caught was thrown. */
  readonly status: SnapshotFrom<TMachine>['status'];
  /** The state value: `'paying'`, or `{ shipping: 'packed' }` for nested states. `matchesState` of XState compares it. */
  readonly value: SnapshotFrom<TMachine>['value'];
  /** The machine's context. */
  readonly context: SnapshotFrom<TMachine>['context'];
  /** The tags of the states that it is in. */
  readonly tags: readonly TagOf<SnapshotFrom<TMachine>>[];
  /** What the machine gave when it was done. */
  readonly output: OutputFrom<TMachine> | undefined;
  /** What was thrown, when the status is `error`. */
  readonly error: unknown;
}

/** Where a ref to a machine says, only for the compiler, which states its machine has. */
export declare const machineState: unique symbol;

type WithoutType<E> = Omit<E, 'type'>;

type EventMessage<E, S> = keyof WithoutType<E> extends never
  ? () => S
  : Record<never, never> extends WithoutType<E>
    ? (payload?: WithoutType<E>) => S
    : (payload: WithoutType<E>) => S;

type EventMessages<E extends EventObject, S> = { [K in E['type']]: EventMessage<Extract<E, { type: K }>, S> };

/**
 * The messages of a machine: its events, by their types; the payload is what an event has beside its type, the reply to an
 * ask the state that it led to.
 */
export type MachineMessages<TMachine extends AnyStateMachine> = EventMessages<
  EventFromLogic<TMachine>,
  MachineState<TMachine>
> & { readonly [machineState]: () => MachineState<TMachine> };

/** The states of the machine that takes messages `M`. */
export type StateOf<M> = M extends { readonly [machineState]: () => infer S } ? S : never;

/** The messages of any machine that can be observed. */
export type ObservableMessages<M> = Protocol<M> & { readonly [machineState]: () => unknown };
