import type { MessagePort, TransferListItem } from 'node:worker_threads';
import { expose, transfer, wrap } from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { HeddleError } from '../../errors.js';
import type { RingPair } from '../../transports/shm/ring-pair.js';
import type { ShmBroker } from '../../transports/shm/shm-transport.js';
import type { AnyContextOptions } from './context-runtime.js';
import type { Directory } from './directory.js';
import { type Outcome, outcomeOf, unwrapOutcome, type WireError } from './error-wire.js';

/**
 * The control plane: two comlink channels between the node's thread and each worker. Over one the worker exposes
 * {@link ContextControl}, over the other the node exposes {@link DirectoryService}. Each port has one listener.
 *
 * comlink keeps only message and stack of an error, so every call that can fail returns an {@link Outcome}. And a
 * comlink call whose other side dies never settles, so the node's side makes its calls through {@link ControlClient}.
 */

/** What a context says when asked whether anything is under way in it. */
export interface Passivity {
  /** Nothing keeps its event loop alive that was not there before the user's module, and no work is outstanding. */
  readonly passive: boolean;
  /** Equal to the reading before if the context did nothing in between. */
  readonly activity: number;
}

/** What a worker lets the node do with its context. */
export interface ContextControl {
  /** Imports the module and calls its main function; the value is what that returned. */
  start(moduleUrl: string, parcel: { readonly data: unknown }): Promise<Outcome<unknown>>;
  attach(pair: RingPair): Promise<Outcome<void>>;
  detach(peerContextId: number, error: WireError): void;
  /** Stops the context; the thread goes afterwards. */
  stop(timeoutMs: number): Promise<Outcome<void>>;
  getOptions(): Promise<Outcome<AnyContextOptions>>;
  setOptions(changes: AnyContextOptions): Promise<Outcome<void>>;
  passivity(): Promise<Passivity>;
  /** The operating system's id of the thread; undefined where it cannot be found out. */
  osThreadId(): number | undefined;
}

/** What the node lets a worker do with the directory. Not `bind`: comlink takes that for `Function.prototype.bind`. */
export interface DirectoryService {
  bindPortal(name: string): Promise<Outcome<void>>;
  unbindPortal(name: string): Promise<Outcome<void>>;
  connectPortal(name: string): Promise<Outcome<number>>;
}

/** What comlink answers when the value to return could not be posted. */
const unserializableReply = 'Unserializable return value';
const cloneRule = 'use plain data, SharedArrayBuffers, or a transferList';

/** The form in which comlink's proxy offers a service. */
type Proxied<T> = {
  [K in keyof T]: T[K] extends (...parameters: infer P) => infer R ? (...parameters: P) => Promise<Awaited<R>> : never;
};

/** Offers `service` to whoever holds the other end of `port`. */
function exposeOn(port: MessagePort, service: object): void {
  expose(service, nodeEndpoint(port));
}

/** A proxy of what is exposed at the other end of `port`. */
function wrapPort<T>(port: MessagePort): Proxied<T> {
  return wrap(nodeEndpoint(port)) as unknown as Proxied<T>;
}

/** In a worker: offers its context's control to the node. */
export function exposeControl(port: MessagePort, control: ContextControl): void {
  exposeOn(port, control);
}

/** In the node: offers the directory to one worker. The port does not keep the process alive. */
export function exposeDirectory(port: MessagePort, directory: Directory, contextId: number): void {
  const service: DirectoryService = {
    bindPortal: (name) => outcomeOf(() => directory.bind(contextId, name)),
    unbindPortal: (name) => outcomeOf(() => directory.unbind(contextId, name)),
    connectPortal: (name) => outcomeOf(() => directory.connect(contextId, name)),
  };
  exposeOn(port, service);
  port.unref();
}

/** In a worker: the directory as the broker of its context's shm transport. */
export class DirectoryClient implements ShmBroker {
  readonly #service: Proxied<DirectoryService>;
  #pending = 0;

