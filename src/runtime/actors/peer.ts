import { longestTimerMs } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { Connection } from '../session/connection.js';
import { requireNotEncoding } from '../session/encoding.js';
import type { ConnectionOptions } from '../session/options.js';
import type { RequestOwner } from '../session/pending-requests.js';
import { type AskWaiter, askTimeout } from './asks.js';
import { batched, readEnvelope, releasePayload, sendEnvelope } from './buffers.js';
import { Envelope, EnvelopeKind } from './envelope.js';
import type { ActorHost } from './host.js';
import { Lane, laneHighWater, laneWindow } from './lane.js';
import { addressKey, type Ref, refReader } from './ref.js';
import { firstRemotePlace } from './remote-places.js';
import { captureCarrier, propagation } from './trace-context.js';
import { readError } from './wire-error.js';

/** Slot that means the runtime of the context itself. */
export const hostSlot = -1;
/** The most names of messages that a connection can carry. */
const maximumNames = 65_535;

/** What is wrong with the message, and not with the way to the actor. */
const sendersOwnErrors: readonly string[] = [
  'ERR_HEDDLE_CODEC',
  'ERR_HEDDLE_MESSAGE_TOO_LARGE',
  'ERR_HEDDLE_BUFFER_MOVED',
  'ERR_HEDDLE_BUFFER_RELEASED',
  'ERR_HEDDLE_OUT_OF_MEMORY',
  'ERR_HEDDLE_INVALID_ARGUMENT',
];

/** What the connections between the contexts of a system keep to. */
export const actorConnectionOptions: Partial<ConnectionOptions> = {
  // What may be on its way is bounded by lanes and asks; the session's own queue must take what these let through.
  sendQueueDepthMessages: 1_000_000,
  sendQueueDepthBytes: 2 ** 30,
  // A thread that computes for long, or gets no core, is not lost: what has become of a context its node knows for certain,
  // and says. Who asks has deadlines of their own.
  connectTimeoutMs: longestTimerMs,
  keepaliveProbes: 0,
};

/**
 * What this context sends to another one of its system: by one connection, opened on first use. What comes back on it
 * are replies, and reports of what was taken out of mailboxes.
 */
export class Peer implements RequestOwner<AskWaiter> {
  readonly place: number;
  pendingRequests = 0;
  readonly #host: ActorHost;
  readonly #envelope = new Envelope();
  readonly #names = new Map<string, number>();
  /** By address: to the actors that were told something. One that has gone, and who has its slot now, may both be told more. */
  readonly #lanes = new Map<string, Lane>();
  #connection: Connection | undefined;
  /** Whether it is of another node: those are connected by who knows nodes, and not on first use. */
  readonly #isRemote: boolean;

  constructor(host: ActorHost, place: number) {
    this.#host = host;
    this.place = place;
    this.#isRemote = place >= firstRemotePlace;
  }

  /** Why messages to it are lost when it is. */
  get lossReason(): 'context-lost' | 'node-lost' {
    return this.#isRemote ? 'node-lost' : 'context-lost';
  }

