import { isDeepStrictEqual } from 'node:util';
import { type ActorSystem, createSystem } from '../../src/index.js';
import { type AnySavinaBenchmark, type Facts, patient } from './savina.js';

/** Throws unless the facts are what must come out. */
export function verifyFacts(name: string, found: Facts, expected: Facts): void {
  if (isDeepStrictEqual(found, expected)) return;
  const text = (facts: Facts) => JSON.stringify(facts).slice(0, 500);
  throw new Error(`${name}: wrong result: expected ${text(expected)}, found ${text(found)}`);
}

/** A system on which benchmarks are played, one after another. */
export class Stage {
  readonly contexts: number;
  readonly #system: ActorSystem;
  #onFailure: ((error: Error) => void) | undefined;

  private constructor(system: ActorSystem, contexts: number) {
    this.#system = system;
    this.contexts = contexts;
    system.on('actorFailure', ({ ref, error }) => this.#fail(`${ref} failed`, error));
    system.on('contextLost', ({ name, error }) => this.#fail(`${name} was lost`, error));
    system.on('deadLetter', ({ reason, to, name }) => {
      // Those who stop while something is on its way to them are no failure: a run ends by stopping all.
      if (reason !== 'stopped') this.#fail(`${name} to ${to} was not handled: ${reason}`);
    });
  }

  static async open(contexts: number): Promise<Stage> {
    return new Stage(await createSystem({ contexts, supervision: { decide: () => 'stop' } }), contexts);
  }

  #fail(what: string, cause?: unknown): void {
    const reason = cause instanceof Error ? `: ${cause.message}` : '';
    this.#onFailure?.(new Error(`${what}${reason}`, { cause }));
  }

  /**
   * Runs a benchmark once, from the spawning of its first actor until the last one has stopped. Returns the
   * milliseconds. Rejects when an actor fails, a message is lost, or something else comes out than `expected`.
   */
  async play(benchmark: AnySavinaBenchmark, parameters: unknown, expected: Facts): Promise<number> {
    const failure = new Promise<never>((_, reject) => {
      this.#onFailure = reject;
    });
    try {
      return await Promise.race([failure, this.#play(benchmark, parameters, expected)]);
    } finally {
      this.#onFailure = undefined;
    }
  }

  async #play(benchmark: AnySavinaBenchmark, parameters: unknown, expected: Facts): Promise<number> {
    const startMs = performance.now();
    const master = await this.#system.spawn(
      benchmark.master,
      { parameters, contexts: this.contexts },
      { on: 'worker-1' },
    );
    const found = await master.ask('run', undefined, patient);
    await this.#system.stop(master);
    const elapsedMs = performance.now() - startMs;
    verifyFacts(benchmark.name, found as Facts, expected);
    return elapsedMs;
  }

  close(): Promise<void> {
    return this.#system.close();
  }
}
