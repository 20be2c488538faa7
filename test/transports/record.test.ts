import test from 'ava';
import fc from 'fast-check';
import {
  alignedRecordBytes,
  firstUpperRecordType,
  MemoryBlock,
  paddingRecordType,
  recordAlignmentBytes,
  recordHeaderBytes,
} from '../../src/transports/record.js';

test('the layout has the numbers that both sides of a wire agree on', (t) => {
  t.is(recordAlignmentBytes, 8);
  t.is(recordHeaderBytes, 8);
  t.is(paddingRecordType, 0);
  t.is(firstUpperRecordType, 16);
});

test('alignedRecordBytes leaves multiples of 8 alone and rounds others up', (t) => {
  const expected: [number, number][] = [
    [0, 0],
    [1, 8],
    [7, 8],
    [8, 8],
    [9, 16],
    [1023, 1024],
    [1024, 1024],
  ];
  for (const [lengthBytes, alignedBytes] of expected) t.is(alignedRecordBytes(lengthBytes), alignedBytes);
});

test('alignedRecordBytes is the smallest multiple of 8 that is not smaller', (t) => {
  const lengths = fc.integer({ min: 0, max: 0x7fff_fff8 });
  fc.assert(
    fc.property(lengths, (lengthBytes) => {
      const alignedBytes = alignedRecordBytes(lengthBytes);
      return alignedBytes % 8 === 0 && alignedBytes >= lengthBytes && alignedBytes - lengthBytes < 8;
    }),
  );
  t.pass();
});

for (const Memory of [ArrayBuffer, SharedArrayBuffer]) {
  test(`a block shows the same bytes of an ${Memory.name} as words and as bytes, little-endian`, (t) => {
    const block = new MemoryBlock(new Memory(64));
    t.is(block.int32.length, 16);
    t.is(block.bytes.length, 64);
    block.int32[1] = 0x0403_0201;
    t.deepEqual([...block.bytes.subarray(4, 8)], [1, 2, 3, 4]);
    block.bytes.writeInt32LE(-2, 8);
    t.is(block.int32[2], -2);
  });
}

test('a block can be a part of its memory; offsets count from its own start', (t) => {
  const memory = new SharedArrayBuffer(64);
  const block = new MemoryBlock(memory, 16, 24);
  t.is(block.int32.length, 6);
  t.is(block.bytes.length, 24);
  block.bytes[0] = 7;
  t.is(new Uint8Array(memory)[16], 7);
});

test('without a length a block reaches to the end of its memory', (t) => {
  const block = new MemoryBlock(new ArrayBuffer(64), 40);
  t.is(block.int32.length, 6);
  t.is(block.bytes.length, 24);
});

test('a block that is not aligned or leaves its memory is refused', (t) => {
  t.throws(() => new MemoryBlock(new ArrayBuffer(64), 2), { instanceOf: RangeError });
  t.throws(() => new MemoryBlock(new ArrayBuffer(64), 8, 64), { instanceOf: RangeError });
});
