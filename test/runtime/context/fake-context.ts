import { setTimeout as sleep } from 'node:timers/promises';
import type { HeddleError } from '../../../src/errors.js';
import type { ContextOptions } from '../../../src/runtime/context/context-options.js';
import type {
  AnyContextOptions,
  ContextFactory,
  ContextInit,
  DirectedContext,
} from '../../../src/runtime/context/context-runtime.js';
import type { RingPair } from '../../../src/transports/shm/ring-pair.js';

/** Options of a fake context, where those of a real one are asked for. */
export function fakeOptions(options: AnyContextOptions): Partial<ContextOptions> {
  return options as Partial<ContextOptions>;
}

/** A context without sessions or duty cycle, to test what owns threads. Its options steer how it behaves. */
export class FakeContext implements DirectedContext {
  readonly id: number;
  readonly name: string;
  readonly init: ContextInit;
  readonly pairs = new Map<number, RingPair>();
  readonly detached: { peerContextId: number; error: HeddleError }[] = [];
  onEvent: () => void = () => {};
  onRing: (peerContextId: number, message: unknown) => void = () => {};
  outstanding = false;
  /** What the real one finds by a look into its incoming rings. */
  hasUnreadMessages: () => boolean = () => false;
  stopped = 0;
  #options: AnyContextOptions;

  constructor(init: ContextInit) {
    this.init = init;
    this.id = init.id;
    this.name = init.name;
    this.#options = init.options;
    if (init.options.throwInConstructor) throw new TypeError('no such luck');
    this.count(1);
  }

  /** Statistics word 0. */
  count(by: number): void {
    new Int32Array(this.init.statisticsMemory)[0]! += by;
  }

  /** What the real one does whenever it has delivered or sent something. */
  markActivity(): void {
    this.init.activity[0]! += 1;
  }

  connect(name: string): Promise<number> {
    return this.init.shm.broker.connect(name);
  }

  bind(name: string): Promise<void> {
    return this.init.shm.broker.bind(name);
  }

  attach(pair: RingPair): void {
    if (this.#options.throwInAttach) throw new RangeError('no room for rings');
    this.pairs.set(pair.peerContextId, pair);
    pair.doorbell.on('message', (message) => this.onRing(pair.peerContextId, message));
    pair.doorbell.unref();
    this.onEvent();
  }

  detach(peerContextId: number, error: HeddleError): void {
    this.detached.push({ peerContextId, error });
    this.pairs.delete(peerContextId);
    this.onEvent();
  }

  async stop(): Promise<void> {
    this.stopped++;
    if (this.#options.throwInStop) throw new Error('stopping went wrong');
    if (this.#options.stopTakesMs) await sleep(Number(this.#options.stopTakesMs));
  }

  getOptions(): AnyContextOptions {
    return this.#options;
  }

  setOptions(changes: AnyContextOptions): void {
    this.#options = { ...this.#options, ...changes };
  }

  hasOutstandingWork(): boolean {
    return this.outstanding || this.hasUnreadMessages();
  }
}

export const contextFactory: ContextFactory<FakeContext, { count: number }> = {
  moduleUrl: import.meta.url,
  createContext: (init) => new FakeContext(init),
  statisticsBytes: 64,
  readStatistics: (memory) => ({ count: new Int32Array(memory)[0]! }),
};
