import { type Codec, compactCodec, valueDecoder } from '../message/codec.js';
import { type CompanionReader, strayBuffer } from '../message/companions.js';
import { writeMessage } from '../message/value-encoder.js';
import type { ReferenceReader } from '../message/value-format.js';
import { type Carrier, readCarrier, writeCarrier } from './trace-context.js';

/**
 * What travels between the actors of two contexts, as the data of a one-way message:
 *
 * ```
 *   byte 0   1      2            4       8            12           16
 *   +------+------+------------+-------+------------+------------+----------- - -
 *   | 0xc1 | kind | name's     | slot  | generation | ask id, or | the payload,
 *   |      |      | number     |       |            | a count    | as a value
 *   +------+------+------------+-------+------------+------------+----------- - -
 * ```
 *
 * Numbers are little-endian. A value never begins with 0xc1, so that values and envelopes share a connection. Names
 * travel once on each connection, by the kind `name`, and as numbers from then on. Where the kind has the bit 0x40 the value
 * is an array of two: what travels with the message, and the payload.
 */
export const EnvelopeKind = {
  /** A message; slot and generation say for whom. Slot -1 is the runtime of the context itself. */
  tell: 1,
  /** A message that wants a reply, by its ask id. */
  ask: 2,
  /** The reply to the ask with that id, and the error in place of one. */
  reply: 3,
  error: 4,
  /** `count` messages to that actor have left its mailbox. */
  taken: 5,
  /** That actor has gone. */
  closed: 6,
  /** The payload is the name that has this number from now on. */
  name: 7,
  /** Nobody waits for the reply to the ask with that id any more; slot 1 says that its deadline has passed. */
  cancel: 8,
  /** A SharedBuffer of the payload of the message that comes next, which has `count` where the buffer belongs. */
  companion: 9,
} as const;

const mark = 0xc1;
const headBytes = 16;
const carrierBit = 0x40;

/** An envelope's fields; one object serves all messages of a context in one direction. */
export class Envelope {
  kind = 0;
  name = 0;
  slot = 0;
  generation = 0;
  /** Ask id or count. */
  number = 0;
  payload: unknown = undefined;
  /** What travels with the message. */
  carrier: Carrier | undefined = undefined;
  /** Set while a message is decoded that has buffers beside it. */
  readCompanion: CompanionReader | undefined = undefined;
}

function writeInt32(value: number, target: Buffer, at: number): void {
  target[at] = value;
  target[at + 1] = value >> 8;
  target[at + 2] = value >> 16;
  target[at + 3] = value >> 24;
}

function readInt32(source: Buffer, at: number): number {
  return source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24);
}

/**
 * The codec of a system's contexts: envelopes, and values in which refs may occur. What `decode` returns for an envelope
 * is `incoming`, whose fields hold until the next call.
 */
export function envelopeCodec(incoming: Envelope, readReference: ReferenceReader): Codec {
  const codec: Codec = {
    name: 'actors',

    encodeInto(value, target, start, end) {
      if (!(value instanceof Envelope)) return compactCodec.encodeInto(value, target, start, end);
      const at = start + headBytes;
      if (at > end) return -1;
      target[start] = mark;
      const { carrier } = value;
      target[start + 1] = carrier === undefined ? value.kind : value.kind | carrierBit;
      target[start + 2] = value.name;
      target[start + 3] = value.name >> 8;
      writeInt32(value.slot, target, start + 4);
      writeInt32(value.generation, target, start + 8);
      writeInt32(value.number, target, start + 12);
      const payload = carrier === undefined ? value.payload : [writeCarrier(carrier), value.payload];
      if (payload === undefined) return at;
      try {
        return writeMessage(payload, target, at, end);
      } catch (error) {
        // Who sends may have it travel beside the value, and does not want to know more.
        if (error === strayBuffer) throw error;
        // Once more, to have the error say what in the payload cannot be sent.
        return compactCodec.encodeInto(payload, target, at, end);
      }
    },

    encode(value) {
      if (!(value instanceof Envelope)) return compactCodec.encode(value);
      const { carrier, payload: own } = value;
      const payload = carrier === undefined ? own : [writeCarrier(carrier), own];
      const body = payload === undefined ? Buffer.alloc(0) : compactCodec.encode(payload);
      const head = Buffer.allocUnsafe(headBytes);
      value.payload = undefined;
      value.carrier = undefined;
      codec.encodeInto(value, head, 0, headBytes);
      if (carrier !== undefined) head[1]! |= carrierBit;
      value.payload = own;
      value.carrier = carrier;
      return Buffer.concat([head, body]);
    },

    decode(source, start, end) {
      if (source[start] !== mark || end - start < headBytes) {
        return valueDecoder.decode(source, start, end, readReference, incoming.readCompanion);
      }
      const at = start + headBytes;
      const payload =
        at === end ? undefined : valueDecoder.decode(source, at, end, readReference, incoming.readCompanion);
      const kind = source[start + 1]!;
      incoming.kind = kind & ~carrierBit;
      incoming.name = source[start + 2]! | (source[start + 3]! << 8);
      incoming.slot = readInt32(source, start + 4);
      incoming.generation = readInt32(source, start + 8);
      incoming.number = readInt32(source, start + 12);
      if ((kind & carrierBit) === 0) {
        incoming.payload = payload;
        incoming.carrier = undefined;
      } else {
        const [carrier, own] = payload as readonly unknown[];
        incoming.payload = own;
        incoming.carrier = readCarrier(carrier);
      }
      return incoming;
    },
  };
  return codec;
}
