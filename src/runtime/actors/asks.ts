import { HeddleError } from '../../errors.js';
import type { RequestOwner } from '../session/pending-requests.js';
import { releaseWhole } from './buffers.js';
import type { ActorHost } from './host.js';
import type { Origin } from './mailbox.js';
import type { Ref } from './ref.js';

/** Who waits for the reply to an ask: a promise. */
export class AskWaiter {
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  readonly ref: Ref;
  readonly name: string;
  readonly #host: ActorHost;
  /** The ask as its actor has it, where that is of this context. */
  origin: LocalAsk | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(
    host: ActorHost,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    ref: Ref,
    name: string,
  ) {
    this.#host = host;
    this.#resolve = resolve;
    this.#reject = reject;
    this.ref = ref;
    this.name = name;
  }

  listen(signal: AbortSignal, onAbort: () => void): void {
    this.#signal = signal;
    this.#onAbort = onAbort;
    signal.addEventListener('abort', onAbort, { once: true });
  }

  resolve(value: unknown): void {
    this.#signal?.removeEventListener('abort', this.#onAbort as () => void);
    this.#resolve(value);
    this.#host.endTurnSoon();
  }

  reject(error: unknown): void {
    this.#signal?.removeEventListener('abort', this.#onAbort as () => void);
    this.#reject(error);
    this.#host.endTurnSoon();
  }
}

/** The owner of asks within the context. */
export class AskOwner implements RequestOwner<AskWaiter> {
  pendingRequests = 0;

  onDeadline(_id: number, waiter: AskWaiter): void {
    waiter.reject(askTimeout(waiter));
    waiter.origin?.cancel(true);
  }
}

/** The error of an ask past its deadline, with what is known of the reason. */
export function askTimeout(waiter: AskWaiter): HeddleError {
  const { ref, name } = waiter;
  const cell = ref.cell;
  let why = 'it is slow or stuck, or timeoutMs is too short';
  if (cell !== undefined && cell.pendingHandlers > 0) {
    why = `it is in its handler ${String(cell.lastName)} still; if that waits for this ask, neither can end`;
  } else if (cell?.status === 'suspended') why = 'it failed, and waits for its supervisor';
  return new HeddleError('ERR_HEDDLE_TIMEOUT', `${ref} did not reply to ${name} in time: ${why}`, {
    details: { actor: String(ref), name },
  });
}

/** An ask, as its actor has it. */
export abstract class AskOrigin implements Origin {
  readonly isAsk = true;
  isCancelled = false;
  #abort: AbortController | undefined;

  onTaken(): void {}
  abstract reply(value: unknown): void;
  abstract replyError(error: unknown): void;

  abandon(error: HeddleError): void {
    this.replyError(error);
    this.cancel(false);
  }

  /** Aborted when nobody waits for the reply any more. Made on first use. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.isCancelled) this.#abort.abort(askGivenUp(false));
    }
    return this.#abort.signal;
  }

  /** Nobody waits for the reply any more: its deadline has passed, or it was given up. */
  cancel(isOverdue: boolean): void {
    this.isCancelled = true;
    this.#abort?.abort(askGivenUp(isOverdue));
  }
}

function askGivenUp(isOverdue: boolean): HeddleError {
  return isOverdue
    ? new HeddleError('ERR_HEDDLE_TIMEOUT', 'the deadline of the ask has passed: nobody waits for the reply')
    : new HeddleError(
        'ERR_HEDDLE_CANCELLED',
        'who asked gave it up, or is lost, or the actor was stopped: nobody waits for the reply',
      );
}

/** An ask from the actor's own context: the reply goes by reference. */
export class LocalAsk extends AskOrigin {
  readonly #host: ActorHost;
  readonly #id: number;

  constructor(host: ActorHost, id: number) {
    super();
    this.#host = host;
    this.#id = id;
  }

  reply(value: unknown): void {
    const waiter = this.#host.asks.take(this.#host.localAsks, this.#id);
    if (waiter === undefined) releaseWhole(value);
    else waiter.resolve(value);
  }

  replyError(error: unknown): void {
    this.#host.asks.take(this.#host.localAsks, this.#id)?.reject(error);
  }
}
