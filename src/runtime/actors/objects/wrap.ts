import {
  finalizer as comlinkFinalizer,
  proxy as comlinkProxy,
  releaseProxy as comlinkReleaseProxy,
  wrap as comlinkWrap,
  type ProxyMarked,
  type Remote,
} from 'comlink';
import { longestTimerMs } from '../../../clock.js';
import { HeddleError, requireInteger, requireKnownOptions } from '../../../errors.js';
import { Ref } from '../ref.js';
import type { ActorRef } from '../types.js';
import { CallEndpoint } from './call-endpoint.js';
import type { ObjectMessages } from './object-actor.js';
import { currentReviving } from './reviving.js';
import { installHandlers } from './wire-values.js';

/** How calls by a proxy are made. */
export interface WrapOptions {
  /** How long each call waits, in milliseconds, or Infinity. Default: the system's `askTimeoutMs`, 5000. */
  readonly timeoutMs?: number | undefined;
}

installHandlers((ref) => {
  if (!(ref instanceof Ref)) throw new HeddleError('ERR_HEDDLE_PROTOCOL', 'a proxy in a call has no ref');
  const { owner, timeoutMs, holds } = currentReviving();
  const endpoint = new CallEndpoint(ref, owner, timeoutMs);
  holds.push(endpoint.hold());
  return makeProxy(endpoint);
});

function makeProxy<T>(endpoint: CallEndpoint): Remote<T> {
  const made = comlinkWrap<T>(endpoint);
  endpoint.proxy = new WeakRef(made as object);
  return made;
}

/**
 * comlink's proxy of the object that an actor made by {@link defineObjectActor} has: its methods are called, and its properties
 * read and set, by promises. Works from any context, and every call settles: with the result, with what the method threw (a
 * `RemoteError` from another context), or as an ask does. A function or object marked by {@link proxy} is not copied: the
 * other side gets a proxy of it. `proxy[releaseProxy]()` lets go of it; so does the garbage collector, some time. An actor that
 * calls this in a handler has it end with its state.
 *
 * @example
 * const library = wrap(await system.spawn(Library, { shelves: 4 }));
 * await library.add('Dune');
 * await library.onReturned(proxy((title: string) => console.log(title)));
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT
 */
export function wrap<T>(ref: ActorRef<ObjectMessages<T>>, options: WrapOptions = {}): Remote<T> {
  if (!(ref instanceof Ref)) throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'wrap() takes the ref of an actor');
  requireKnownOptions('wrap', options, ['timeoutMs']);
  const { timeoutMs } = options;
  if (timeoutMs !== undefined && timeoutMs !== Infinity) requireInteger('timeoutMs', timeoutMs, 1, longestTimerMs);
  return makeProxy<T>(new CallEndpoint(ref as Ref, (ref as Ref).host.current, timeoutMs));
}

/**
 * Marks an object or function to be sent as a proxy: whoever gets it calls it here. It is comlink's own `proxy`, and what that
 * one has marked is as good.
 */
export function proxy<T extends object>(value: T): T & ProxyMarked {
  return comlinkProxy(value);
}

/** The method of a proxy that lets go of it: calls that wait reject with `ERR_HEDDLE_CANCELLED`. comlink's own symbol. */
export const releaseProxy: typeof comlinkReleaseProxy = comlinkReleaseProxy;

/**
 * A method of this name is called when its object is of no use any more: that of an actor when the actor stops, that
 * of an object sent as a proxy when the proxy was released, or whoever had it has gone. comlink's own symbol.
 */
export const finalizer: typeof comlinkFinalizer = comlinkFinalizer;
