interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** What has come to a probe, and who waits for it: first come, first served. */
export class ProbeInbox<T> {
  readonly #items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();
  #ended: Error | undefined;

  get size(): number {
    return this.#items.length;
  }

  put(item: T): void {
    const [first] = this.#waiters;
    if (first === undefined) this.#items.push(item);
    else first.resolve(item);
  }

  take(): T | undefined {
    return this.#items.shift();
  }

  /** The next item; rejects with what `timeout` makes when none comes within `withinMs` of real time. */
  next(withinMs: number, timeout: () => Error): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter<T> = {
        resolve: (value) => {
          settle();
          resolve(value);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiter.reject(timeout()), withinMs);
      this.#waiters.add(waiter);
    });
  }

  /** Nothing comes any more. */
  end(error: Error): void {
    this.#ended = error;
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
