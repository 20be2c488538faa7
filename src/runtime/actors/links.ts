import type { Connection } from '../session/connection.js';
import { readEnvelope } from './buffers.js';
import { Caller } from './caller.js';
import type { Cell } from './cell.js';
import type { Envelope } from './envelope.js';
import { EnvelopeKind } from './envelope.js';
import type { ActorHost } from './host.js';
import type { HostPost } from './host-messages.js';
import { actorConnectionOptions, Peer } from './peer.js';
import type { Place } from './places.js';
import type { Ref } from './ref.js';

/**
 * The ways from one context to the others: a {@link Peer} for each context that it sends to, a {@link Caller} for each
 * that sends to it.
 */
export class Links {
  readonly #host: ActorHost;
  readonly #peers: (Peer | undefined)[] = [];
  readonly #callers = new Map<Connection, Caller>();

  constructor(host: ActorHost) {
    this.#host = host;
  }

  /** Listens at this place's portal for the other contexts of the system. */
  async listen(): Promise<void> {
    const host = this.#host;
    await host.context.listen((host.places.get(host.place) as Place).portal, {
      options: actorConnectionOptions,
      onMessage: (message, connection) => {
        if (readEnvelope(message, connection, host)) this.#callerOf(connection).receive(host.incoming);
      },
      onEvent: (event) => {
        if (event.type === 'connection-teardown') this.dropCaller(event.connection);
      },
    });
  }

  #callerOf(connection: Connection): Caller {
    return this.#callers.get(connection) ?? this.addCaller(connection, introducedPlace(connection));
  }

  /** A context that sends to this one by that connection. */
  addCaller(connection: Connection, place: number): Caller {
    const caller = new Caller(this.#host, connection, place);
    this.#callers.set(connection, caller);
    return caller;
  }

  /** A context does not send by that connection any more. */
  dropCaller(connection: Connection): void {
    this.#host.companions.drop(connection);
    this.#callers.get(connection)?.close();
    this.#callers.delete(connection);
  }

  /** The way to the context at that place. */
  peer(place: number): Peer {
    let peer = this.#peers[place];
    if (peer === undefined) {
      peer = new Peer(this.#host, place);
      this.#peers[place] = peer;
    }
    return peer;
  }

  /** For a connection that carries both ways: hands on what came by it to whom it concerns. */
  receive(caller: Caller, envelope: Envelope): void {
    const { kind } = envelope;
    if (kind >= EnvelopeKind.reply && kind <= EnvelopeKind.closed) this.peer(caller.place).receive(envelope);
    else caller.receive(envelope);
  }

  tell(ref: Ref, name: string, payload: unknown): boolean {
    return this.peer(ref.place).tell(ref, name, payload);
  }

  /** Tells the runtime of a context something. False when it cannot be reached. */
  post(place: number, payload: HostPost): boolean {
    const host = this.#host;
    if (place === host.place) {
      host.onPost(place, payload, undefined);
      return true;
    }
    const peer = this.peer(place);
    if (!peer.isReachable) return false;
    try {
      peer.post(payload);
      return true;
    } catch {
      return false;
    }
  }

  /** The context at that place is lost. */
  lose(place: number, error: unknown): void {
    this.#peers[place]?.lose(error);
  }

  /** A context of another node is reached by this connection from now on, and sends by it. */
  adopt(connection: Connection, place: number): Caller {
    this.peer(place).adopt(connection);
    return this.addCaller(connection, place);
  }

  /** A node has gone: its context at that place is not sent to any more. */
  discard(place: number): void {
    delete this.#peers[place];
  }

  /** An actor of this context has gone. */
  forget(cell: Cell): void {
    for (const caller of this.#callers.values()) caller.forget(cell);
  }

  close(): void {
    for (const peer of this.#peers) peer?.lose(undefined);
  }
}

/** The place that a context of the same system says it is at. */
function introducedPlace(connection: Connection): number {
  const introduction = connection.session.peerPrivateData;
  return introduction.length === 2 ? introduction.readUInt16LE(0) : -1;
}
