import test from 'ava';
import fc from 'fast-check';
import { copyBytes, copyOf } from '../../src/transports/copy-bytes.js';

const roomBytes = 20_000;

function memory(isShared: boolean): Buffer {
  return Buffer.from((isShared ? new SharedArrayBuffer(roomBytes) : new ArrayBuffer(roomBytes)) as ArrayBuffer);
}

const length = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(255, 256, 2047, 2048), fc.nat(9000));

test('copies exactly the bytes of the source, wherever they lie, shared or not', (t) => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.nat(20),
      fc.nat(5000),
      length,
      (fromShared, toShared, from, at, bytes) => {
        const source = memory(fromShared).subarray(from, from + bytes);
        for (let i = 0; i < bytes; i++) source[i] = (i * 7 + (i >> 8) + 1) & 0xff;
        const target = memory(toShared).subarray(from >> 1);
        target.fill(0xa5);
        copyBytes(target, at, source);
        const end = at + bytes;
        return (
          target.subarray(at, end).equals(source) &&
          target.subarray(0, at).every((byte) => byte === 0xa5) &&
          target.subarray(end).every((byte) => byte === 0xa5)
        );
      },
    ),
    { numRuns: 200 },
  );
  t.pass();
});

test('throws where the source does not fit, and writes nothing beyond', (t) => {
  for (const bytes of [100, 300, 4096]) {
    const target = memory(true).subarray(0, 5000);
    t.throws(() => copyBytes(target, 5000 - bytes + 1, memory(true).subarray(1, 1 + bytes)), {
      instanceOf: RangeError,
    });
  }
});

test('a copy has memory of its own, which is not shared', (t) => {
  for (const bytes of [0, 10, 5000]) {
    const source = memory(true)
      .subarray(3, 3 + bytes)
      .fill(7);
    const copy = copyOf(source);
    t.true(copy.equals(source));
    t.true(copy.buffer instanceof ArrayBuffer);
    source.fill(8);
    t.true(copy.every((byte) => byte === 7));
  }
});
