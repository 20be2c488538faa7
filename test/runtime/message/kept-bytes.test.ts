import test from 'ava';
import fc from 'fast-check';
import { copyOfBlock } from '../../../src/runtime/message/kept-bytes.js';
import { MemoryBlock } from '../../../src/transports/record.js';

const lengths = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 20_000 }));
const pieces = fc.array(fc.record({ start: fc.integer({ min: 0, max: 500 }), length: lengths }), { maxLength: 40 });

test('copies have the bytes that were there, wherever they lay, and share none with each other', (t) => {
  fc.assert(
    fc.property(pieces, fc.boolean(), (wanted, isShared) => {
      const memory = isShared ? new SharedArrayBuffer(24_576) : new ArrayBuffer(24_576);
      const block = new MemoryBlock(memory, 8);
      const kept = wanted.map(({ start, length }, index) => {
        block.bytes.fill(index + 1);
        const copy = copyOfBlock(block, start, start + length);
        return { copy, length, index };
      });
      block.bytes.fill(255);
      return kept.every(
        ({ copy, length, index }) =>
          copy.bytes.length >= length &&
          copy.int32.length >= length >> 2 &&
          !copy.isShared &&
          copy.view(0, length).every((byte) => byte === index + 1),
      );
    }),
  );
  t.pass();
});

test('a copy begins where what was copied began, byte by byte', (t) => {
  const block = new MemoryBlock(new ArrayBuffer(1024));
  for (let i = 0; i < 1024; i++) block.bytes[i] = i % 251;
  for (const start of [0, 1, 2, 3, 4, 8, 24]) {
    for (let length = 0; length < 300; length++) {
      const copy = copyOfBlock(block, start, start + length);
      if (!copy.view(0, length).equals(block.bytes.subarray(start, start + length))) {
        t.fail(`start=${start} length=${length}`);
      }
    }
  }
  t.pass();
});

test('a view of a block is a Buffer as any other', (t) => {
  const block = new MemoryBlock(new SharedArrayBuffer(64), 16, 24);
  block.bytes.write('heddle', 8);
  const view = block.view(8, 14);
  t.true(Buffer.isBuffer(view));
  t.is(view.toString(), 'heddle');
  t.deepEqual(view, Buffer.from('heddle'));
  view[0] = 0x48;
  t.is(block.bytes.toString('utf8', 8, 14), 'Heddle');
  t.is(block.view(8, 1000).length, 16, 'no further than the block goes');
  t.is(block.view(24, 24).length, 0);
  t.is(block.view(30, 20).length, 0);
});
