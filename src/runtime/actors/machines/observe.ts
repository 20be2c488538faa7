import { HeddleError, requireInteger, requireKnownOptions } from '../../../errors.js';
import { requireSignal } from '../../../time-limits.js';
import { promiseOf } from '../../message/thenable.js';
import type { ActorContext } from '../actor-context.js';
import { actorStopped, contextLost, nodeLost } from '../actor-errors.js';
import type { FeedBatch } from '../bounded-feed.js';
import { internalDefinition, refOf, spawnInternal } from '../internal-definition.js';
import { Ref } from '../ref.js';
import type { ActorRef, AnyActorRef, Termination } from '../types.js';
import type { ObservableMessages, OutputOf, StateOf } from './machine-types.js';
import { observerMessages } from './observers.js';

/** Who is told the states of a machine. */
export interface StateObserver<S> {
  /**
   * The state that the machine is in, and from then on each that it comes to. While a promise that this returned is pending,
   * states wait, and of more than `capacity` the oldest are left out: `skipped` of them before this one.
   */
  next?(state: S, skipped: number): void | Promise<void>;
  /** The actor failed for good, its context or node is lost for good, or its states cannot be sent. Nothing follows. */
  error?(error: unknown): void;
  /** The actor stopped, as it does when the machine is done. Nothing follows. */
  complete?(): void;
}

/** How states are told. */
export interface ObserveOptions {
  /** States that may wait while the observer is busy, or on their way; 1: the newest only. Default: 16. */
  readonly capacity?: number | undefined;
}

/** What {@link observe} returns. */
export interface StateSubscription {
  /** Ends it: nothing is told any more. */
  unsubscribe(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}

interface ObserverArguments {
  readonly ref: Ref;
  readonly observer: StateObserver<unknown>;
  readonly capacity: number;
  /** Shared with the subscription, which ends it. */
  readonly control: { hasEnded: boolean };
}

const toldByWatch: readonly string[] = [
  'ERR_HEDDLE_CONTEXT_LOST',
  'ERR_HEDDLE_NODE_LOST',
  'ERR_HEDDLE_ACTOR_STOPPED',
  'ERR_HEDDLE_CLOSED',
];

/** Stands in this context for whoever observes. */
class ObserverState {
  readonly #arguments: ObserverArguments;
  readonly #actor: ActorContext;
  readonly #onPlace: (place: number) => void;

  constructor(given: ObserverArguments, actor: ActorContext) {
    this.#arguments = given;
    this.#actor = actor;
    actor.watch(given.ref as AnyActorRef);
    // A context that was replaced has the machine again, and knows nothing of its observers.
    this.#onPlace = (place) => {
      if (place === given.ref.place) this.#subscribe();
    };
    actor.cell.host.placeListeners.add(this.#onPlace);
    this.#subscribe();
  }

