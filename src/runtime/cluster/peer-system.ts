import { EventEmitter } from 'node:events';
import { type HeddleError, requireKnownOptions } from '../../errors.js';
import type { SpawnArguments } from '../actors/actor-context.js';
import { nodeLost } from '../actors/actor-errors.js';
import { requireDefinition, requireText } from '../actors/checks.js';
import type { AnyDefinition, RefOf } from '../actors/definition.js';
import type { Ref } from '../actors/ref.js';
import type { ActorRef, AnyActorRef, MessageName, PayloadArguments, Protocol } from '../actors/types.js';
import { readError } from '../actors/wire-error.js';
import type { Outcome } from './receptionist.js';

/** Events of a {@link PeerSystem}. */
export interface PeerSystemEvents {
  /** The node is connected again, or a new one in its place: refs to actors of a new one have to be looked up anew. */
  connected: [];
  /** The node was lost, or has closed: who watched its actors has been told. Not for what this side closes. */
  lost: [error: HeddleError];
}

/** How long making an actor there may take. */
const spawnTimeoutMs = 30_000;

/**
 * An actor system in another process, as this one knows it. Made by {@link ClusterSystem.connect}, and on the other side by
 * being connected to: both sides can do the same.
 */
export class PeerSystem extends EventEmitter<PeerSystemEvents> implements AsyncDisposable {
  /** Where it was connected to; undefined when it connected to this side. */
  readonly uri: string | undefined;
  /** @internal */
  isClosed = false;
  /** @internal Called when it is not connected any more, whoever has ended it. */
  onDetached: (() => void) | undefined;
  #node: string;
  #receptionist: Ref | undefined;
  #lastReceptionist: Ref | undefined;
  readonly #close: () => Promise<void>;

  /** @internal */
  constructor(uri: string | undefined, node: string, close: () => Promise<void>) {
    super();
    this.uri = uri;
    this.#node = node;
    this.#close = close;
  }

  /** The id of the node: another one after each start of its process. */
  get node(): string {
    return this.#node;
  }

  /** Whether it is connected now. */
  get isConnected(): boolean {
    return this.#receptionist !== undefined;
  }

  /**
   * The actor that has that name there, as {@link ActorSystem.lookup} knows it; undefined when there is none. Give its
   * definition to have it typed. Rejects with `ERR_HEDDLE_NODE_LOST`, `ERR_HEDDLE_TIMEOUT`.
   *
   * @example
   * const visits = await peer.lookup('visits', Counter);
   * await visits?.ask('get');
   */
  lookup<D extends AnyDefinition>(name: string, definition: D): Promise<RefOf<D> | undefined>;
  lookup<M extends Protocol<M>>(name: string): Promise<ActorRef<M> | undefined>;
  async lookup(name: string): Promise<unknown> {
    return (await this.#ask('lookup', name)) ?? undefined;
  }

  /**
   * Makes an actor there, of a definition that the other side has registered under the same name. The other system
   * supervises it, and it lives on when this side goes. Rejects with `ERR_HEDDLE_NOT_REGISTERED`, `ERR_HEDDLE_NODE_LOST`,
   * `ERR_HEDDLE_TIMEOUT` (after 30 s), and what making it threw.
   */
  async spawn<D extends AnyDefinition>(definition: D, ...rest: SpawnArguments<D>): Promise<RefOf<D>> {
    const [args, options = {}] = rest;
    requireDefinition('spawn()', definition);
    requireKnownOptions('spawn', options, ['on', 'name']);
    const { on, name } = options;
    if (name !== undefined) requireText('name', name);
    const request = { definition: definition.name, args, on, name };
    return (await this.#ask('spawn', request, spawnTimeoutMs)) as RefOf<D>;
  }

  /** Gives an actor, of whichever node, a name there, until it has gone. Rejects with `ERR_HEDDLE_NAME_IN_USE`. */
  async register(name: string, ref: AnyActorRef): Promise<void> {
    await this.#ask('register', { name, ref });
  }

  /** Takes a name there from an actor; harmless when it has it not. */
  async unregister(name: string, ref: AnyActorRef): Promise<void> {
    await this.#ask('unregister', { name, ref });
  }

  /** The group of that name there. */
  group<M extends Protocol<M>>(name: string): PeerGroup<M> {
    return new PeerGroup<M>(name, {
      ask: (message, payload) => this.#ask(message, payload),
      // One that is lost is told as other actors are that are lost: in vain, as the dead letter says.
      receptionist: () => this.#receptionist ?? this.#lastReceptionist ?? this.#requireReceptionist(),
    });
  }

  /** Ends the connections with that node, and does not connect to it again by itself. */
  close(): Promise<void> {
    return this.#close();
  }

  /** For `await using`: the same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  attach(node: string, receptionist: Ref): void {
    this.#node = node;
    this.#receptionist = receptionist;
  }

  /** @internal `error` is undefined when this side has closed it. */
  detach(error: HeddleError | undefined): void {
    if (this.#receptionist === undefined) return;
    this.#lastReceptionist = this.#receptionist;
    this.#receptionist = undefined;
    this.onDetached?.();
    if (error !== undefined) this.emit('lost', error);
  }

  /** @internal The actor there that serves other nodes. */
  get receptionist(): Ref | undefined {
    return this.#receptionist;
  }

  #requireReceptionist(): Ref {
    if (this.#receptionist !== undefined) return this.#receptionist;
    throw nodeLost(`${this.#node}/main`);
  }

  async #ask(name: string, payload: unknown, timeoutMs?: number): Promise<unknown> {
    const outcome = (await this.#requireReceptionist().ask(name, payload, { timeoutMs })) as Outcome;
    if ('error' in outcome) throw readError(outcome.error);
    return outcome.value;
  }
}

interface GroupWay {
  ask(message: string, payload: unknown): Promise<unknown>;
  receptionist(): Ref;
}

/** A group of another node, which actors of all nodes can join. */
export class PeerGroup<M extends Protocol<M>> {
  /** Its name there. */
  readonly name: string;
  readonly #way: GroupWay;

  /** @internal */
  constructor(name: string, way: GroupWay) {
    requireText('the name of a group', name);
    this.name = name;
    this.#way = way;
  }

  /** Takes an actor in, of whichever node; it leaves by itself when it has gone, or its node is lost. */
  async join(ref: ActorRef<M>): Promise<void> {
    await this.#way.ask('join', { name: this.name, ref });
  }

  /** Lets an actor go; harmless when it is not in. */
  async leave(ref: ActorRef<M>): Promise<void> {
    await this.#way.ask('leave', { name: this.name, ref });
  }

  /** The members as the other node knows them now. */
  async members(): Promise<ActorRef<M>[]> {
    return (await this.#way.ask('members', this.name)) as ActorRef<M>[];
  }

  /**
   * Tells all members: one message to the other node, which spreads it there. At most once. Returns false when the sender
   * should slow down, see {@link ready}; and when the node is not connected: the message is a dead letter then, `node-lost`.
   */
  publish<K extends MessageName<M>>(name: K, ...payload: PayloadArguments<M, K>): boolean {
    return this.#way.receptionist().tell('publish', { group: this.name, name, payload: payload[0] });
  }

  /** Resolves when more can be published. */
  async ready(): Promise<void> {
    await this.#way.receptionist().ready();
  }
}
