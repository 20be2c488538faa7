import { MessagePort } from 'node:worker_threads';
import { type TransferHandler, transferHandlers } from 'comlink';
import type { Ref } from '../ref.js';

/*
 * comlink gives its endpoints messages in which values are wire values: as they are, or made by one of its transfer
 * handlers. Two of these make what cannot travel between heddle's contexts, and lose what they made it of: `proxy` makes a
 * MessagePort of an object, `throw` a plain object of an error. Here they go on doing so, for comlink's use elsewhere, and we
 * remember what they were given.
 */

/** A value in a message of comlink. */
export interface WireValue {
  readonly type: 'RAW' | 'HANDLER';
  readonly name?: string;
  readonly value: unknown;
}

/** A request of comlink, from `wrap` to `expose`. */
export interface CallMessage {
  readonly id?: string;
  readonly type: 'GET' | 'SET' | 'APPLY' | 'CONSTRUCT' | 'ENDPOINT' | 'RELEASE';
  readonly path?: readonly string[];
  readonly argumentList?: readonly WireValue[];
  readonly value?: WireValue;
}

/** What stands for an object in a message between contexts: the ref of the actor that exposes it. */
export const proxyHandler = 'heddle.proxy';
/** What has a call reject with the very error that it is given. */
const errorHandler = 'heddle.error';

type AnyHandler = TransferHandler<unknown, unknown>;

const exposedObjects = new WeakMap<object, object>();
const thrownErrors = new WeakMap<object, { readonly error: unknown }>();

function remember(name: 'proxy' | 'throw', note: (given: never, made: object) => void): void {
  const handler = transferHandlers.get(name) as AnyHandler;
  transferHandlers.set(name, {
    canHandle: handler.canHandle,
    deserialize: (value) => handler.deserialize(value),
    serialize(given) {
      const result = handler.serialize(given);
      note(given as never, result[0] as object);
      return result;
    },
  });
}

let isInstalled = false;

/** Sets comlink's handlers up; `revive` makes a proxy of the ref of an actor that exposes an object. */
export function installHandlers(revive: (ref: unknown) => unknown): void {
  if (isInstalled) return;
  isInstalled = true;
  remember('proxy', (object: object, port) => void exposedObjects.set(port, object));
  remember('throw', ({ value }: { value: unknown }, made) => void thrownErrors.set(made, { error: value }));
  // Neither is ever chosen for a value: endpoints of ours put them into messages.
  const never = (_value: unknown): _value is unknown => false;
  transferHandlers.set(proxyHandler, { canHandle: never, serialize: (value) => [value, []], deserialize: revive });
  transferHandlers.set(errorHandler, {
    canHandle: never,
    serialize: (value) => [value, []],
    deserialize: (error) => {
      throw error;
    },
  });
}

/** The error that a response carries, as it was thrown; undefined when it carries none. */
export function thrownBy(response: WireValue): { readonly error: unknown } | undefined {
  if (response.type !== 'HANDLER' || response.name !== 'throw') return undefined;
  return thrownErrors.get(response.value as object) ?? { error: response.value };
}

/** A response that has the call of that id reject with that error. */
export function errorResponse(id: string, error: unknown): WireValue & { readonly id: string } {
  return { id, type: 'HANDLER', name: errorHandler, value: error };
}

/** The value as it can travel: where comlink made a port for an object, an actor of ours exposes it instead. */
export function replaceProxy(wire: WireValue, expose: (object: object) => Ref): WireValue {
  if (wire.type !== 'HANDLER' || wire.name !== 'proxy') return wire;
  const object = exposedObjects.get(wire.value as object);
  if (object === undefined) return wire;
  (wire.value as MessagePort).close();
  return { type: 'HANDLER', name: proxyHandler, value: expose(object) };
}

/** Closes the ports that comlink made and that go nowhere. True when there are any. */
export function closePorts(transferables: readonly unknown[] | undefined, wires: readonly WireValue[]): boolean {
  let isAny = false;
  for (const item of transferables ?? []) {
    // Those of proxies are closed, and not in the message any more.
    if (!(item instanceof MessagePort) || exposedObjects.has(item)) continue;
    item.close();
    isAny = true;
  }
  return isAny || wires.some(({ value }) => value instanceof MessagePort);
}
