import type { Clock } from '../../clock.js';
import { systemClock } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { Context } from '../context/context.js';
import type { Codec } from '../message/codec.js';
import { registerCodecAs, unregisterCodec } from '../message/codec-registry.js';
import { PendingRequests } from '../session/pending-requests.js';
import { contextLost, nodeLost, systemClosed } from './actor-errors.js';
import { ActorTable } from './actor-table.js';
import { problemOf } from './ask-options.js';
import { AskOwner, type AskWaiter } from './asks.js';
import { AsyncHandlers } from './async-handlers.js';
import { ArrivedCompanions } from './buffers.js';
import { Cell } from './cell.js';
import { DeadLetters } from './dead-letters.js';
import type { AnyDefinition } from './definition.js';
import { lookForSubscribers, publishRestart, publishSpawn, publishStop } from './diagnostics.js';
import { Envelope, envelopeCodec } from './envelope.js';
import type { Parent } from './family.js';
import { type ChildKey, Family, keyOf } from './family.js';
import { goneCell } from './gone-cell.js';
import { HostMessages, type HostPost } from './host-messages.js';
import type { ActorHostOptions } from './host-options.js';
import { Links } from './links.js';
import type { Origin } from './mailbox.js';
import { problemOfName } from './message-name.js';
import { OffloadPool } from './offload/offload-pool.js';
import { hostSlot } from './peer.js';
import type { Place, Places } from './places.js';
import { Ref, readAddress } from './ref.js';
import { Registry } from './registry.js';
import { firstRemotePlace } from './remote-places.js';
import { RunQueue } from './run-queue.js';
import { sendAsk } from './send-ask.js';
import { signals } from './signals.js';
import { Spawner } from './spawner.js';
import { type Directive, supervisionWith } from './supervision.js';
import type { AskOptions, TerminationReason } from './types.js';
import { Watches } from './watches.js';
import { describeError } from './wire-error.js';

/** Messages that an actor handles before the next one has its turn. */
const batchMessages = 128;
/** Messages after which what they have sent is published, so that other contexts can work on it meanwhile. */
const publishEvery = 16;
/** Messages between two looks at the clock. */
const clockEvery = 32;
/** How long the actors may run before the context's links are polled again, in µs. */
const turnBudgetMicros = 100;
/** The key of a system's codec in each of its threads. */
export const codecKeyOf = (systemId: string): string => `actors:${systemId}`;

/** The actors of one context: where they are, when they run, and how they reach those of other contexts. */
export class ActorHost {
  readonly context: Context;
  readonly systemId: string;
  readonly place: number;
  readonly places: Places;
  readonly clock: Clock;
  readonly asks: PendingRequests<AskWaiter>;
  readonly localAsks = new AskOwner();
  readonly watches: Watches;
  /** The ways to the other contexts. */
  readonly links: Links;
  readonly deadLetters: DeadLetters;
  /** Encodes what goes to other contexts. */
  readonly codec: Codec;
  /** Where the codec puts what it decodes. */
  readonly incoming = new Envelope();
  /** Buffers that are there before the messages to which they belong. */
  readonly companions = new ArrivedCompanions();
  /** The supervisor of the actors that no other actor has made. */
  readonly root: Family;
  /** Knows whose async handler runs; undefined when that is not to be known. */
  readonly asyncHandlers: AsyncHandlers | undefined;
  /** The runtime's own actors: what stands behind subscriptions and proxies. */
  readonly internals: Family;
  /** The threads for functions that actors have run elsewhere. */
  readonly offloadPool: OffloadPool;
  /** Told of each context that is there again, as another thread. */
  readonly placeListeners = new Set<(place: number) => void>();
  /** Families with children in other contexts. */
  readonly remoteFamilies = new Set<Family>();
  /** The actor whose handler runs. */
  current: Cell | undefined;
  /** The system is closing: no actors are made any more. */
  isClosing = false;
  /** Whether a promise was settled whose reactions wait for the turn to end. */
  mustYield = false;
  readonly #options: ActorHostOptions;
  readonly #table: ActorTable;
  readonly #restoring = new Set<number>();
  readonly messages: HostMessages;
  readonly spawner: Spawner;
  readonly registry: Registry;
  readonly #runQueue = new RunQueue();
  #turns = 0;
  #reportedRunnable = 0;

