import { HeddleError } from '../errors.js';
import type { Link, Portal, Transport, TransportOptions } from './transport.js';

/**
 * A transport whose modules are loaded when it is first listened or connected by: a context that never does needs neither
 * their memory nor the time to load them, and polls one transport less.
 */
export class LazyTransport<T extends Transport> implements Transport {
  readonly scheme: string;
  readonly #load: () => Promise<T>;
  readonly #onLoaded: (transport: T) => void;
  #loading: Promise<T> | undefined;
  #loaded: T | undefined;
  #isClosed = false;

  /**
   * @param load makes the transport; called once, unless it fails
   * @param onLoaded called when it is there, before it is used: from now on it takes part in polling and sleeping
   */
  constructor(scheme: string, load: () => Promise<T>, onLoaded: (transport: T) => void) {
    this.scheme = scheme;
    this.#load = load;
    this.#onLoaded = onLoaded;
  }

  /** The transport itself, once it is loaded. */
  get loaded(): T | undefined {
    return this.#loaded;
  }

  async listen(uri: string, options: TransportOptions): Promise<Portal> {
    return (await this.#transport()).listen(uri, options);
  }

  async connect(uri: string, options: TransportOptions): Promise<Link> {
    return (await this.#transport()).connect(uri, options);
  }

  poll(budgetRecords: number): number {
    return this.#loaded?.poll(budgetRecords) ?? 0;
  }

  beginSleep(): boolean {
    return this.#loaded?.beginSleep() ?? true;
  }

  endSleep(): void {
    this.#loaded?.endSleep();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    // Who waits for it to be loaded goes on first, and finds its connecting ended.
    const transport = await this.#loading?.catch(() => undefined);
    await transport?.close();
  }

  /** Not an async function: that would let `close` overtake those who wait. */
  #transport(): Promise<T> {
    if (this.#isClosed) {
      return Promise.reject(new HeddleError('ERR_HEDDLE_CLOSED', `the ${this.scheme} transport was closed`));
    }
    this.#loading ??= this.#begin();
    return this.#loading;
  }

  async #begin(): Promise<T> {
    try {
      const transport = await this.#load();
      this.#loaded = transport;
      this.#onLoaded(transport);
      return transport;
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }
}