  /** Sends by that connection from now on. */
  adopt(connection: Connection): void {
    if (this.#connection !== undefined) this.lose(undefined);
    this.#connection = connection;
  }

  /** Whether its actors can be sent anything: the context is not lost, and they are all there again. */
  get isUp(): boolean {
    return this.#host.places.get(this.place)?.status === 'up';
  }

  /** Whether its runtime can be told anything: also while its actors are being made again. */
  get isReachable(): boolean {
    return this.isUp || this.#host.isRestoring(this.place);
  }

  tell(ref: Ref, name: string, payload: unknown): boolean {
    let lane = ref.lane;
    if (lane === undefined || lane.isStale) {
      // One that serves is of a context that is up: it is retired when that is lost.
      if (!this.isUp) {
        this.#host.deadLetters.add(this.lossReason, ref, name, payload);
        return false;
      }
      lane = this.#laneFor(ref);
    }
    if (lane.isClosed) {
      this.#host.deadLetters.add('stopped', ref, name, payload);
      return false;
    }
    if (lane.inFlight >= laneWindow) {
      this.#host.deadLetters.add('mailbox-full', ref, name, payload);
      return false;
    }
    let isPlaced: boolean;
    try {
      if (lane.lastNameNumber < 0 || lane.lastName !== name) {
        lane.lastNameNumber = this.#nameNumber(name);
        lane.lastName = name;
      }
      isPlaced = this.#send(EnvelopeKind.tell, lane.lastNameNumber, ref.slot, ref.generation, 0, payload);
    } catch (error) {
      const code = error instanceof HeddleError ? error.code : undefined;
      if (code === undefined || sendersOwnErrors.includes(code)) throw error;
      const reason = code === 'ERR_HEDDLE_SEND_QUEUE_FULL' ? 'mailbox-full' : this.lossReason;
      this.#host.deadLetters.add(reason, ref, name, payload);
      return false;
    }
    return ++lane.inFlight < laneHighWater && isPlaced;
  }

  /** Resolves when the actor can be told more. */
  async ready(ref: Ref): Promise<void> {
    const lane = this.laneTo(ref);
    if (lane !== undefined && lane.inFlight >= laneHighWater) {
      await new Promise<void>((resolve) => lane.wait(resolve));
    }
    const connection = this.#connection;
    if (connection !== undefined && connection.queuedMessages > 0) await connection.ready();
  }

  ask(slot: number, generation: number, name: string, id: number, payload: unknown): void {
    if (slot !== hostSlot && !this.isUp) throw this.#host.lost(this.place);
    this.#send(EnvelopeKind.ask, this.#nameNumber(name), slot, generation, id, payload);
  }

  /** Tells the runtime of the other context something. */
  post(payload: unknown): void {
    this.#send(EnvelopeKind.tell, this.#nameNumber('host'), hostSlot, 0, 0, payload);
  }

  onDeadline(id: number, waiter: AskWaiter): void {
    waiter.reject(askTimeout(waiter));
    this.cancel(id, true);
  }

  /** Tells the actor that nobody waits for its reply any more. */
  cancel(id: number, isOverdue: boolean): void {
    if (this.#connection === undefined) return;
    try {
      this.#send(EnvelopeKind.cancel, 0, isOverdue ? 1 : 0, 0, id, undefined);
    } catch {
      // The connection has ended: that tells it, too.
    }
  }

  /** Something came back. */
  receive(envelope: Envelope): void {
    const { kind, slot, generation, number, payload } = envelope;
    switch (kind) {
      case EnvelopeKind.reply:
        {
          const waiter = this.#host.asks.take(this, number);
          if (waiter === undefined) releasePayload(payload);
          else waiter.resolve(payload);
        }
        break;
      case EnvelopeKind.error:
        this.#host.asks.take(this, number)?.reject(readError(payload));
        break;
      case EnvelopeKind.taken:
      case EnvelopeKind.closed: {
        const key = addressKey(this.place, slot, generation);
        const lane = this.#lanes.get(key);
        if (lane === undefined) break;
        if (kind === EnvelopeKind.closed) {
          this.#lanes.delete(key);
          lane.close();
        } else if (!lane.taken(number)) break;
        this.#host.endTurnSoon();
        break;
      }
    }
  }

  /** The other context is lost, or the connection to it: nothing that was sent will be answered. */
  lose(cause: unknown): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#names.clear();
    for (const lane of this.#lanes.values()) lane.retire();
    this.#lanes.clear();
    // Who connects nodes ends their connections, in order where it can.
    if (!this.#isRemote) connection?.destroy();
    if (this.pendingRequests > 0) {
      const error = this.#host.lost(this.place, cause);
      this.#host.asks.takeAll(this, (waiter) => waiter.reject(error));
    }
    this.#host.endTurnSoon();
  }

  /** What this context has told an actor, by whichever ref to it; undefined when that is nothing, or its context is lost. */
  laneTo({ lane, place, slot, generation }: Ref): Lane | undefined {
    return lane !== undefined && !lane.isStale ? lane : this.#lanes.get(addressKey(place, slot, generation));
  }

  /** The lane of a ref that has none which serves; it is made for an actor's first message. */
  #laneFor(ref: Ref): Lane {
    const key = addressKey(ref.place, ref.slot, ref.generation);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      // An actor that was heard to be gone stays so.
      if (ref.lane?.isClosed) return ref.lane;
      lane = new Lane();
      this.#lanes.set(key, lane);
    }
    ref.lane = lane;
    return lane;
  }

  #nameNumber(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined && this.#connection !== undefined) return known;
    this.#connect();
    const number = this.#names.size;
    if (number >= maximumNames) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `one context may send another messages of maximumNames=${maximumNames} names: put what differs into the payload`,
      );
    }
    this.#send(EnvelopeKind.name, number, 0, 0, 0, name);
    this.#names.set(name, number);
    return number;
  }

  #send(kind: number, name: number, slot: number, generation: number, number: number, payload: unknown): boolean {
    requireNotEncoding();
    const envelope = this.#envelope;
    envelope.kind = kind;
    envelope.name = name;
    envelope.slot = slot;
    envelope.generation = generation;
    envelope.number = number;
    envelope.payload = payload;
    envelope.carrier = propagation.isOn && slot !== hostSlot ? captureCarrier() : undefined;
    const connection = this.#connection ?? this.#connect();
    refReader.host = this.#isRemote ? undefined : this.#host;
    try {
      // What runtimes tell each other, arguments of actors for one, is kept and used again: nothing in it can move.
      if (slot === hostSlot) return connection.send(envelope, batched);
      return sendEnvelope(connection, envelope, this.#host.codec);
    } finally {
      refReader.host = undefined;
      envelope.payload = undefined;
      envelope.carrier = undefined;
    }
  }

  /** Resolves when there is a connection to the other context; rejects when there will be none. */
  async reach(): Promise<void> {
    await this.#connect().online;
  }

  #connect(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    const place = this.#host.places.get(this.place);
    if (place === undefined || this.#isRemote || !this.isReachable) throw this.#host.lost(this.place);
    const session = this.#host.context.open(place.portal, {
      privateData: Buffer.from([this.#host.place & 0xff, this.#host.place >> 8]),
      options: actorConnectionOptions,
      onMessage: (message, connection) => {
        if (readEnvelope(message, connection, this.#host)) this.receive(this.#host.incoming);
      },
      onEvent: (event) => {
        if (event.type === 'message-error' && event.status === 'flushed')
          this.#host.deadLetters.counts['context-lost']++;
        if (event.type === 'connection-teardown') this.#host.companions.drop(event.connection);
        if (event.type === 'connection-teardown' && event.connection === this.#connection) {
          this.lose(event.connection.endError);
        }
      },
    });
    this.#connection = session.connection;
    return session.connection;
  }
}
