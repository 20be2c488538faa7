import test from 'ava';
import fc from 'fast-check';
import {
  countIndex,
  createSlabMemory,
  dataStartBytes,
  handleIndex,
  handlesPerSlot,
  maximumSharedBufferBytes,
  requireSlab,
  sizeClassFor,
  slabBytes,
  slotAlignmentBytes,
  slotBytesOfClass,
  slotsOfClass,
} from '../../../src/runtime/memory/slab-layout.js';

test('a length goes into the smallest class that holds it', (t) => {
  t.is(sizeClassFor(0), 0);
  t.is(sizeClassFor(1), 0);
  for (let sizeClass = 0; sizeClass < slotBytesOfClass.length; sizeClass++) {
    const slotBytes = slotBytesOfClass[sizeClass]!;
    t.is(sizeClassFor(slotBytes), sizeClass);
    if (slotBytes < maximumSharedBufferBytes) t.is(sizeClassFor(slotBytes + 1), sizeClass + 1);
  }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: maximumSharedBufferBytes }), (lengthBytes) => {
      const sizeClass = sizeClassFor(lengthBytes);
      const fits = slotBytesOfClass[sizeClass]! >= lengthBytes;
      return fits && (sizeClass === 0 || slotBytesOfClass[sizeClass - 1]! < lengthBytes);
    }),
  );
});

test('control words do not overlap each other or the data, and data is page aligned', (t) => {
  for (const slotCount of slotsOfClass) {
    const seen = new Set<number>();
    for (let slot = 0; slot < slotCount; slot++) {
      seen.add(countIndex(slot));
      for (let handle = 0; handle < handlesPerSlot; handle++) seen.add(handleIndex(slot, handle));
    }
    t.is(seen.size, slotCount * (handlesPerSlot + 1));
    t.true(Math.max(...seen) * 4 + 4 <= dataStartBytes(slotCount));
    t.is(dataStartBytes(slotCount) % slotAlignmentBytes, 0);
  }
  for (const slotBytes of slotBytesOfClass) t.is(slotBytes % slotAlignmentBytes, 0);
});

test('slabs of small classes are 1 to 8 MiB, those of 16 MiB and up hold one slot', (t) => {
  for (let sizeClass = 0; sizeClass < slotBytesOfClass.length; sizeClass++) {
    const dataBytes = slotBytesOfClass[sizeClass]! * slotsOfClass[sizeClass]!;
    if (slotBytesOfClass[sizeClass]! >= 16 << 20) t.is(slotsOfClass[sizeClass], 1);
    else t.true(dataBytes >= 1 << 20 && dataBytes <= 8 << 20);
    t.true(slabBytes(sizeClass) > dataBytes);
  }
});

test('memory that is not the named slab is refused', (t) => {
  const memory = createSlabMemory(7, 3, 0);
  t.notThrows(() => requireSlab(7, memory));
  t.throws(() => requireSlab(8, memory), { code: 'ERR_HEDDLE_MALFORMED' });
  t.throws(() => requireSlab(0, new SharedArrayBuffer(16)), { code: 'ERR_HEDDLE_MALFORMED' });
  t.throws(() => requireSlab(0, new SharedArrayBuffer(memory.byteLength)), { code: 'ERR_HEDDLE_MALFORMED' });
  const words = new Int32Array(memory);
  words[3] = 99;
  t.throws(() => requireSlab(7, memory), { code: 'ERR_HEDDLE_MALFORMED' });
  words[3] = 0;
  words[4] = 65;
  t.throws(() => requireSlab(7, memory), { code: 'ERR_HEDDLE_MALFORMED' });
});
