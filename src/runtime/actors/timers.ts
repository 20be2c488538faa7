import { longestTimerMs, type Timer } from '../../clock.js';
import { describe, HeddleError } from '../../errors.js';
import type { Cell } from './cell.js';
import { signals } from './signals.js';

/** An actor's timers. All end with its state: at its stop, and at each restart. */
export class Timers {
  readonly #cell: Cell;
  readonly #byKey = new Map<unknown, Timer>();
  #receiveTimeoutMs = 0;
  #receiveTimer: Timer | undefined;
  #lastMessageMicros = 0;
  /** The receive timer has fired, and nothing was handled since. */
  #isTimeoutDue = false;

  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /**
   * Calls back once after `delayMs`, or every `delayMs`. A timer with the same key is replaced. What the callback throws fails
   * the actor, as it would in a handler.
   */
  set(key: unknown, delayMs: number, isRepeated: boolean, callback: () => void): void {
    if (typeof delayMs !== 'number' || !(delayMs >= 0) || delayMs > longestTimerMs) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `delayMs=${describe(delayMs)} must be from 0 to ${longestTimerMs}`,
      );
    }
    this.cancel(key);
    // A handler may outlive its actor: nothing would end the timer.
    if (this.#cell.status === 'stopped') return;
    const { clock } = this.#cell.host;
    const startMicros = clock.nowMicros();
    let count = 0;
    const arm = (afterMs: number) => {
      this.#byKey.set(
        key,
        clock.setTimer(afterMs, () => {
          this.#byKey.delete(key);
          if (isRepeated) {
            count++;
            // Reckoned from the start, so that it does not drift; beats that were missed are left out.
            const elapsedMs = (clock.nowMicros() - startMicros) / 1000;
            const beat = Math.max(delayMs, 1);
            count = Math.max(count, Math.floor(elapsedMs / beat));
            arm(Math.max(0, (count + 1) * beat - elapsedMs));
          }
          try {
            callback();
          } catch (error) {
            this.#cell.fail(error);
          }
        }),
      );
    };
    arm(delayMs);
  }

  cancel(key: unknown): boolean {
    const timer = this.#byKey.get(key);
    timer?.cancel();
    return this.#byKey.delete(key);
  }

  /** 0 or Infinity: none. */
  setReceiveTimeout(timeoutMs: number): void {
    this.#receiveTimer?.cancel();
    this.#receiveTimer = undefined;
    this.#isTimeoutDue = false;
    if (this.#cell.status === 'stopped') return;
    this.#receiveTimeoutMs = timeoutMs > 0 && timeoutMs <= longestTimerMs ? timeoutMs : 0;
    if (this.#receiveTimeoutMs > 0) this.#armReceiveTimer(this.#receiveTimeoutMs);
    this.onMessage();
  }

  /** A message is handled: the receive timeout begins anew. One timer serves many messages. */
  onMessage(): void {
    if (this.#receiveTimeoutMs === 0) return;
    this.#isTimeoutDue = false;
    this.#lastMessageMicros = this.#cell.host.clock.nowMicros();
    if (this.#receiveTimer === undefined) this.#armReceiveTimer(this.#receiveTimeoutMs);
  }

  /** Whether a signal that says so is right: nothing has been handled since the receive timer fired. True once. */
  takeReceiveTimeout(): boolean {
    const isDue = this.#isTimeoutDue;
    this.#isTimeoutDue = false;
    return isDue;
  }

  #armReceiveTimer(delayMs: number): void {
    const { clock } = this.#cell.host;
    this.#receiveTimer = clock.setTimer(delayMs, () => {
      const leftMs = this.#receiveTimeoutMs - (clock.nowMicros() - this.#lastMessageMicros) / 1000;
      if (leftMs > 0.5) {
        this.#armReceiveTimer(leftMs);
        return;
      }
      this.#receiveTimer = undefined;
      this.#isTimeoutDue = true;
      this.#cell.signal(signals.receiveTimeout);
    });
  }

  cancelAll(): void {
    for (const timer of this.#byKey.values()) timer.cancel();
    this.#byKey.clear();
    this.#receiveTimer?.cancel();
    this.#receiveTimer = undefined;
    this.#receiveTimeoutMs = 0;
  }
}
