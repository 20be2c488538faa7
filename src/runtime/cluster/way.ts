import type { Clock, Timer } from '../../clock.js';
import type { Connection } from '../session/connection.js';
import type { ContextDescription } from './introduction.js';

const firstDelayMs = 50;
const longestDelayMs = 2000;

/** The way from this context to one context of another node: opened again whenever it is lost, as long as the node is there. */
export class Way {
  /** The number of that context here. */
  readonly place: number;
  readonly node: string;
  /** Its number there. */
  readonly index: number;
  name: string;
  portal: string;
  #connection: Connection | undefined;
  #retry: Timer | undefined;
  #isOpening = false;
  #delayMs = firstDelayMs;
  #isClosed = false;

  constructor(place: number, node: string, description: ContextDescription) {
    this.place = place;
    this.node = node;
    this.index = description.place;
    this.name = description.name;
    this.portal = description.portal;
  }

  /** What is said of the context now: one that was replaced listens elsewhere. */
  describe({ name, portal }: ContextDescription): void {
    this.name = name;
    if (this.portal === portal) return;
    this.portal = portal;
    this.#delayMs = firstDelayMs;
  }

  use(connection: Connection): void {
    const before = this.#connection;
    this.#connection = connection;
    this.#delayMs = firstDelayMs;
    before?.destroy();
  }

  /** Whether it was this way's connection that has ended. */
  lose(connection: Connection): boolean {
    if (this.#connection !== connection) return false;
    this.#connection = undefined;
    return true;
  }

  /** Opens it, and tries again until it is open or closed. Resolves when the first try has ended, well or not. */
  open(clock: Clock, dial: () => Promise<void>): Promise<void> {
    if (this.#isClosed || this.#connection !== undefined) return Promise.resolve();
    // A try that is due later is made now: what it waited for may have changed.
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.#isOpening) return Promise.resolve();
    const again = () => {
      this.#retry = undefined;
      void this.open(clock, dial);
    };
    this.#isOpening = true;
    return dial().then(
      () => {
        this.#isOpening = false;
      },
      () => {
        this.#isOpening = false;
        if (this.#isClosed || this.#connection !== undefined) return;
        this.#retry = clock.setTimer(this.#delayMs, again, true);
        this.#delayMs = Math.min(longestDelayMs, this.#delayMs * 2);
      },
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    void this.#connection?.close();
    this.#connection = undefined;
  }
}
