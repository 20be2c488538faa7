import type { Cell } from './cell.js';
import type { AnySpecification } from './definition.js';
import { callOnStop } from './endings.js';
import { stopTimeoutOf } from './under-way.js';

/** What a state ends for. */
export type EndReason = 'stopped' | 'restarted' | 'failed';

/**
 * The end of an actor's state, in order: its children go, then `onStop` is called, then comes what is next. A state ends once: a
 * stop, or another restart, that comes meanwhile waits for the same, and is what is next then.
 */
export class Winding {
  readonly #cell: Cell;
  readonly #hasState: boolean;
  readonly #state: unknown;
  readonly #specification: AnySpecification;
  #reason: EndReason | undefined;
  #next: (() => void) | undefined;

  constructor(cell: Cell, hasState: boolean, state: unknown, specification: AnySpecification) {
    this.#cell = cell;
    this.#hasState = hasState;
    this.#state = state;
    this.#specification = specification;
  }

  /** Ends the state, unless that is under way, and then calls `next`. `onStop` is told the last reason that it was given in time. */
  leadTo(reason: EndReason, next: () => void): void {
    const isUnderWay = this.#next !== undefined;
    this.#reason = reason;
    this.#next = next;
    if (isUnderWay) return;
    const cell = this.#cell;
    if (cell.hasFamily && cell.family.size > 0) void cell.family.stopAll().then(() => this.#stop());
    else this.#stop();
  }

  #stop(): void {
    if (!this.#hasState) this.#end();
    else endState(this.#cell, this.#state, this.#specification, this.#reason as EndReason, () => this.#end());
  }

  #end(): void {
    this.#cell.winding = undefined;
    this.#next?.();
  }
}

/** Lets go of a state that was made too late: its actor has stopped, or begun anew, meanwhile. Nobody waits for it. */
export function endLateState(cell: Cell, state: unknown, specification: AnySpecification): void {
  endState(cell, state, specification, cell.isGone ? 'stopped' : 'restarted', () => {
    // What it has begun is the actor's, if that goes on.
    if (cell.status === 'stopped') cell.endState();
  });
}

function endState(
  cell: Cell,
  state: unknown,
  specification: AnySpecification,
  reason: EndReason,
  next: () => void,
): void {
  const { host, ref } = cell;
  const call = () => specification.onStop?.(state, reason, cell.context);
  const report = (error: unknown) => host.reportFailure(ref, error, 'onStop');
  callOnStop(call, host.clock, stopTimeoutOf(specification), report, next);
}
