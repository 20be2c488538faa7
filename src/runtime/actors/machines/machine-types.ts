import type { AnyStateMachine, EventFromLogic, OutputFrom, SnapshotFrom } from 'xstate';
import type { Protocol } from '../types.js';

/** The tags that the states of a machine with snapshots `S` may have. */
export type TagOf<S> = S extends Record<'hasTag', (tag: infer T) => boolean> ? T : string;

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

/** An event as a message: what it has beside its type is the payload, and the reply a state `S`. */
export type EventMessage<E, S> = keyof Omit<E, 'type'> extends never
  ? () => S
  : Record<never, never> extends Omit<E, 'type'>
    ? (payload?: Omit<E, 'type'>) => S
    : (payload: Omit<E, 'type'>) => S;

/**
 * The messages of a machine: its events, by their types; the payload is what an event has beside its type, the reply to an
 * ask the state that it led to.
 */
export type MachineMessages<TMachine extends AnyStateMachine> = {
  [K in EventFromLogic<TMachine>['type']]: EventMessage<
    Extract<EventFromLogic<TMachine>, Record<'type', K>>,
    MachineState<TMachine>
  >;
} & Observable<MachineState<TMachine>>;

/** What has states to observe; only the compiler sees it. */
export interface Observable<S> {
  /** Never there: says which states they are. */
  readonly [machineState]: () => S;
}

/** The states of the machine that takes messages `M`. */
export type StateOf<M> = M extends Observable<infer S> ? S : never;

/** What the machine that takes messages `M` gives when it is done. */
export type OutputOf<M> = StateOf<M> extends MachineState<infer TMachine> ? OutputFrom<TMachine> : never;

/** The messages of any machine that can be observed. */
export type ObservableMessages<M> = Protocol<M> & Observable<unknown>;
