import { type ChildProcess, fork } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import type { StoreCall } from './fixtures/store-process.js';

/** A process with a metadata server or a client in it; gone after the test, whatever happened. */
export class StoreProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #nextId = 1;

  constructor(t: ExecutionContext) {
    this.#child = fork(new URL('./fixtures/store-process.js', import.meta.url), { stdio: 'inherit' });
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', () => {
        for (const { reject } of this.#waiting.values()) reject(new Error('the process has ended'));
        resolve();
      });
    });
    this.#child.on('message', (answer) => {
      const { id, value, error } = answer as { id: number; value?: unknown; error?: string };
      const waiter = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiter?.resolve(value);
      else waiter?.reject(new Error(error));
    });
    t.teardown(() => this.kill('SIGKILL'));
  }

  call<R = void>(name: StoreCall['name'], argument?: unknown): Promise<R> {
    const id = this.#nextId++;
    return new Promise<R>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, name, argument });
    });
  }

  /** Sends a signal; for SIGKILL, resolves when the process has gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    if (signal === 'SIGKILL') await this.#ended;
  }
}
