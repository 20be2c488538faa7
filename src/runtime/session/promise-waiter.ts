import type { HeddleError } from '../../errors.js';
import type { Message } from '../message/message.js';
import type { RequestWaiter } from './pending-requests.js';

/** Waits for a response on behalf of a promise, and for the abort of a signal. */
export class PromiseWaiter implements RequestWaiter {
  readonly #resolve: (message: Message) => void;
  readonly #reject: (error: HeddleError) => void;
  readonly #host: { endTurnSoon(): void };
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;

  constructor(
    resolve: (message: Message) => void,
    reject: (error: HeddleError) => void,
    host: { endTurnSoon(): void },
    signal: AbortSignal | undefined,
    onAbort: () => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#host = host;
    this.#signal = signal;
    this.#onAbort = onAbort;
    signal?.addEventListener('abort', onAbort, { once: true });
  }

  onResponse(message: Message): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    message.keep();
    message.unshare();
    // The bytes are the caller's own copy by now: the peer gets its credits back without waiting for the caller.
    message.returnCredits();
    this.#resolve(message);
    this.#host.endTurnSoon();
  }

  onError(error: HeddleError): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#reject(error);
    this.#host.endTurnSoon();
  }
}