  constructor(context: Context, options: ActorHostOptions) {
    this.context = context;
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.systemId = options.systemId;
    this.place = options.place;
    this.places = options.places;
    this.#table = new ActorTable(options.incarnation);
    this.asyncHandlers = options.followsAsyncHandlers === true ? new AsyncHandlers() : undefined;
    this.asks = new PendingRequests(this.clock);
    this.links = new Links(this);
    this.watches = new Watches(this);
    this.spawner = new Spawner(this);
    this.deadLetters = new DeadLetters(options.onDeadLetter);
    this.root = new Family(this, options.supervision, undefined);
    this.offloadPool = new OffloadPool(options.offload);
    this.internals = new Family(this, supervisionWith({ decide: () => 'stop' }), undefined);
    this.messages = new HostMessages(this);
    this.registry = new Registry(this);
    this.codec = envelopeCodec(this.incoming, (items) => this.#readRef(items));
    registerCodecAs(codecKeyOf(this.systemId), this.codec);
    const runTurn = () => this.#runTurn();
    context.addWork(this.asyncHandlers === undefined ? runTurn : () => this.asyncHandlers!.apart(runTurn));
    context.addOutstandingWork(() => this.asks.count > 0 || this.#runQueue.size > 0 || this.offloadPool.pending > 0);
  }

  get actorCount(): number {
    return this.#table.size;
  }

  /** Whether no actor of this context has a message that it could handle now. */
  get isAtRest(): boolean {
    return this.#runQueue.size === 0;
  }

  /** Forgets the system in this thread. */
  close(): void {
    unregisterCodec(codecKeyOf(this.systemId));
    this.isClosing = true;
    const closed = systemClosed();
    this.links.close();
    this.asks.takeAll(this.localAsks, (waiter) => waiter.reject(closed));
    this.asks.stop();
    this.watches.close();
  }

  // ---- running

  schedule(cell: Cell): void {
    cell.isScheduled = true;
    if (this.#runQueue.push(cell) === 1) this.context.wake();
  }

  /** A promise was settled, or begun: its reactions should run soon. */
  endTurnSoon(): void {
    this.mustYield = true;
    this.context.endTurnSoon();
  }

  #runTurn(): boolean {
    const queue = this.#runQueue;
    this.mustYield = false;
    if ((++this.#turns & 63) === 0) this.#reportLoad();
    if (queue.size === 0) return false;
    lookForSubscribers();
    // From the first look on, since a look costs as much as a message, and most turns have but a few.
    let deadlineMicros = Infinity;
    let sinceClock = 0;
    let sincePublish = 0;
    for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
      const handled = cell.run(batchMessages);
      sinceClock += handled;
      sincePublish += handled;
      if (this.mustYield) break;
      if (sincePublish >= publishEvery) {
        sincePublish = 0;
        this.context.publishEarly();
      }
      if (sinceClock >= clockEvery) {
        sinceClock = 0;
        // By the machine's clock: under one that stands still a turn would never end.
        const nowMicros = systemClock.nowMicros();
        if (nowMicros >= deadlineMicros) break;
        if (deadlineMicros === Infinity) deadlineMicros = nowMicros + turnBudgetMicros;
      }
    }
    if (queue.size > 0) return true;
    // The context may sleep now, and report nothing for long: it must not look busy meanwhile.
    if (this.#reportedRunnable > 0) this.#reportLoad();
    return false;
  }

  #reportLoad(): void {
    this.#reportedRunnable = this.#runQueue.size;
    this.places.setLoad(this.place, this.#table.size, this.#reportedRunnable);
  }

  // ---- making and finding actors

  /** Makes an actor in this context. `onStarted` is called once, when its state is made or could not be. */
  makeCell(
    definition: AnyDefinition,
    args: unknown,
    parent: Parent,
    onStarted: ((error: unknown) => void) | undefined,
    address?: { slot: number; generation: number },
  ): Cell {
    const { slot, generation } = this.#table.reserve(address);
    const CellClass = definition.cellClass ?? this.#options.cellClass ?? Cell;
    const cell = new CellClass(this, definition, args, parent, slot, generation);
    this.#table.set(cell);
    this.#reportLoad();
    parent.family?.add(cell);
    publishSpawn(cell.ref);
    cell.start(onStarted);
    return cell;
  }

  cellAt(slot: number, generation: number): Cell | undefined {
    return this.#table.get(slot, generation);
  }

  get cells(): Cell[] {
    return this.#table.all();
  }

  /** A ref to whatever actor: the actor's own, where it is of this context. */
  makeRef(place: number, slot: number, generation: number, type: string): Ref {
    if (place === this.place) {
      const cell = this.cellAt(slot, generation);
      if (cell !== undefined) return cell.ref;
      return new Ref(this, place, slot, generation, type, goneCell(this, slot, generation, type));
    }
    return new Ref(this, place, slot, generation, type, undefined);
  }

  #readRef(items: readonly unknown[]): Ref {
    const { index, slot, generation, type, node } = readAddress(items);
    if (node !== undefined && node !== this.systemId) {
      return this.makeRef(this.places.remote.numberOf(node, index), slot, generation, type);
    }
    if (this.places.get(index) === undefined) {
      throw new HeddleError('ERR_HEDDLE_CODEC', 'a ref in a message is of no context of this system');
    }
    return this.makeRef(index, slot, generation, type);
  }

  // ---- sending

  /** `asker`: the actor that asks, where that is known. */
  ask(ref: Ref, name: string, payload: unknown, options: AskOptions | undefined, asker?: Cell): Promise<unknown> {
    const wrong = problemOfName(name) ?? problemOf(options);
    if (wrong !== undefined) return Promise.reject(wrong);
    const timeoutMs = options?.timeoutMs ?? this.#options.askTimeoutMs;
    return this.askWithin(ref, name, payload, timeoutMs, options?.signal, asker);
  }

  askWithin(
    ref: Ref,
    name: string,
    payload: unknown,
    timeoutMs: number,
    signal?: AbortSignal,
    asker?: Cell,
  ): Promise<unknown> {
    return sendAsk(this, ref, name, payload, timeoutMs, signal, asker);
  }

  /** Tells the runtime of a context something. False when it cannot be reached. */
  post(place: number, payload: HostPost): boolean {
    return this.links.post(place, payload);
  }

  /** Asks the runtime of another context. */
  request(place: number, payload: HostPost, timeoutMs: number): Promise<unknown> {
    return this.askWithin(new Ref(this, place, hostSlot, 0, 'host', undefined), 'host', payload, timeoutMs);
  }

  onPost(from: number, payload: unknown, origin: Origin | undefined): void {
    this.messages.receive(from, payload as HostPost, origin);
  }

  // ---- lives

  async stop(ref: Ref): Promise<void> {
    await new Promise<void>((resolve) => {
      this.watches.add(ref, resolve, {
        onTerminated: () => {
          resolve();
          this.endTurnSoon();
        },
      });
      if (ref.cell !== undefined) ref.cell.stop('stopped');
      else this.watches.stop(ref);
    });
  }

  /** Stops an actor when it has handled what it has been told so far by this context. */
  stopAfterMessages(ref: Ref): void {
    if (ref.cell !== undefined) ref.cell.signal(signals.stop);
    else this.post(ref.place, { type: 'stop-last', slot: ref.slot, generation: ref.generation });
  }

  childFailed(cell: Cell, error: unknown): void {
    const { family, place, slot, generation } = cell.parent;
    if (family !== undefined) {
      family.onFailed(cell, error);
      return;
    }
    const child = { slot: cell.ref.slot, generation: cell.ref.generation };
    const isSent = this.post(place, {
      type: 'failed',
      parent: { slot, generation },
      child,
      error: describeError(error),
    });
    if (!isSent) cell.stop('failed');
  }

  onRestarted(cell: Cell): void {
    publishRestart(cell.ref);
  }

  onTerminated(cell: Cell, reason: TerminationReason): void {
    const { slot, generation } = cell.ref;
    this.#table.remove(cell);
    this.#reportLoad();
    publishStop(cell.ref, reason);
    this.links.forget(cell);
    const { parent } = cell;
    if (parent.family !== undefined) parent.family.remove(cell);
    else {
      const { slot: parentSlot, generation: parentGeneration } = parent;
      this.post(parent.place, {
        type: 'child-gone',
        parent: { slot: parentSlot, generation: parentGeneration },
        child: { slot, generation },
        reason,
      });
    }
  }

  reportFailure(ref: Ref, error: unknown, action: Directive | 'onStop'): void {
    this.#options.onFailure(ref, error, action);
  }

  /** The family with that owner; the root for {@link hostSlot}. */
  familyOf(slot: number, generation: number): Family | undefined {
    if (slot === hostSlot) return this.root;
    const cell = this.cellAt(slot, generation);
    return cell?.hasFamily === true ? cell.family : undefined;
  }

  childKey(place: number, slot: number, generation: number): ChildKey {
    return keyOf(new Ref(this, place, slot, generation, '', undefined));
  }

  // ---- contexts that come and go

  /** The error of everything that was sent to that place, and of what is while it is lost. */
  lost(place: number, cause?: unknown): HeddleError {
    // What ends with the system was not lost: somebody wanted that.
    if (this.isClosing) return systemClosed(cause);
    const name = this.places.nameOf(place);
    return place < firstRemotePlace ? contextLost(name, cause) : nodeLost(name, cause);
  }

  isRestoring(place: number): boolean {
    return this.#restoring.has(place);
  }

  /** What has become of another context, as the main one says. */
  onPlace(place: Place): void {
    this.places.set(place);
    this.#restoring.delete(place.place);
    const error = this.lost(place.place);
    if (place.status === 'up') {
      this.watches.onPlaceUp(place.place);
      for (const listener of [...this.placeListeners]) listener(place.place);
      return;
    }
    this.links.lose(place.place, error);
    for (const cell of this.cells)
      if (cell.parent.place === place.place && cell.parent.family === undefined) cell.stop('failed');
    if (place.status !== 'gone') return;
    for (const family of [...this.remoteFamilies]) family.dropAt(place.place);
    for (const { watchers } of this.cells) watchers?.delete(place.place);
    this.watches.onPlaceGone(place.place);
  }

  /** Another context has a new thread: makes the children that were there again. */
  async restoreAt(place: Place): Promise<void> {
    this.places.set({ ...place, status: 'down' });
    this.#restoring.add(place.place);
    const error = contextLost(place.name);
    const families = [...this.remoteFamilies];
    await Promise.all(families.flatMap((family) => family.restoreAt(place.place, error)));
  }
}