  constructor(port: MessagePort) {
    this.#service = wrapPort<DirectoryService>(port);
  }

  /** Calls that have not been answered: work that is outstanding. */
  get pending(): number {
    return this.#pending;
  }

  bind(name: string): Promise<void> {
    return this.#call(this.#service.bindPortal(name));
  }

  unbind(name: string): Promise<void> {
    return this.#call(this.#service.unbindPortal(name));
  }

  connect(name: string): Promise<number> {
    return this.#call(this.#service.connectPortal(name));
  }

  async #call<T>(call: Promise<Outcome<T>>): Promise<T> {
    this.#pending++;
    try {
      return unwrapOutcome(await call);
    } finally {
      this.#pending--;
    }
  }
}

/** In the node: the proxy of one worker's control. Every call settles, with `ERR_HEDDLE_CONTEXT_LOST` at the latest. */
export class ControlClient {
  readonly #port: MessagePort;
  readonly #control: Proxied<ContextControl>;
  readonly #waiting = new Set<(error: HeddleError) => void>();
  #lost: HeddleError | undefined;

  /** The port keeps the process alive only while a call waits for its answer. */
  constructor(port: MessagePort) {
    this.#port = port;
    this.#control = wrapPort<ContextControl>(port);
    port.unref();
  }

  /** The context has ended: all calls under way, and all to come, reject with `error`. */
  lose(error: HeddleError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
    this.#port.close();
  }

  /**
   * Rejects with what main threw, and with `ERR_HEDDLE_INVALID_ARGUMENT` when `data`, or what main returned, cannot be
   * handed to another thread.
   */
  async start(moduleUrl: string, data: unknown, transferList: readonly TransferListItem[]): Promise<unknown> {
    // comlink looks transfer lists up by object: so the data travels in one, whatever it is.
    const parcel = transfer({ data }, transferList as never);
    let outcome: Outcome<unknown>;
    try {
      outcome = await this.#call(() => this.#control.start(moduleUrl, parcel));
    } catch (error) {
      if (error === this.#lost) throw error;
      const what =
        (error as Error).message === unserializableReply ? 'what the main function returned' : 'the data given to it';
      throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${what} cannot be handed to another thread; ${cloneRule}`, {
        cause: error,
      });
    }
    return unwrapOutcome(outcome);
  }

  async attach(pair: RingPair): Promise<void> {
    const doorbell = pair.doorbell as never;
    unwrapOutcome(await this.#call(() => this.#control.attach(transfer({ ...pair }, [doorbell]))));
  }

  detach(peerContextId: number, error: WireError): Promise<void> {
    return this.#call(() => this.#control.detach(peerContextId, error));
  }

  async stop(timeoutMs: number): Promise<void> {
    unwrapOutcome(await this.#call(() => this.#control.stop(timeoutMs)));
  }

  async getOptions(): Promise<AnyContextOptions> {
    return unwrapOutcome(await this.#call(() => this.#control.getOptions()));
  }

  async setOptions(changes: AnyContextOptions): Promise<void> {
    unwrapOutcome(await this.#call(() => this.#control.setOptions(changes)));
  }

  passivity(): Promise<Passivity> {
    return this.#call(() => this.#control.passivity());
  }

  osThreadId(): Promise<number | undefined> {
    return this.#call(() => this.#control.osThreadId());
  }

  /**
   * One set of waiting calls instead of a `Promise.race` each: a race would leave a reaction on a long-lived promise.
   * While calls are waiting they keep the process alive.
   */
  #call<T>(post: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(this.#lost);
        return;
      }
      this.#waiting.add(reject);
      this.#port.ref();
      const settle = () => {
        this.#waiting.delete(reject);
        if (this.#waiting.size === 0) this.#port.unref();
      };
      post().then(
        (value) => {
          settle();
          resolve(value);
        },
        (error) => {
          settle();
          reject(error);
        },
      );
    });
  }
}
