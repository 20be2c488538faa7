import { HeddleError } from '../errors.js';
import { LocalAsk } from '../runtime/actors/asks.js';
import { carryByCodec } from '../runtime/actors/buffers.js';
import { Cell } from '../runtime/actors/cell.js';
import type { AnyDefinition } from '../runtime/actors/definition.js';
import type { Parent } from '../runtime/actors/family.js';
import { type ActorHost, codecKeyOf } from '../runtime/actors/host.js';
import type { Origin } from '../runtime/actors/mailbox.js';
import { describeError, readError } from '../runtime/actors/wire-error.js';
import { codecNamed } from '../runtime/message/codec-registry.js';

/**
 * What a value becomes on its way to another thread. `part` is what the value is to whoever reads the error: `payload`;
 * `sentence` says of what.
 */
export function carry(host: ActorHost, value: unknown, part: string, sentence: () => string): unknown {
  if (value === undefined) return undefined;
  const codec = codecNamed(codecKeyOf(host.systemId));
  try {
    if (part !== 'args') return carryByCodec(host, codec, value);
    // Nothing in them moves: an actor that is restarted gets them again.
    const bytes = codec.encode(value);
    return codec.decode(bytes, 0, bytes.length);
  } catch (cause) {
    if (cause instanceof HeddleError && cause.code !== 'ERR_HEDDLE_CODEC') throw cause;
    const details = cause instanceof HeddleError ? cause.details : {};
    const path = String(details.path ?? 'value').replace(/^value/, part);
    const reason = String(details.reason ?? (cause as Error).message);
    throw new HeddleError(
      'ERR_HEDDLE_CODEC',
      `${sentence()} would not reach another thread: at ${path}, ${reason}. Send data and refs only`,
      { cause, details: { path, reason } },
    );
  }
}

/** An ask within the context whose reply goes by the codec, as it would between threads. */
class CarriedAsk implements Origin {
  readonly isAsk = true;
  readonly #cell: Cell;
  readonly #name: string;
  readonly #ask: Origin;

  constructor(cell: Cell, name: string, ask: Origin) {
    this.#cell = cell;
    this.#name = name;
    this.#ask = ask;
  }

  get isCancelled(): boolean {
    return this.#ask.isCancelled;
  }

  get signal(): AbortSignal | undefined {
    return this.#ask.signal;
  }

  onTaken(): void {
    this.#ask.onTaken();
  }

  reply(value: unknown): void {
    const { host, ref } = this.#cell;
    let carried: unknown;
    try {
      carried = carry(host, value, 'reply', () => `what ${ref} replied to ${this.#name}`);
    } catch (error) {
      this.#ask.replyError(error);
      return;
    }
    this.#ask.reply(carried);
  }

  replyError(error: unknown): void {
    this.#ask.replyError(readError(describeError(error)));
  }

  abandon(error: HeddleError): void {
    this.#ask.abandon(error);
  }
}

/** A message on its way in, as it would be had it come from another thread. */
export interface Carried {
  readonly payload: unknown;
  readonly origin: Origin | undefined;
}

/**
 * Takes a message of this context through the codec. Throws to who tells; who asks gets the error as the reply, and
 * the result is undefined. What came from another context has made that way already.
 */
export function carryMessage(
  cell: Cell,
  name: string,
  payload: unknown,
  origin: Origin | undefined,
): Carried | undefined {
  if (origin !== undefined && !(origin instanceof LocalAsk)) return { payload, origin };
  try {
    const carried = carry(cell.host, payload, 'payload', () => `the message ${name} to ${cell.ref}`);
    return { payload: carried, origin: origin === undefined ? undefined : new CarriedAsk(cell, name, origin) };
  } catch (error) {
    if (origin === undefined) throw error;
    origin.replyError(error);
    return undefined;
  }
}

/** An actor that gets everything as if it came from another thread: arguments, messages, and its replies' way back. */
export class CodecCell extends Cell {
  constructor(
    host: ActorHost,
    definition: AnyDefinition,
    args: unknown,
    parent: Parent,
    slot: number,
    generation: number,
  ) {
    const carried = carry(host, args, 'args', () => `what actor ${definition.name} is spawned with`);
    super(host, definition, carried, parent, slot, generation);
  }

  override deliver(name: string, payload: unknown, origin: Origin | undefined, limit: number): boolean {
    if (this.isGone) return super.deliver(name, payload, origin, limit);
    const carried = carryMessage(this, name, payload, origin);
    return carried !== undefined && super.deliver(name, carried.payload, carried.origin, limit);
  }
}
