import { type AnyActor, type AnyMachineSnapshot, type AnyStateMachine, createActor, type Snapshot } from 'xstate';
import type { Clock, Timer } from '../../../clock.js';
import { promiseOf } from '../../message/thenable.js';
import { actorStopped } from '../actor-errors.js';
import { keepingBuffers } from '../buffers.js';
import type { Cell } from '../cell.js';
import { unhandled } from '../definition.js';
import { ErrorReply } from '../error-reply.js';
import { signals } from '../signals.js';
import { inspectionOf } from './inspection.js';
import type { MachineState } from './machine-types.js';
import { type Observers, observerMessages } from './observers.js';

/** What a machine runs with. */
export interface MachineRunnerParts {
  readonly machine: AnyStateMachine;
  readonly input: unknown;
  readonly snapshot: Snapshot<unknown> | undefined;
  readonly cell: Cell;
  readonly observers: Observers;
  readonly logger: ((...items: unknown[]) => void) | undefined;
  readonly save: ((snapshot: Snapshot<unknown>) => unknown) | undefined;
}

/** What of a snapshot is data: it can travel. */
export function stateOf(snapshot: AnyMachineSnapshot): MachineState<AnyStateMachine> {
  const { status, value, context, tags, output, error } = snapshot;
  const state = { status, value, context, tags: [...tags], output, error } as MachineState<AnyStateMachine>;
  return keepingBuffers(state);
}

/** XState's clock, which is the host's. */
function machineClock(clock: Clock) {
  return {
    setTimeout: (callback: () => void, delayMs: number): Timer => clock.setTimer(delayMs, callback),
    clearTimeout: (timer: Timer | undefined): void => timer?.cancel(),
  };
}

/** A machine that runs: the state of its actor. */
export class MachineRunner {
  readonly #actor: AnyActor;
  readonly #cell: Cell;
  readonly #observers: Observers;
  readonly #eventTypes: ReadonlySet<string>;
  readonly #takesAnyEvent: boolean;
  readonly #save: ((snapshot: Snapshot<unknown>) => unknown) | undefined;
  /** What the machine throws meanwhile goes to who sent the event, and to the supervisor by way of them. */
  #isInCall = true;
  #isStopping = false;

  /** Throws what the machine's first transition throws. */
  constructor({ machine, input, snapshot, cell, observers, logger, save }: MachineRunnerParts) {
    this.#cell = cell;
    this.#observers = observers;
    this.#save = save;
    this.#eventTypes = new Set(machine.events);
    this.#takesAnyEvent = machine.events.some((type) => type.endsWith('*'));
    const inspection = inspectionOf(cell.host);
    this.#actor = createActor(machine, {
      input,
      ...(snapshot !== undefined && { snapshot }),
      ...(logger !== undefined && { logger }),
      clock: machineClock(cell.host.clock),
      inspect: (event) => inspection.publish(event, cell.ref),
    });
    inspection.add(this.#actor, cell.ref);
    this.#actor.subscribe({
      next: (next) => this.#onSnapshot(next as AnyMachineSnapshot),
      error: (error) => this.#onError(error),
    });
    this.#actor.start();
    this.#isInCall = false;
    this.#throwError();
  }

  get #snapshot(): AnyMachineSnapshot {
    return this.#actor.getSnapshot() as AnyMachineSnapshot;
  }

  /** An event, or what the runtime wants to know of the machine. */
  receive(name: string, payload: unknown): unknown {
    if (name === observerMessages.observe)
      return this.#observers.add(payload, stateOf(this.#snapshot), this.#cell.context);
    if (name === observerMessages.state) return stateOf(this.#snapshot);
    const isEvent = payload === undefined || (typeof payload === 'object' && payload !== null);
    if (!isEvent || !(this.#eventTypes.has(name) || this.#takesAnyEvent)) return unhandled;
    if (this.#snapshot.status === 'done') throw new ErrorReply(actorStopped(String(this.#cell.ref)));
    this.#throwError();
    this.#isInCall = true;
    try {
      this.#actor.send({ ...payload, type: name });
    } finally {
      this.#isInCall = false;
    }
    // What was invoked may have settled promises by now.
    this.#cell.host.endTurnSoon();
    this.#throwError();
    return stateOf(this.#snapshot);
  }

  #throwError(): void {
    const { status, error } = this.#snapshot;
    if (status === 'error') throw error;
  }

  #onSnapshot(snapshot: AnyMachineSnapshot): void {
    this.#observers.publish(stateOf(snapshot));
    this.#saveNow();
    this.#cell.host.endTurnSoon();
    if (snapshot.status !== 'done' || this.#isStopping) return;
    this.#isStopping = true;
    // Before all that waits, and behind the event at hand, whose sender has an answer coming.
    this.#cell.inbox.unshift(signals.stop, undefined, undefined);
    this.#cell.schedule();
  }

  #saveNow(): void {
    if (this.#save === undefined) return;
    try {
      promiseOf(this.#save(this.#actor.getPersistedSnapshot()))?.catch((error: unknown) => this.#onSaveFailed(error));
    } catch (error) {
      queueMicrotask(() => this.#cell.fail(error));
    }
  }

  #onSaveFailed(error: unknown): void {
    const { host, ref } = this.#cell;
    // Its state is not the actor's any more, or is about to end.
    if (this.#isStopping) host.reportFailure(ref, error, 'resume');
    else this.#cell.fail(error);
  }

  #onError(error: unknown): void {
    if (!this.#isInCall) this.#cell.fail(error);
  }

  stop(reason: 'stopped' | 'restarted' | 'failed'): void {
    this.#isStopping = true;
    this.#actor.stop();
    inspectionOf(this.#cell.host).remove(this.#actor);
    if (reason !== 'restarted') this.#observers.end();
  }
}