  #subscribe(): void {
    const { ref, capacity } = this.#arguments;
    const request = { observer: refOf(this.#actor), capacity };
    ref.ask(observerMessages.observe, request, { timeoutMs: Infinity }).catch((error: unknown) => {
      // Of these the watch tells, once it is certain.
      if (!(error instanceof HeddleError && toldByWatch.includes(error.code))) this.end(error);
    });
  }

  async next({ items, skipped }: FeedBatch): Promise<void> {
    let left = skipped;
    for (const item of items) {
      if (this.#arguments.control.hasEnded) return;
      await this.#guard(() => this.#arguments.observer.next?.(item, left));
      left = 0;
    }
  }

  /** An observer that throws is reported, and goes on. */
  async #guard(call: () => unknown): Promise<void> {
    const { cell } = this.#actor;
    try {
      const promise = promiseOf(call());
      if (promise !== undefined) await promise;
    } catch (error) {
      cell.host.reportFailure(cell.ref, error, 'resume');
    }
  }

  onTerminated({ reason }: Termination): void {
    const { ref } = this.#arguments;
    if (reason === 'stopped') this.end();
    else if (reason === 'context-lost') this.end(contextLost(ref.contextName));
    else if (reason === 'node-lost') this.end(nodeLost(ref.contextName));
    else if (reason === 'unknown') this.end(actorStopped(String(ref)));
    else this.end(new HeddleError('ERR_HEDDLE_ACTOR_FAILED', `${ref} failed, and was not restarted`));
  }

  /** Nothing is told any more, but that it ends, and the error if there is one. */
  end(...errors: unknown[]): void {
    const { cell } = this.#actor;
    cell.host.placeListeners.delete(this.#onPlace);
    const { observer, control } = this.#arguments;
    if (!control.hasEnded) {
      control.hasEnded = true;
      void this.#guard(() => (errors.length > 0 ? observer.error?.(errors[0]) : observer.complete?.()));
    }
    cell.stop('stopped');
  }
}

const observerDefinition = internalDefinition({
  name: 'heddle.observer',
  state: (given: ObserverArguments, actor) => new ObserverState(given, actor),
  handlers: {
    [observerMessages.next]: (state, batch: FeedBatch) => state.next(batch),
    [observerMessages.failed]: (state, error: unknown) => state.end(error),
  },
  onTerminated: (state, termination) => state.onTerminated(termination),
  onStop: (state) => state.end(),
  stopTimeoutMs: 0,
});

/**
 * Tells the states of a machine, which may live in any context: the one that it is in, and then every other that it comes
 * to; a restart is one more. Within a context they are the machine's own objects. An actor that calls this in a handler has it
 * end with its state.
 *
 * @example
 * const subscription = observe(order, {
 *   next: ({ value, context }) => console.log(value, context.tracking),
 *   complete: () => console.log('the order is through'),
 * });
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT
 */
export function observe<M extends ObservableMessages<M>>(
  ref: ActorRef<M>,
  observer: StateObserver<StateOf<M>> | ((state: StateOf<M>, skipped: number) => void | Promise<void>),
  options: ObserveOptions = {},
): StateSubscription {
  const machine = requireRef(ref);
  requireKnownOptions('observe', options, ['capacity']);
  const capacity = requireInteger('capacity', options.capacity ?? 16, 1, 65_536);
  const observing = (typeof observer === 'function' ? { next: observer } : observer) as StateObserver<unknown>;
  if (typeof observing !== 'object' || observing === null) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'observe() takes a function, or an object with next(state)');
  }
  const given: ObserverArguments = {
    ref: machine,
    observer: observing,
    capacity,
    control: { hasEnded: false },
  };
  const subscriber = spawnInternal(machine.host, observerDefinition, given);
  const unsubscribe = () => {
    given.control.hasEnded = true;
    subscriber.cell?.stop('stopped');
  };
  return { unsubscribe, [Symbol.dispose]: unsubscribe };
}

/** The state that a machine is in, when it comes to the question among its events. Rejects as an ask does. */
export function currentState<M extends ObservableMessages<M>>(ref: ActorRef<M>): Promise<StateOf<M>> {
  return requireRef(ref).ask(observerMessages.state) as Promise<StateOf<M>>;
}

/** How an output is waited for. */
export interface OutputOptions {
  /** Gives it up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * What the machine gives when it is done. Rejects with what {@link StateObserver.error} would be told, and with
 * `ERR_HEDDLE_ACTOR_STOPPED` when the actor stops before that. Waits as long as it takes, unless a signal ends it:
 * `ERR_HEDDLE_CANCELLED`.
 *
 * @example
 * const { tracking } = await outputOf(order, { signal: AbortSignal.timeout(60_000) });
 */
export function outputOf<M extends ObservableMessages<M>>(
  ref: ActorRef<M>,
  options: OutputOptions = {},
): Promise<OutputOf<M>> {
  return new Promise((resolve, reject) => {
    requireKnownOptions('outputOf', options, ['signal']);
    const { signal } = options;
    requireSignal(signal);
    let subscription: StateSubscription | undefined;
    const onAbort = () => {
      subscription?.unsubscribe();
      const text = `waiting for the output of ${ref} was cancelled by its signal`;
      reject(new HeddleError('ERR_HEDDLE_CANCELLED', text, { cause: signal?.reason }));
    };
    const settle = (how: () => void) => {
      signal?.removeEventListener('abort', onAbort);
      how();
    };
    if (signal?.aborted) {
      onAbort();
      return;
    }
    let output: unknown;
    let isDone = false;
    const observer: StateObserver<StateOf<M>> = {
      next: (state) => {
        const { status, output: given } = state as { status: string; output: unknown };
        if (status !== 'done') return;
        isDone = true;
        output = given;
      },
      error: (error) => settle(() => reject(error)),
      complete: () => settle(() => (isDone ? resolve(output as never) : reject(actorStopped(String(ref))))),
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    subscription = observe(ref, observer, { capacity: 1 });
  });
}

function requireRef(ref: unknown): Ref {
  if (ref instanceof Ref) return ref;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'only an actor that is a machine can be observed: give its ref');
}
