import type { Endpoint } from 'comlink';
import { HeddleError } from '../../../errors.js';
import type { Cell } from '../cell.js';
import type { Ref } from '../ref.js';
import { noPorts, objectMessages } from './object-messages.js';
import { exposeObject, holderOf, proxiedType } from './proxied-object.js';
import { reviveWith } from './reviving.js';
import { transferAll } from './transfers.js';
import { type CallMessage, closePorts, errorResponse, replaceProxy, type WireValue } from './wire-values.js';

type Listener = (event: { readonly data: unknown }) => void;

/**
 * comlink's endpoint on the side of a proxy: a request goes as an ask to the actor that has the object, and its reply is the
 * response. So every call settles, for whatever reason an ask does.
 */
export class CallEndpoint implements Endpoint {
  readonly #ref: Ref;
  readonly #owner: Cell | undefined;
  readonly #timeoutMs: number | undefined;
  readonly #listeners = new Set<Listener>();
  readonly #pending = new Set<string>();
  readonly #forget: (() => void) | undefined;
  #ended: HeddleError | undefined;
  #isCollected = false;
  /** What comlink made of this. */
  proxy: WeakRef<object> | undefined;

  constructor(ref: Ref, owner: Cell | undefined, timeoutMs: number | undefined) {
    this.#ref = ref;
    this.#owner = owner;
    this.#timeoutMs = timeoutMs;
    const text = `the actor that had the proxy of ${ref} stopped or restarted`;
    this.#forget = owner?.endings.add(() => this.#end(new HeddleError('ERR_HEDDLE_ACTOR_STOPPED', text)));
  }

  /** Tells the one who sent the proxy that this context has it. */
  async hold(): Promise<void> {
    try {
      await this.#ref.ask(objectMessages.hold, holderOf(this.#ref.host));
    } catch {
      // It has gone: calls will say so.
    }
  }

  addEventListener(_type: string, listener: unknown): void {
    this.#listeners.add(listener as Listener);
  }

  removeEventListener(_type: string, listener: unknown): void {
    this.#listeners.delete(listener as Listener);
  }

  /** comlink asks. */
  postMessage(message: CallMessage & { readonly id: string }, transferables?: readonly unknown[]): void {
    const { id, ...request } = message;
    if (request.type === 'RELEASE') {
      // comlink does so when the proxy is released, and drops what it has asked, or when all proxies were collected: then
      // somebody may wait for what was asked last.
      this.#isCollected = this.proxy?.deref() === undefined;
      if (!this.#isCollected || this.#pending.size === 0) this.#end(this.#released());
      return;
    }
    if (this.#ended !== undefined) {
      closePorts(transferables, []);
      // Later: comlink does not know the id yet.
      queueMicrotask(() => this.#dispatch(errorResponse(id, this.#ended)));
      return;
    }
    const { host } = this.#ref;
    const exposed: Ref[] = [];
    const carry = (wire: WireValue) =>
      replaceProxy(wire, (object) => {
        const ref = exposeObject(host, object, this.#ref, this.#owner, this.#timeoutMs);
        exposed.push(ref);
        return ref;
      });
    const { argumentList, value } = request;
    const wires = (argumentList ?? (value === undefined ? [] : [value])).map(carry);
    this.#pending.add(id);
    const hasPorts = closePorts(transferables, wires);
    const carried = (): CallMessage => {
      if (hasPorts) throw noPorts();
      const sent = transferAll(host, wires, transferables);
      return {
        ...request,
        ...(argumentList !== undefined && { argumentList: sent }),
        ...(argumentList === undefined && value !== undefined && { value: sent[0]! }),
      };
    };
    void this.#send(id, carried, exposed);
  }

  async #send(id: string, carried: () => CallMessage, exposed: readonly Ref[]): Promise<void> {
    let response: WireValue & { readonly id: string };
    try {
      const message = carried();
      const options = this.#timeoutMs === undefined ? undefined : { timeoutMs: this.#timeoutMs };
      const request = { message, holder: holderOf(this.#ref.host) };
      const reply = (await this.#ref.ask(objectMessages.call, request, options)) as WireValue;
      response = { ...reply, id };
    } catch (error) {
      response = errorResponse(id, error);
    }
    for (const ref of exposed) ref.tell(objectMessages.callOver);
    if (this.#pending.delete(id)) this.#dispatch(response);
    if (this.#isCollected && this.#pending.size === 0) this.#end(this.#released());
  }

  #dispatch(data: unknown): void {
    reviveWith(this.#owner, this.#timeoutMs, () => {
      for (const listener of [...this.#listeners]) listener({ data });
    });
  }

  #released(): HeddleError {
    return new HeddleError('ERR_HEDDLE_CANCELLED', `the proxy of ${this.#ref} was released during the call`);
  }

  /** Nothing is asked any more; what was asked rejects with that error. */
  #end(error: HeddleError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#forget?.();
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const id of pending) this.#dispatch(errorResponse(id, error));
    this.#listeners.clear();
    if (this.#ref.type === proxiedType) this.#ref.tell(objectMessages.release);
  }
}
