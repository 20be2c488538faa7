import type { Clock, Timer } from '../../clock.js';
import type { ReleaseLedger } from './credits.js';

/** Sequenced records after which a peer that keeps copies of them is told at once that they have arrived. */
const maximumUnacknowledged = 256;
/** How long the peer may keep what has arrived when nothing goes its way that says so. */
const acknowledgeAfterMs = 40;

/**
 * Tells a peer that keeps copies, and the buffers it has sent, for a reconnect, what of them has arrived: receipts and
 * cancels take no credits, and an idle connection has nothing else to say it with. One timer serves many records.
 */
export class DelayedAcknowledgement {
  readonly #clock: Clock;
  readonly #ledger: ReleaseLedger;
  readonly #announce: () => void;
  #timer: Timer | undefined;

  /** `announce` tells the peer, where there is room. */
  constructor(clock: Clock, ledger: ReleaseLedger, announce: () => void) {
    this.#clock = clock;
    this.#ledger = ledger;
    this.#announce = announce;
  }

  /** A sequenced record has arrived. */
  onRecord(): void {
    if (++this.#ledger.unacknowledgedRecords >= maximumUnacknowledged) this.#announce();
    else if (this.#timer === undefined) this.#arm();
  }

  /** The wire is lost: coming back on another says what has arrived. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(acknowledgeAfterMs, () => this.#look(), true);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#ledger.unacknowledgedRecords === 0) return;
    this.#announce();
    // There was no room.
    if (this.#ledger.unacknowledgedRecords > 0) this.#arm();
  }
}
