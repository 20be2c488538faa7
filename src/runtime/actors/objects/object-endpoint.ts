import { type Endpoint, expose } from 'comlink';
import { HeddleError } from '../../../errors.js';
import type { Cell } from '../cell.js';
import { Ref } from '../ref.js';
import { type CallRequest, noPorts } from './object-messages.js';
import { exposeObject } from './proxied-object.js';
import { reviveWith } from './reviving.js';
import { transferAll } from './transfers.js';
import { type CallMessage, closePorts, replaceProxy, thrownBy, type WireValue } from './wire-values.js';

interface Call {
  /** Stands for the caller's context: what the response exposes lasts as long as it. */
  readonly holder: Ref;
  resolve(response: WireValue): void;
  reject(error: unknown): void;
  /** The response waits for these: until then the caller keeps the objects whose proxies it sent. */
  holds: readonly Promise<unknown>[];
}

/** What comlink carries out; of any other type it takes no notice, and the call would wait. */
const callTypes: ReadonlySet<unknown> = new Set(['GET', 'SET', 'APPLY', 'CONSTRUCT']);
/** These lead from any object to the functions that make functions of text, and to what all objects have in common. */
const closedNames: ReadonlySet<unknown> = new Set([
  'constructor',
  'prototype',
  '__proto__',
  '__defineGetter__',
  '__defineSetter__',
  '__lookupGetter__',
  '__lookupSetter__',
]);

type Listener = (event: { readonly data: unknown }) => void;

/** comlink's endpoint on the side of the object: requests come as asks, the responses are their replies. */
export class ObjectEndpoint implements Endpoint {
  readonly #owner: Cell;
  readonly #timeoutMs: number | undefined;
  readonly #calls = new Map<string, Call>();
  #listener: Listener | undefined;
  #lastId = 0;

  /** `timeoutMs`: of calls that the object makes to callbacks that it is given. */
  constructor(object: unknown, owner: Cell, timeoutMs: number | undefined) {
    this.#owner = owner;
    this.#timeoutMs = timeoutMs;
    expose(object, this);
  }

  addEventListener(_type: string, listener: unknown): void {
    this.#listener = listener as Listener;
  }

  removeEventListener(): void {
    this.#listener = undefined;
  }

  /** Has comlink carry out a request. Rejects with what the object throws. */
  call(request: unknown): Promise<WireValue> {
    const { message, holder } = (request ?? {}) as Partial<CallRequest>;
    const listener = this.#listener;
    if (typeof message !== 'object' || message === null || !(holder instanceof Ref) || message.type === 'RELEASE') {
      return Promise.reject(new HeddleError('ERR_HEDDLE_PROTOCOL', 'that is no call of a method: use wrap()'));
    }
    if (message.type === 'ENDPOINT') return Promise.reject(noPorts());
    const refusal = refusalOf(message);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      // Ids of our own: those of several callers could be the same.
      const id = String(++this.#lastId);
      const call: Call = { holder, resolve, reject, holds: [] };
      this.#calls.set(id, call);
      try {
        call.holds = reviveWith(this.#owner, this.#timeoutMs, () => listener?.({ data: { ...message, id } }));
      } catch (error) {
        this.#calls.delete(id);
        reject(error);
      }
    });
  }

  /** comlink answers. */
  postMessage(response: WireValue & { readonly id: string }, transferables?: readonly unknown[]): void {
    const { id, ...wire } = response;
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (call === undefined) {
      closePorts(transferables, []);
      return;
    }
    if (call.holds.length === 0) this.#respond(call, wire, transferables);
    else void Promise.allSettled(call.holds).then(() => this.#respond(call, wire, transferables));
  }

  #respond(call: Call, wire: WireValue, transferables: readonly unknown[] | undefined): void {
    const thrown = thrownBy(wire);
    if (thrown !== undefined) {
      call.reject(thrown.error);
      return;
    }
    const { host } = this.#owner;
    const carried = replaceProxy(wire, (object) =>
      exposeObject(host, object, call.holder, this.#owner, this.#timeoutMs),
    );
    try {
      if (closePorts(transferables, [carried])) throw noPorts();
      call.resolve(transferAll(host, [carried], transferables)[0]!);
    } catch (error) {
      call.reject(error);
    }
    // A response waits for the turn to end, as other settled promises do.
    host.endTurnSoon();
  }

  /** Lets comlink know that the one who had the proxy has released it: calls the object's finalizer. */
  release(): void {
    this.#listener?.({ data: { id: '', type: 'RELEASE' } });
  }

  /** There will be no more responses. */
  end(error: unknown): void {
    this.#listener = undefined;
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
  }
}

/** A caller, of another node perhaps, is to reach the object's own properties, and nothing beyond them. */
function refusalOf({ type, path = [] }: CallMessage): HeddleError | undefined {
  if (!callTypes.has(type) || !Array.isArray(path)) {
    return new HeddleError('ERR_HEDDLE_PROTOCOL', 'that is no call of a method: use wrap()');
  }
  const closed = path.find((name) => typeof name !== 'string' || closedNames.has(name));
  if (closed === undefined) return undefined;
  return new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `a proxy does not lead to ${String(closed)} (path=${path.map(String).join('.')}): have the object do it in a method`,
  );
}
