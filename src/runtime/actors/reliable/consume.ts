import { HeddleError } from '../../../errors.js';
import type { Cell } from '../cell.js';
import type { Mailbox, Origin } from '../mailbox.js';
import { describeError } from '../wire-error.js';
import { type ConsumerMachine, Consumers } from './consumer-machine.js';
import { type ReliableAck, type ReliableData, reliableName, type Verdict } from './protocol.js';

/** The most messages that a consumer asks one producer for. */
const largestDemand = 64;

/**
 * A producer's message has been taken from the mailbox. True when it is to be handled now: `taken` is then what the producer
 * was given, and its origin confirms it when the handler has ended. False when it was answered otherwise.
 */
export function unwrapReliable(cell: Cell, taken: Mailbox): boolean {
  const { origin } = taken;
  const data = taken.payload as ReliableData;
  if (!isReliableData(data)) {
    origin?.replyError(new HeddleError('ERR_HEDDLE_PROTOCOL', 'a message of reliable delivery is malformed'));
    return false;
  }
  cell.consumers ??= new Consumers();
  const machine = cell.consumers.of(data.producer, data.first);
  const verdict = machine.offer(data.sequence, data.first);
  if (verdict !== 'deliver') {
    origin?.reply(ackOf(cell, machine, verdict, undefined));
    return false;
  }
  taken.name = data.name;
  taken.payload = data.payload;
  taken.origin = new ReliableOrigin(cell, machine, data.sequence, origin);
  return true;
}

function ackOf(cell: Cell, machine: ConsumerMachine, verdict: Verdict, error: unknown): ReliableAck {
  const { inbox } = cell;
  const room = Math.floor((inbox.settings.capacity - inbox.waiting) / 2);
  const { confirmed } = machine;
  return {
    confirmed,
    granted: confirmed + Math.max(1, Math.min(largestDemand, room)),
    isGap: verdict === 'gap',
    error: error === undefined ? undefined : describeError(error),
  };
}

function isReliableData(data: Partial<ReliableData> | null | undefined): data is ReliableData {
  return (
    typeof data?.producer === 'string' &&
    Number.isSafeInteger(data.sequence) &&
    Number.isSafeInteger(data.first) &&
    (data.first as number) <= (data.sequence as number) &&
    typeof data.name === 'string' &&
    data.name !== reliableName
  );
}

/** A producer's message that is being handled: confirms it, whatever the handler replies. */
class ReliableOrigin implements Origin {
  readonly isAsk = true;
  readonly isCancelled = false;
  readonly #cell: Cell;
  readonly #machine: ConsumerMachine;
  readonly #sequence: number;
  readonly #ask: Origin | undefined;

  constructor(cell: Cell, machine: ConsumerMachine, sequence: number, ask: Origin | undefined) {
    this.#cell = cell;
    this.#machine = machine;
    this.#sequence = sequence;
    this.#ask = ask;
  }

  get signal(): AbortSignal | undefined {
    return this.#ask?.signal;
  }

  onTaken(): void {}

  reply(): void {
    this.#machine.finish(this.#sequence, true);
    this.#ask?.reply(ackOf(this.#cell, this.#machine, 'duplicate', undefined));
  }

  replyError(error: unknown): void {
    this.#machine.finish(this.#sequence, false);
    this.#ask?.reply(ackOf(this.#cell, this.#machine, 'deliver', error ?? new Error('the handler failed')));
  }

  /** Not a failure of the message's: the producer may have another consumer for it. */
  abandon(error: HeddleError): void {
    this.#ask?.abandon(error);
  }
}
