import { SharedBuffer } from '../memory/shared-buffer.js';
import type { Codec } from '../message/codec.js';
import { gathering, maximumCompanions, strayBuffer } from '../message/companions.js';
import type { Message } from '../message/message.js';
import { unsendable } from '../message/value-encoder.js';
import type { Connection } from '../session/connection.js';
import { whileEncoding } from '../session/encoding.js';
import { Envelope, EnvelopeKind } from './envelope.js';
import type { ActorHost } from './host.js';
import type { Origin } from './mailbox.js';

/*
 * SharedBuffers move to the other context. One that is a message's whole payload, or a reply, is the data of the session's
 * message, and the envelope's head is its header; it belongs to who handles the message, until the handler has ended. Those
 * inside of a payload go ahead of it, as messages of their own; they belong to who gets them until they are released.
 */

/** Published at the end of the turn, with what else is sent in it. */
export const batched = { more: true };

/** Sends an envelope. Throws what `connection.send` throws; a buffer that could not be sent is the caller's still. */
export function sendEnvelope(connection: Connection, envelope: Envelope, codec: Codec): boolean {
  const { payload } = envelope;
  if (!(payload instanceof SharedBuffer)) {
    try {
      return connection.send(envelope, batched);
    } catch (error) {
      if (error !== strayBuffer && (error as Error).cause !== strayBuffer) throw error;
    }
    return sendWithCompanions(connection, envelope, codec);
  }
  envelope.payload = undefined;
  return connection.send(payload, { header: codec.encode(envelope), more: true });
}

function sendWithCompanions(connection: Connection, envelope: Envelope, codec: Codec): boolean {
  const found: SharedBuffer[] = [];
  return gathering(found, () => {
    // Whatever cannot be sent is found out before anything is given away.
    whileEncoding(() => codec.encode(envelope));
    requireMovable(found, envelope.payload);
    const companion = new Envelope();
    companion.kind = EnvelopeKind.companion;
    for (const [number, buffer] of [...found].entries()) {
      companion.number = number;
      connection.send(buffer, { header: codec.encode(companion), more: true });
    }
    return connection.send(envelope, batched);
  });
}

function requireMovable(buffers: readonly SharedBuffer[], value: unknown): void {
  if (buffers.length > 0 && search(value).kept.length > 0) {
    throw unsendable(
      'the SharedBuffers in the state of a machine stay with it: send a clone() by an actor of your own',
    );
  }
  if (buffers.length > maximumCompanions) {
    throw unsendable(
      `a message has ${buffers.length} SharedBuffers, and may have maximumCompanions=${maximumCompanions}`,
    );
  }
  // Throws what says why, where one was moved or released.
  for (const buffer of buffers) void buffer.bytes;
}

/** What a value becomes on its way to another context: a copy, to which its buffers have moved. */
export function carryByCodec(host: ActorHost, codec: Codec, value: unknown): unknown {
  if (value instanceof SharedBuffer) return moveHere(value);
  const found: SharedBuffer[] = [];
  const bytes = gathering(found, () => codec.encode(value));
  requireMovable(found, value);
  const moved = found.map(moveHere);
  host.incoming.readCompanion = (number) => moved[number];
  try {
    return codec.decode(bytes, 0, bytes.length);
  } finally {
    host.incoming.readCompanion = undefined;
  }
}

function moveHere(buffer: SharedBuffer): SharedBuffer {
  const moved = buffer.clone();
  buffer.release();
  return moved;
}

/** The buffers that have come by each connection ahead of the message that they belong to. */
export class ArrivedCompanions {
  readonly #byConnection = new Map<Connection, SharedBuffer[]>();

  get isEmpty(): boolean {
    return this.#byConnection.size === 0;
  }

  /** Takes one in. Throws, and takes none, where a peer does not keep to the order: so many are there at the most. */
  add(connection: Connection, number: number, buffer: SharedBuffer): void {
    // The first of a new message, when the message of those before could not be sent.
    if (number === 0) this.drop(connection);
    const arrived = this.#byConnection.get(connection) ?? [];
    if (number !== arrived.length || number >= maximumCompanions) {
      buffer.release();
      throw unsendable(`SharedBuffer number=${number} came where number=${arrived.length} was due`);
    }
    arrived.push(buffer);
    this.#byConnection.set(connection, arrived);
  }

