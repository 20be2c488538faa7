import test from 'ava';
import type { SharedBuffer } from '../../../src/runtime/memory/shared-buffer.js';
import { createSlabCounter, SlabPool } from '../../../src/runtime/memory/slab-pool.js';
import { adoptDescriptor } from './adopt-descriptor.js';

function makePools(): [SlabPool, SlabPool] {
  const slabCounter = createSlabCounter();
  return [new SlabPool({ contextId: 1, slabCounter }), new SlabPool({ contextId: 2, slabCounter })];
}

test('bytes have exactly the length, are shared memory and writable', (t) => {
  const [pool] = makePools();
  for (const length of [0, 1, 1000, 16384, 16385, 65536, 1 << 20, (1 << 20) + 1]) {
    const buffer = pool.allocate(length);
    t.is(buffer.length, length);
    t.is(buffer.bytes.length, length);
    t.true(Buffer.isBuffer(buffer.bytes));
    t.true((buffer.bytes.buffer as unknown) instanceof SharedArrayBuffer);
    t.is(buffer.bytes.byteOffset % 4096, 0);
    t.is(buffer.bytes, buffer.bytes);
    buffer.bytes.fill(7);
    t.is(buffer.subarray(0, 3).length, Math.min(3, length));
    buffer.release();
  }
  t.is(pool.statistics().slotsInUse, 0);
});

test('buffers held at the same time never overlap', (t) => {
  const [pool] = makePools();
  const buffers = Array.from({ length: 200 }, (_, i) => pool.allocate((i % 5) * 4096 + 10));
  buffers.forEach((buffer, i) => {
    buffer.bytes.fill(i);
  });
  buffers.forEach((buffer, i) => {
    t.true(buffer.bytes.every((byte) => byte === (i & 255)));
    buffer.release();
  });
});

test('release: every later use throws, a second release too', (t) => {
  const [pool] = makePools();
  const buffer = pool.allocate(10);
  buffer.release();
  const expected = { code: 'ERR_HEDDLE_BUFFER_RELEASED', message: /length=10/ };
  t.throws(() => buffer.bytes, expected);
  t.throws(() => buffer.subarray(), expected);
  t.throws(() => buffer.clone(), expected);
  t.throws(() => buffer.moveTo(2), expected);
  t.throws(() => buffer.release(), expected);
  t.false(buffer.isHeld);
  t.notThrows(() => buffer[Symbol.dispose]());
});

test('a use after the slot was given out again throws too, and does not touch the new owner', (t) => {
  const [pool] = makePools();
  const old = pool.allocate(10);
  old.release();
  const fresh = pool.allocate(10);
  t.throws(() => old.release(), { code: 'ERR_HEDDLE_BUFFER_RELEASED' });
  t.true(fresh.isHeld);
  fresh.release();
});

test('using releases at the end of the block, unless the buffer moved or was released', (t) => {
  const [pool, other] = makePools();
  {
    using buffer = pool.allocate(5);
    t.is(pool.statistics().buffersHeld, 1);
    t.true(buffer.isHeld);
  }
  t.is(pool.statistics().buffersHeld, 0);
  let moved: SharedBuffer;
  {
    using buffer = pool.allocate(5);
    moved = adoptDescriptor(other, buffer.moveTo(2));
  }
  t.true(moved.isHeld);
  moved.release();
});

test('move: the bytes arrive without a copy, and the sender cannot use them', (t) => {
  const [pool, other] = makePools();
  const buffer = pool.allocate(100);
  const before = buffer.bytes;
  before.write('over there');
  const received = adoptDescriptor(other, buffer.moveTo(2));
  t.is(received.length, 100);
  t.is(received.bytes.toString('utf8', 0, 10), 'over there');
  received.bytes[0] = 79;
  t.is(before[0], 79, 'a view taken before the move is a plain view of the same memory');
  const expected = { code: 'ERR_HEDDLE_BUFFER_MOVED', message: /context 2/ };
  t.throws(() => buffer.bytes, expected);
  t.throws(() => buffer.clone(), expected);
  t.throws(() => buffer.release(), expected);
  t.throws(() => buffer.moveTo(3), expected);
  t.is(pool.statistics().buffersHeld, 0);
  t.is(other.statistics().buffersHeld, 1);
  received.release();
  t.is(pool.statistics().slotsInUse, 1, 'freed elsewhere, not collected yet');
  // The slot comes back to its owner once the others of the slab are given out.
  const all = Array.from({ length: 64 }, () => pool.allocate(1));
  t.is(pool.statistics().slabs, 1);
  for (const each of all) each.release();
});

test('a buffer can go back and forth', (t) => {
  const [pool, other] = makePools();
  let buffer = pool.allocate(8);
  for (let i = 0; i < 100; i++) {
    buffer.bytes[0] = i;
    buffer = adoptDescriptor(other, buffer.moveTo(2));
    t.is(buffer.bytes[0], i);
    buffer = adoptDescriptor(pool, buffer.moveTo(1));
  }
  buffer.release();
  t.is(pool.statistics().slotsInUse, 0);
});

test('undoMove takes an unpublished move back', (t) => {
  const [pool] = makePools();
  const buffer = pool.allocate(8);
  t.throws(() => buffer.undoMove(), { code: 'ERR_HEDDLE_INVALID_STATE' });
  buffer.moveTo(2);
  t.true(buffer.undoMove());
  t.is(buffer.bytes.length, 8);
  t.is(pool.statistics().buffersHeld, 1);
  buffer.release();
  t.is(pool.statistics().slotsInUse, 0);
});

test('undoMove after the receiver was reclaimed: the buffer counts as released', (t) => {
  const [pool] = makePools();
  const buffer = pool.allocate(8);
  buffer.moveTo(2);
  t.is(pool.reclaimContext(2), 1);
  t.false(buffer.undoMove());
  t.throws(() => buffer.bytes, { code: 'ERR_HEDDLE_BUFFER_RELEASED' });
  t.is(pool.statistics().slotsInUse, 0);
});

test('clones share the bytes and free them together; there are 16 at the most', (t) => {
  const [pool, other] = makePools();
  const buffer = pool.allocate(100);
  buffer.bytes.write('abcdef');
  const handles = [buffer, ...Array.from({ length: 15 }, () => buffer.clone())];
  t.throws(() => buffer.clone(), { code: 'ERR_HEDDLE_BUFFER_SHARED', message: /handles=16/ });
  const away = adoptDescriptor(other, handles[3]!.moveTo(2));
  t.throws(() => away.clone(), { code: 'ERR_HEDDLE_BUFFER_SHARED' });
  handles.forEach((handle, i) => {
    if (i !== 3) handle.release();
  });
  t.is(pool.statistics().slotsInUse, 1);
  const part = away.clone(2, 4);
  away.release();
  t.is(part.bytes.toString(), 'cd');
  t.is(part.clone(1).bytes.toString(), 'd');
  t.throws(() => part.clone(1, 3), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => part.clone(-1), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  part.release();
  t.is(other.releaseAll().length, 1);
  t.is(pool.allocate(1).length, 1);
});
