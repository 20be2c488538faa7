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
  readonly #state: unknown;
  readonly #specification: AnySpecification;
  #reason: EndReason | undefined;
  #next: (() => void) | undefined;

  /** `state` is undefined where none was made yet. */
  constructor(cell: Cell, state: unknown, specification: AnySpecification) {
    this.#cell = cell;
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
    const cell = this.#cell;
    const { host, ref } = cell;
    const state = this.#state;
    const specification = this.#specification;
    const reason = this.#reason as EndReason;
    const call = () => (state === undefined ? undefined : specification.onStop?.(state, reason, cell.context));
    const report = (error: unknown) => host.reportFailure(ref, error, 'onStop');
    callOnStop(call, host.clock, stopTimeoutOf(specification), report, () => this.#end());
  }

  #end(): void {
    this.#cell.winding = undefined;
    this.#next?.();
  }
}
