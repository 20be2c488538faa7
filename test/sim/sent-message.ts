import type { Message } from '../../src/runtime/message/message.js';
import { MessageFlag } from '../../src/runtime/message/message-layout.js';
import type { Payload } from '../../src/runtime/message/payload.js';
import { segments } from '../../src/runtime/message/segments.js';
import type { Endpoint } from './endpoint.js';
import type { Random } from './random.js';

/** What a handler does with a message, by the number that travels in it. */
export const handlerModes = [
  'atOnce',
  'byPromise',
  'keepAndAnswer',
  'throw',
  'reject',
  'neverAnswer',
  'unsendable',
  'twice',
  'inHandler',
  'endConnection',
] as const;

/** A message as its sender remembers it. */
export interface SentMessage {
  readonly number: number;
  readonly sender: Endpoint;
  readonly kind: 'one-way' | 'request';
  /** Position among the posts of its sender. */
  readonly position: number;
  readonly mode: number;
  readonly size: number;
  delivered: number;
  /** Calls of the waiter, for a request. */
  settled: number;
  /** Receipts, where one was asked for. */
  receipts: number;
  wantsReceipt: boolean;
  /** It was taken back, timed out or came back. */
  failed: boolean;
}

/** Bytes before the filling: number, position, mode. */
const headBytes = 12;

function fill(bytes: Uint8Array, from: number, number: number): void {
  for (let at = from; at < bytes.length; at++) bytes[at] = (number * 31 + at * 7) & 0xff;
}

/** Bytes that tell what they are and can be checked to be whole. */
export function makeBytes(number: number, position: number, mode: number, size: number): Buffer {
  const bytes = Buffer.alloc(Math.max(size, headBytes));
  bytes.writeInt32LE(number, 0);
  bytes.writeInt32LE(position, 4);
  bytes.writeInt32LE(mode, 8);
  fill(bytes, headBytes, number);
  return bytes;
}

/** The same as one of the forms that a payload can have. */
export function makePayload(bytes: Buffer, from: Endpoint, random: Random): Payload {
  switch (random.integer(0, 5)) {
    case 0: {
      const buffer = from.context.pool.allocate(bytes.length);
      buffer.bytes.set(bytes);
      return buffer;
    }
    case 1:
      return { bytes };
    case 2: {
      const cut = random.integer(0, bytes.length);
      return segments(bytes.subarray(0, cut), bytes.subarray(cut));
    }
    default:
      return bytes;
  }
}

/** Reads what {@link makePayload} made. Throws when it is not whole. */
export function readBytes(message: Message): { number: number; position: number; mode: number } {
  let bytes: Buffer;
  if ((message.flags & MessageFlag.encoded) !== 0) bytes = Buffer.from((message.value as { bytes: Buffer }).bytes);
  else bytes = Buffer.concat(message.segments);
  const number = bytes.readInt32LE(0);
  const expected = makeBytes(number, bytes.readInt32LE(4), bytes.readInt32LE(8), bytes.length);
  if (!expected.equals(bytes)) throw new Error(`the data of message ${number} is not what was sent`);
  return { number, position: bytes.readInt32LE(4), mode: bytes.readInt32LE(8) };
}
