import type { ActorContext } from '../actor-context.js';
import { actorStopped } from '../actor-errors.js';
import type { Cell } from '../cell.js';
import { ErrorReply } from '../error-reply.js';
import type { ActorHost } from '../host.js';
import { internalDefinition, spawnInternal } from '../internal-definition.js';
import { Ref } from '../ref.js';
import type { AnyActorRef } from '../types.js';
import { ObjectEndpoint } from './object-endpoint.js';
import { objectMessages } from './object-messages.js';

/** The type of the refs of actors that expose an object for one proxy. */
export const proxiedType = 'heddle.proxied';

interface ProxiedArguments {
  readonly object: object;
  /** The object is of use as long as this actor is there: the one that the proxy is sent to, or who stands for its context. */
  readonly user: Ref;
  readonly owner: Cell | undefined;
  readonly timeoutMs: number | undefined;
}

/** An object that was sent as a proxy: it is there until the proxy is released, or whoever has it has gone. */
class ProxiedObject {
  readonly #actor: ActorContext;
  readonly #endpoint: ObjectEndpoint;
  #isHeld = false;

  constructor({ object, user, owner, timeoutMs }: ProxiedArguments, actor: ActorContext) {
    this.#actor = actor;
    this.#endpoint = new ObjectEndpoint(object, owner ?? actor.cell, timeoutMs);
    actor.watch(user as AnyActorRef);
  }

  async call(request: unknown): Promise<unknown> {
    try {
      return await this.#endpoint.call(request);
    } catch (error) {
      throw new ErrorReply(error);
    }
  }

  hold(holder: unknown): void {
    if (!(holder instanceof Ref)) return;
    this.#isHeld = true;
    this.#actor.watch(holder as AnyActorRef);
  }

  callOver(): void {
    if (!this.#isHeld) this.release();
  }

  release(): void {
    this.#endpoint.release();
    this.#actor.cell.stop('stopped');
  }

  end(): void {
    this.#endpoint.end(actorStopped(String(this.#actor.cell.ref)));
  }
}

const proxiedDefinition = internalDefinition({
  name: proxiedType,
  isReentrant: true,
  stopTimeoutMs: 0,
  state: (given: ProxiedArguments, actor) => new ProxiedObject(given, actor),
  handlers: {
    [objectMessages.call]: (proxied, request: unknown) => proxied.call(request),
    [objectMessages.hold]: (proxied, holder: unknown) => proxied.hold(holder),
    [objectMessages.callOver]: (proxied) => proxied.callOver(),
    [objectMessages.release]: (proxied) => proxied.release(),
  },
  onTerminated: (proxied) => proxied.release(),
  onStop: (proxied) => proxied.end(),
});

/** Exposes an object by an actor of its own, for the one proxy that is about to be sent to `user`, or to its context. */
export function exposeObject(
  host: ActorHost,
  object: object,
  user: Ref,
  owner: Cell | undefined,
  timeoutMs: number | undefined,
): Ref {
  const given: ProxiedArguments = { object, user, owner, timeoutMs };
  return spawnInternal(host, proxiedDefinition, given, owner);
}

const holderDefinition = internalDefinition({ name: 'heddle.holder', state: () => ({}), handlers: {} });
const holders = new WeakMap<ActorHost, Ref>();

/** The actor that stands for all proxies of a context: when it has gone, so have they. */
export function holderOf(host: ActorHost): Ref {
  let holder = holders.get(host);
  if (holder === undefined) {
    holder = host.spawner.spawnHere(host.internals, holderDefinition, undefined);
    holders.set(host, holder);
  }
  return holder;
}