  /** Reads the message to which those that have come by the connection belong; what it does not have is released. */
  readWith<R>(connection: Connection, incoming: Envelope, read: () => R): R {
    const arrived = this.#byConnection.get(connection);
    if (arrived === undefined) return read();
    const unread = new Set(arrived);
    incoming.readCompanion = (number) => {
      const buffer = arrived[number];
      if (buffer !== undefined) unread.delete(buffer);
      return buffer;
    };
    try {
      const value = read();
      this.#byConnection.delete(connection);
      for (const buffer of unread) buffer.release();
      return value;
    } catch (error) {
      this.drop(connection);
      throw error;
    } finally {
      incoming.readCompanion = undefined;
    }
  }

  /** Nothing follows by that connection, or not what was due. */
  drop(connection: Connection): void {
    for (const buffer of this.#byConnection.get(connection) ?? []) buffer.release();
    this.#byConnection.delete(connection);
  }
}

/** The inverse of {@link sendEnvelope}: fills the host's `incoming`. False for a message that is none, or not yet. */
export function readEnvelope(message: Message, connection: Connection, host: ActorHost): boolean {
  const { companions, incoming } = host;
  if (message.headerLength === 0) {
    if (companions.isEmpty) return message.value === incoming;
    return readCompanioned(message, connection, host);
  }
  const { header } = message;
  if (host.codec.decode(header, 0, header.length) !== incoming) return false;
  const buffer = message.takeBuffer() ?? copyOf(message, host);
  if (incoming.kind === EnvelopeKind.companion) {
    companions.add(connection, incoming.number, buffer);
    return false;
  }
  companions.drop(connection);
  incoming.payload = buffer;
  return true;
}

function readCompanioned(message: Message, connection: Connection, host: ActorHost): boolean {
  return host.companions.readWith(connection, host.incoming, () => message.value === host.incoming);
}

/** What came in the record itself, small as it was. */
function copyOf(message: Message, host: ActorHost): SharedBuffer {
  const buffer = host.context.allocate(message.length);
  buffer.bytes.set(message.data);
  return buffer;
}

/** A buffer that is the whole payload is free again: its handler has ended. */
export function releaseWhole(payload: unknown): void {
  if (payload instanceof SharedBuffer && payload.isHeld) payload.release();
}

/** Objects that are sent while the buffers in them stay whose they are. */
const keepers = new WeakSet<object>();

/** Has the buffers in a value stay whose they are: a message that the value is in does not take them along. */
export function keepingBuffers<T extends object>(value: T): T {
  keepers.add(value);
  return value;
}

/** How deep, and at how many parts, a payload that nobody handles is searched for buffers. */
const searchedDepth = 16;
const searchedParts = 10_000;

/** Nobody will use it: its memory is free again, where it was a buffer or has any in it. */
export function releasePayload(payload: unknown): void {
  if (typeof payload === 'object' && payload !== null) for (const buffer of buffersIn(payload)) releaseWhole(buffer);
}

/** The buffers in a value that are given away with it, as far as the search goes. */
export function buffersIn(value: unknown): readonly SharedBuffer[] {
  return search(value).given;
}

function search(value: unknown): { given: SharedBuffer[]; kept: SharedBuffer[] } {
  const given: SharedBuffer[] = [];
  const kept: SharedBuffer[] = [];
  let parts = 0;
  const visit = (part: unknown, depth: number, found: SharedBuffer[]): void => {
    if (typeof part !== 'object' || part === null || ArrayBuffer.isView(part) || ++parts > searchedParts) return;
    if (part instanceof SharedBuffer) {
      found.push(part);
      return;
    }
    if (depth >= searchedDepth) return;
    const into = keepers.has(part) ? kept : found;
    const prototype = Object.getPrototypeOf(part);
    if (Array.isArray(part) || part instanceof Set) for (const item of part) visit(item, depth + 1, into);
    else if (part instanceof Map) for (const item of part.values()) visit(item, depth + 1, into);
    else if (prototype === Object.prototype || prototype === null) {
      for (const item of Object.values(part)) visit(item, depth + 1, into);
    }
  };
  visit(value, 0, given);
  return { given, kept };
}

/** The handler has ended: who asked gets the result, and a buffer that is not the result is let go. */
export function replyWith(result: unknown, origin: Origin | undefined, payload: unknown): void {
  const isAsk = origin?.isAsk === true;
  if (isAsk) origin.reply(result);
  if (typeof payload === 'object' && !(isAsk && result === payload)) releaseWhole(payload);
}
