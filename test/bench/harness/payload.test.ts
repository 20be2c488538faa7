import test from 'ava';
import { checkPattern, checkPayload, fillPayload, stampPayload } from '../../../bench/harness/payload.js';

function payloadOf(sequence: number, lengthBytes = 64): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  fillPayload(bytes);
  stampPayload(bytes, sequence);
  return bytes;
}

test('a payload is right for its own number only', (t) => {
  for (const sequence of [0, 1, 1024, 0x7fffffff]) {
    t.notThrows(() => checkPayload(payloadOf(sequence), sequence));
    t.throws(() => checkPayload(payloadOf(sequence), sequence + 1), { message: /expected sequence=/ });
  }
});

test('a wrong byte at either end is found each time, one between them when all is checked', (t) => {
  const damaged = (sequence: number, at: number): Uint8Array => {
    const bytes = payloadOf(sequence);
    bytes[at] = (bytes[at] as number) ^ 1;
    return bytes;
  };
  t.throws(() => checkPayload(damaged(5, 0), 5));
  t.throws(() => checkPayload(damaged(5, 63), 5));
  t.throws(() => checkPayload(damaged(2048, 30), 2048), { message: /offset=30/ });
  t.throws(() => checkPattern(damaged(5, 30), 5, 0, 64), { message: /offset=30/ });
});

test('a payload may lie anywhere in a block', (t) => {
  const block = new Uint8Array(256);
  block.set(payloadOf(1024), 40);
  t.notThrows(() => checkPayload(block, 1024, 40, 64));
  t.throws(() => checkPayload(block, 1024, 41, 64));
});
