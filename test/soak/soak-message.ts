import { crc32 } from 'node:zlib';
import { type Context, type Message, type Payload, segments } from '../../src/index.js';
import { MessageFlag } from '../../src/runtime/message/message-layout.js';
import type { Random } from '../sim/random.js';

/** What a message asks of its receiver. */
export const Task = { echo: 1, echoLater: 2, nothing: 3, sendBack: 4, count: 5, fail: 6 } as const;

/** A message's head: task, position among the posts of its sender, checksum of the rest. */
export interface Head {
  readonly task: number;
  readonly position: number;
  readonly checksum: number;
}

const headBytes = 12;
/** Where the bytes of payloads are taken from. */
const noise = Buffer.alloc(1 << 20);
for (let at = 0; at < noise.length; at += 4) noise.writeInt32LE(Math.imul(at, 0x9e3779b1) ^ (at >>> 3), at);

/** A payload in one of the forms that can be sent, of about `sizeBytes`, and its checksum. */
export function makePayload(
  context: Context,
  random: Random,
  task: number,
  position: number,
  sizeBytes: number,
): { payload: Payload; checksum: number } {
  const start = random.integer(0, noise.length - sizeBytes - 1);
  const body = noise.subarray(start, start + sizeBytes);
  const checksum = crc32(body) | 0;
  const form = random.integer(0, 4);
  if (form === 0) return { payload: { task, position, checksum, body }, checksum };
  const head = Buffer.allocUnsafe(headBytes);
  head.writeInt32LE(task, 0);
  head.writeInt32LE(position, 4);
  head.writeInt32LE(checksum, 8);
  if (form === 1) return { payload: segments(head, body), checksum };
  if (form === 2 || sizeBytes > 16_384) {
    const buffer = context.allocate(headBytes + sizeBytes);
    buffer.bytes.set(head);
    buffer.bytes.set(body, headBytes);
    return { payload: buffer, checksum };
  }
  return { payload: Buffer.concat([head, body]), checksum };
}

/** Reads what {@link makePayload} made. Throws when it is not whole. */
export function readMessage(message: Message): Head {
  let head: Head;
  let body: Uint8Array;
  if ((message.flags & MessageFlag.encoded) !== 0) {
    const value = message.value as Head & { body: Uint8Array };
    head = value;
    body = value.body;
  } else {
    const [first, second] = message.segments as [Buffer, Buffer | undefined];
    head = { task: first.readInt32LE(0), position: first.readInt32LE(4), checksum: first.readInt32LE(8) };
    body = second ?? first.subarray(headBytes);
  }
  if ((crc32(body) | 0) !== head.checksum) {
    throw new Error(`position=${head.position} task=${head.task}: ${body.length} bytes with another checksum`);
  }
  return head;
}
