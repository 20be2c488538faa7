import { SharedBuffer } from '../memory/shared-buffer.js';
import type { Codec } from '../message/codec.js';
import type { Message } from '../message/message.js';
import type { Connection } from '../session/connection.js';
import type { Envelope } from './envelope.js';
import type { ActorHost } from './host.js';
import type { Origin } from './mailbox.js';

/*
 * A SharedBuffer as a message's whole payload, or as a reply, moves to the other context: it is the data of the session's
 * message, and the envelope's head is its header. It belongs to who handles the message, until the handler has ended.
 */

const batched = { more: true };

/** Sends an envelope. Throws what `connection.send` throws; a buffer that could not be sent is the caller's still. */
export function sendEnvelope(connection: Connection, envelope: Envelope, codec: Codec): boolean {
  const { payload } = envelope;
  if (!(payload instanceof SharedBuffer)) return connection.send(envelope, batched);
  envelope.payload = undefined;
  return connection.send(payload, { header: codec.encode(envelope), more: true });
}

/** The inverse of {@link sendEnvelope}: fills the host's `incoming`. False for a message that is none. */
export function readEnvelope(message: Message, host: ActorHost): boolean {
  if (message.headerLength === 0) return message.value === host.incoming;
  const { header } = message;
  if (host.codec.decode(header, 0, header.length) !== host.incoming) return false;
  host.incoming.payload = message.takeBuffer() ?? copyOf(message, host);
  return true;
}

/** What came in the record itself, small as it was. */
function copyOf(message: Message, host: ActorHost): SharedBuffer {
  const buffer = host.context.allocate(message.length);
  buffer.bytes.set(message.data);
  return buffer;
}

/** Nobody will use it: its memory is free again, where it was a buffer. */
export function releasePayload(payload: unknown): void {
  if (payload instanceof SharedBuffer && payload.isHeld) payload.release();
}

/** The handler has ended: who asked gets the result, and a buffer that is not the result is let go. */
export function replyWith(result: unknown, origin: Origin | undefined, payload: unknown): void {
  const isAsk = origin?.isAsk === true;
  if (isAsk) origin.reply(result);
  if (typeof payload === 'object' && !(isAsk && result === payload)) releasePayload(payload);
}
