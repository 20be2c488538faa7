import { actorStopped } from '../runtime/actors/actor-errors.js';
import { Cell } from '../runtime/actors/cell.js';
import type { AnyDefinition } from '../runtime/actors/definition.js';
import type { Parent } from '../runtime/actors/family.js';
import { HandlerTable } from '../runtime/actors/handler-table.js';
import type { ActorHost } from '../runtime/actors/host.js';
import type { Origin } from '../runtime/actors/mailbox.js';
import { carryMessage } from './codec-cell.js';

/** What a probe's cell hands on. */
export interface ProbeSink {
  /** Whether what this context's actors send goes through the codec. */
  readonly throughCodec: boolean;
  /** A message; `answer` where the sender asks. */
  take(name: string, payload: unknown, answer: Origin | undefined): void;
  /** The probe takes no more. */
  end(): void;
}

/** The actor behind a probe: it has no mailbox and no handlers, and hands on at once what it gets. */
export class ProbeCell extends Cell {
  readonly #sink: ProbeSink;
  /** Asks that have no answer yet. */
  readonly #open = new Set<Origin>();

  constructor(
    host: ActorHost,
    definition: AnyDefinition,
    args: unknown,
    parent: Parent,
    slot: number,
    generation: number,
  ) {
    super(host, definition, undefined, parent, slot, generation);
    this.#sink = args as ProbeSink;
  }

  override deliver(name: string, payload: unknown, origin: Origin | undefined, limit: number): boolean {
    if (this.isGone) return super.deliver(name, payload, origin, limit);
    const carried = this.#sink.throughCodec ? carryMessage(this, name, payload, origin) : { payload, origin };
    if (carried === undefined) return false;
    carried.origin?.onTaken();
    this.#sink.take(name, carried.payload, this.#answerable(carried.origin));
    return true;
  }

  override stop(reason: 'stopped' | 'failed'): void {
    const stopped = actorStopped(String(this.ref));
    for (const origin of this.#open) origin.replyError(stopped);
    this.#open.clear();
    this.#sink.end();
    super.stop(reason);
  }

  /** An ask that is answered once, whatever the test does. */
  #answerable(origin: Origin | undefined): Origin | undefined {
    if (origin?.isAsk !== true) return undefined;
    this.#open.add(origin);
    return {
      isAsk: true,
      get isCancelled() {
        return origin.isCancelled;
      },
      get signal() {
        return origin.signal;
      },
      onTaken: () => {},
      reply: (value) => {
        if (this.#open.delete(origin)) origin.reply(value);
      },
      replyError: (error) => {
        if (this.#open.delete(origin)) origin.replyError(error);
      },
      abandon: (error) => {
        if (this.#open.delete(origin)) origin.abandon(error);
      },
    };
  }
}

/** What probes are spawned as. */
export function probeDefinition(name: string): AnyDefinition {
  const specification = { name, state: () => undefined, handlers: {} };
  return { name, module: import.meta.url, specification, handlers: new HandlerTable({}), cellClass: ProbeCell };
}
