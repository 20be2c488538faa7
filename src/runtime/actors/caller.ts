import { HeddleError } from '../../errors.js';
import type { Connection } from '../session/connection.js';
import { requireNotEncoding } from '../session/encoding.js';
import { requestIndexMask } from '../session/pending-requests.js';
import { actorStopped } from './actor-errors.js';
import { AskOrigin } from './asks.js';
import { releasePayload, releaseWhole, sendEnvelope } from './buffers.js';
import type { Cell } from './cell.js';
import { Envelope, EnvelopeKind } from './envelope.js';
import type { ActorHost } from './host.js';
import { LaneEnd, laneWindow } from './lane.js';
import type { Origin } from './mailbox.js';
import { hostSlot } from './peer.js';
import { refReader } from './ref.js';
import { firstRemotePlace } from './remote-places.js';
import { propagation } from './trace-context.js';
import { describeError } from './wire-error.js';

/** Another context that sends to this one: what came by its connection, and what goes back on it. */
export class Caller {
  /** Number of that context in the system. */
  readonly place: number;
  readonly #host: ActorHost;
  /** Whether it is of another node. */
  readonly #isRemote: boolean;
  readonly #connection: Connection;
  readonly #names: string[] = [];
  readonly #envelope = new Envelope();
  readonly #laneEnds = new Map<Cell, LaneEnd>();
  /** The last one that a message came by: the next one often comes by the same. */
  #lastLaneEnd: LaneEnd | undefined;
  /** Asks without a reply yet, by the index in their ids, which the asking context uses again and again. */
  readonly #asks: (RemoteAsk | undefined)[] = [];

  constructor(host: ActorHost, connection: Connection, place: number) {
    this.#host = host;
    this.#connection = connection;
    this.place = place;
    this.#isRemote = place >= firstRemotePlace;
  }

  /** A message to an actor of this context, or to its runtime. */
  receive(envelope: Envelope): void {
    const { kind, name, slot, generation, number, payload } = envelope;
    if (kind === EnvelopeKind.name) {
      this.#names[name] = String(payload);
      return;
    }
    if (kind === EnvelopeKind.cancel) {
      const ask = this.#asks[number & requestIndexMask];
      if (ask?.id === number) ask.cancel(slot === 1);
      return;
    }
    if (kind !== EnvelopeKind.tell && kind !== EnvelopeKind.ask) return;
    const text = this.#names[name];
    if (text === undefined)
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer used name=${name} without saying it`);
    const origin = kind === EnvelopeKind.ask ? this.#enterAsk(number) : undefined;
    if (slot === hostSlot) {
      this.#host.onPost(this.place, payload, origin);
      return;
    }
    const cell = this.#host.cellAt(slot, generation);
    if (cell === undefined) {
      const ref = this.#host.makeRef(this.#host.place, slot, generation, 'actor');
      if (origin !== undefined) {
        origin.replyError(actorStopped(String(ref)));
        releasePayload(payload);
      } else {
        this.#host.deadLetters.add('stopped', ref, text, payload);
        this.send(EnvelopeKind.closed, slot, generation, 0, undefined);
      }
      return;
    }
    // Under backpressure the lane's window bounds what comes: nothing that was accepted there is refused here.
    const { whenFull, capacity } = cell.inbox.settings;
    if (origin !== undefined) deliver(cell, text, envelope, origin, capacity);
    else {
      const lane = this.#lastLaneEnd?.cell === cell ? this.#lastLaneEnd : this.#laneEndOf(cell);
      if (++lane.waiting > laneWindow && this.#isRemote) {
        // Only who does not keep to the window comes here: what it sends must not fill this process's memory.
        lane.onTaken();
        this.#host.deadLetters.add('mailbox-full', cell.ref, text, payload);
        return;
      }
      if (cell.isGone || (whenFull !== 'backpressure' && cell.inbox.size >= capacity && whenFull !== 'drop-oldest')) {
        lane.onTaken();
      }
      deliver(cell, text, envelope, lane, whenFull === 'backpressure' ? Infinity : capacity);
    }
  }

  #enterAsk(id: number): RemoteAsk {
    const ask = new RemoteAsk(this, id);
    this.#asks[id & requestIndexMask] = ask;
    return ask;
  }

  /** An ask has its reply. */
  forgetAsk(ask: RemoteAsk): void {
    const index = ask.id & requestIndexMask;
    if (this.#asks[index] === ask) this.#asks[index] = undefined;
  }

  #laneEndOf(cell: Cell): LaneEnd {
    const lane = this.#laneEnds.get(cell) ?? this.#makeLaneEnd(cell);
    this.#lastLaneEnd = lane;
    return lane;
  }

  #makeLaneEnd(cell: Cell): LaneEnd {
    const { slot, generation } = cell.ref;
    const lane = new LaneEnd(cell, this.#host.clock, (count) =>
      this.send(EnvelopeKind.taken, slot, generation, count, undefined),
    );
    this.#laneEnds.set(cell, lane);
    return lane;
  }

  /** The connection has gone. */
  close(): void {
    for (const lane of this.#laneEnds.values()) lane.close();
    for (const ask of this.#asks) ask?.cancel(false);
    this.#asks.length = 0;
  }

  /** An actor of this context has gone. */
  forget(cell: Cell): void {
    const lane = this.#laneEnds.get(cell);
    if (lane === undefined) return;
    lane.close();
    this.#laneEnds.delete(cell);
    if (this.#lastLaneEnd === lane) this.#lastLaneEnd = undefined;
    this.send(EnvelopeKind.closed, cell.ref.slot, cell.ref.generation, 0, undefined);
  }

  /** Sends something back. What cannot be sent any more is dropped: the other side has learned of the end by then. */
  send(kind: number, slot: number, generation: number, number: number, payload: unknown): void {
    requireNotEncoding();
    const envelope = this.#envelope;
    envelope.kind = kind;
    envelope.slot = slot;
    envelope.generation = generation;
    envelope.number = number;
    envelope.payload = payload;
    refReader.host = this.#isRemote ? undefined : this.#host;
    try {
      sendEnvelope(this.#connection, envelope, this.#host.codec);
    } catch (error) {
      if (error instanceof HeddleError && error.code === 'ERR_HEDDLE_CODEC') throw error;
      releasePayload(payload);
    } finally {
      refReader.host = undefined;
      envelope.payload = undefined;
    }
  }
}

/** Puts a message into the mailbox, with what travelled along. */
function deliver(cell: Cell, name: string, envelope: Envelope, origin: Origin, limit: number): void {
  const { payload, carrier } = envelope;
  propagation.arrived = carrier ?? null;
  try {
    cell.deliver(name, payload, origin, limit);
  } finally {
    propagation.arrived = undefined;
  }
}

/** An ask from another context. */
class RemoteAsk extends AskOrigin {
  readonly id: number;
  readonly #caller: Caller;

  constructor(caller: Caller, id: number) {
    super();
    this.#caller = caller;
    this.id = id;
  }

  reply(value: unknown): void {
    this.#caller.forgetAsk(this);
    try {
      this.#caller.send(EnvelopeKind.reply, 0, 0, this.id, value);
    } catch (error) {
      releaseWhole(value);
      this.replyError(error);
    }
  }

  replyError(error: unknown): void {
    this.#caller.forgetAsk(this);
    this.#caller.send(EnvelopeKind.error, 0, 0, this.id, describeError(error));
  }
}
