import type { NativeWorker } from './binding.js';

/** Registrations that are kept for memory which may be used again; past this the one used longest ago goes. */
const maximumRegistrations = 1024;

/**
 * Registers shared memory with UCX on first use, once, so that devices can reach it. A registration keeps the memory alive:
 * it ends when the memory's owner says so, when others are used more, and with the worker.
 */
export class RegisteredMemory {
  readonly #native: NativeWorker;
  /** In the order of use, the latest last. */
  readonly #ids = new Map<SharedArrayBuffer, number>();

  constructor(native: NativeWorker) {
    this.#native = native;
  }

  /** How many there are. */
  get count(): number {
    return this.#ids.size;
  }

  /** The number of the memory in the worker. @throws Error when UCX cannot register it */
  idOf(memory: SharedArrayBuffer): number {
    let id = this.#ids.get(memory);
    if (id === undefined) {
      if (this.#ids.size >= maximumRegistrations) this.forget(this.#ids.keys().next().value!);
      id = this.#native.registerMemory(new Uint8Array(memory));
    } else {
      // The latest is last already, mostly.
      if (this.#lastUsed === memory) return id;
      this.#ids.delete(memory);
    }
    this.#ids.set(memory, id);
    this.#lastUsed = memory;
    return id;
  }

  #lastUsed: SharedArrayBuffer | undefined;

  /** Ends the registration, at once or with the last operation that works on the memory. */
  forget(memory: SharedArrayBuffer): void {
    const id = this.#ids.get(memory);
    if (id === undefined) return;
    this.#ids.delete(memory);
    if (this.#lastUsed === memory) this.#lastUsed = undefined;
    this.#native.unregisterMemory(id);
  }
}
