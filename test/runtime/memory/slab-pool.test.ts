import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import type { LeakReport } from '../../../src/runtime/memory/leak-report.js';
import { slabBytes } from '../../../src/runtime/memory/slab-layout.js';
import { createSlabCounter, SlabPool } from '../../../src/runtime/memory/slab-pool.js';
import { collectGarbage } from '../../support/garbage.js';
import { adoptDescriptor } from './adopt-descriptor.js';

const mib = 1 << 20;

test('slab ids are unique over the pools of a process', (t) => {
  const slabCounter = createSlabCounter();
  const first = new SlabPool({ contextId: 1, slabCounter });
  const second = new SlabPool({ contextId: 2, slabCounter });
  const ids = [first, second, first, second].map((pool) => pool.allocate(16 * mib).moveTo(9).slabId);
  t.is(new Set(ids).size, 4);
});

test('the slot released last is given out first', (t) => {
  const pool = new SlabPool({ contextId: 1, slabCounter: createSlabCounter() });
  const buffers = [pool.allocate(1), pool.allocate(1), pool.allocate(1)];
  const start = buffers[1]!.bytes.byteOffset;
  const view = buffers[1]!.bytes;
  buffers[0]!.release();
  buffers[1]!.release();
  const again = pool.allocate(1);
  t.is(again.bytes.byteOffset, start);
  t.is(again.bytes, view, 'the view is kept too');
  again.release();
  const longer = pool.allocate(2);
  t.is(longer.bytes.byteOffset, start);
  t.is(longer.bytes.length, 2);
});

test('the limit is kept, said with facts, and room that is released can be used again', (t) => {
  const limitBytes = slabBytes(3) + slabBytes(0);
  const pool = new SlabPool({ contextId: 5, slabCounter: createSlabCounter(), limitBytes });
  const buffers = Array.from({ length: 8 }, () => pool.allocate(mib));
  const error = t.throws(() => pool.allocate(mib), { code: 'ERR_HEDDLE_OUT_OF_MEMORY' });
  t.regex(error?.message ?? '', new RegExp(`context 5.*lengthBytes=${mib}.*limitBytes=${limitBytes}`));
  t.notThrows(() => pool.allocate(10));
  buffers[3]!.release();
  t.notThrows(() => pool.allocate(mib).release());
  t.is(pool.statistics().slabBytes, limitBytes);
});

test('what one size class took and no longer uses can serve another', (t) => {
  const dropped: number[] = [];
  const pool = new SlabPool({
    contextId: 1,
    slabCounter: createSlabCounter(),
    limitBytes: slabBytes(3) + 4096,
    onSlabForgotten: (slabId) => dropped.push(slabId),
  });
  const small = Array.from({ length: 300 }, () => pool.allocate(1));
  t.throws(() => pool.allocate(mib), { code: 'ERR_HEDDLE_OUT_OF_MEMORY' });
  t.deepEqual(dropped, []);
  for (const buffer of small) buffer.release();
  const large = pool.allocate(mib);
  t.is(dropped.length, 5);
  t.is(pool.statistics().slabs, 1);
  t.throws(() => pool.allocate(1), { code: 'ERR_HEDDLE_OUT_OF_MEMORY' });
  large.release();
  t.notThrows(() => pool.allocate(1));
});

test('lengths out of range are refused', (t) => {
  const pool = new SlabPool({ contextId: 1, slabCounter: createSlabCounter() });
  for (const length of [-1, 1.5, Number.NaN, 256 * mib + 1, '5' as unknown as number]) {
    t.throws(() => pool.allocate(length), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
  t.is(pool.statistics().slabs, 0);
});

test('adopt refuses what was not moved here', (t) => {
  const slabCounter = createSlabCounter();
  const pool = new SlabPool({ contextId: 1, slabCounter });
  const other = new SlabPool({ contextId: 2, slabCounter });
  const descriptor = pool.allocate(10).moveTo(3);
  const { slabId, memory } = descriptor;
  const expected = { code: 'ERR_HEDDLE_MALFORMED' };
  t.throws(() => other.adopt(slabId, undefined, 0, 0, 0, 10), expected, 'unknown slab');
  t.throws(() => other.adopt(slabId + 1, memory, 0, 0, 0, 10), expected, 'wrong memory');
  t.throws(() => adoptDescriptor(other, descriptor), expected, 'moved to another context');
  const mine = pool.allocate(10).moveTo(2);
  for (const wrong of [
    { slot: -1 },
    { slot: 64 },
    { handle: 16 },
    { handle: -1 },
    { byteOffset: -8 },
    { byteOffset: 16384 },
    { lengthBytes: 16385 },
    { lengthBytes: -1 },
    { slot: Number.NaN },
  ]) {
    t.throws(() => adoptDescriptor(other, { ...mine, ...wrong }), expected, JSON.stringify(wrong));
  }
  const adopted = adoptDescriptor(other, mine);
  t.throws(() => adoptDescriptor(other, mine), expected, 'adopted twice');
  adopted.release();
  t.throws(() => adoptDescriptor(other, mine), expected, 'released before');
});

test('a slab that its owner dropped is forgotten elsewhere when the next one comes, and what is held in it has gone', (t) => {
  const slabCounter = createSlabCounter();
  const pool = new SlabPool({ contextId: 1, slabCounter, limitBytes: slabBytes(1) });
  const forgotten: number[] = [];
  const other = new SlabPool({ contextId: 2, slabCounter, onSlabForgotten: (slabId) => forgotten.push(slabId) });
  const makeAndMove = (lengthBytes: number) => adoptDescriptor(other, pool.allocate(lengthBytes).moveTo(2));
  // Classes of 16 and of 64 KiB take turns, and the limit allows a slab of one of them only.
  for (let round = 0; round < 5; round++) {
    makeAndMove(10).release();
    makeAndMove(20_000).release();
    t.is(pool.statistics().slabs, 1);
    t.is(other.statistics().foreignSlabs, 1, 'the memory of one, not of all there were');
  }
  t.is(forgotten.length, 9);
});

test('a slab of a lost context is forgotten once nothing is held in it', (t) => {
  const slabCounter = createSlabCounter();
  const [pool, dying, third] = [1, 2, 3].map((contextId) => new SlabPool({ contextId, slabCounter })) as [
    SlabPool,
    SlabPool,
    SlabPool,
  ];
  const held = adoptDescriptor(pool, dying.allocate(10).moveTo(1));
  pool.reclaimContext(2);
  t.is(pool.statistics().foreignSlabs, 1);
  held.release();
  adoptDescriptor(pool, third.allocate(10).moveTo(1)).release();
  t.is(pool.statistics().foreignSlabs, 1, 'that of the third context');
});

test('reclaimContext frees what a dead context held, also what was still on its way to it', (t) => {
  const slabCounter = createSlabCounter();
  const pool = new SlabPool({ contextId: 1, slabCounter });
  const dying = new SlabPool({ contextId: 2, slabCounter });
  const third = new SlabPool({ contextId: 3, slabCounter });
  const received = adoptDescriptor(dying, pool.allocate(10).moveTo(2));
  received.clone();
  pool.allocate(10).moveTo(2);
  const survivor = adoptDescriptor(third, received.clone().moveTo(3));
  const fromDying = adoptDescriptor(pool, dying.allocate(10).moveTo(1));
  fromDying.bytes[0] = 42;
  const kept = pool.allocate(10);

  t.is(pool.reclaimContext(2), 3);
  t.is(pool.reclaimContext(2), 0);
  t.is(third.reclaimContext(2), 0);
  t.is(pool.statistics().slotsInUse, 2, "the kept one, and the one whose clone is the third context's");
  t.true(kept.isHeld);
  t.is(survivor.bytes.length, 10);
  survivor.release();
  t.is(fromDying.bytes[0], 42, 'what came from the dead context stays until it is released');
  fromDying.release();
  pool.reclaimContext(2);
  t.is(pool.statistics().foreignSlabs, 0);
  t.throws(() => pool.reclaimContext(1), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});

test('leaks are reported with length and, if asked for, with where they were made', (t) => {
  const slabCounter = createSlabCounter();
  const pool = new SlabPool({ contextId: 1, slabCounter, captureStacks: true });
  const other = new SlabPool({ contextId: 2, slabCounter });
  t.deepEqual(pool.leaks(), []);
  const leaked = pool.allocate(123);
  const received = adoptDescriptor(other, pool.allocate(456).moveTo(2));
  pool.allocate(5).release();
  pool.allocate(5).moveTo(2); // on its way: held by nobody here
  const [report, ...rest] = pool.leaks();
  t.deepEqual(rest, []);
  t.is(report?.lengthBytes, 123);
  t.is(report?.found, 'stop');
  t.regex(report?.stack ?? '', /slab-pool\.test/);
  t.like(other.releaseAll(), [{ lengthBytes: 456, stack: undefined }]);
  t.throws(() => received.bytes, { code: 'ERR_HEDDLE_BUFFER_RELEASED', message: /context stopped/ });
  t.is(pool.releaseAll().length, 1);
  t.throws(() => leaked.release(), { code: 'ERR_HEDDLE_BUFFER_RELEASED' });
  t.deepEqual(pool.releaseAll(), []);
  t.is(pool.statistics().buffersHeld, 0);
});

test('a buffer that is collected unreleased is reported once and its memory freed', async (t) => {
  const leaks: LeakReport[] = [];
  const pool = new SlabPool({
    contextId: 1,
    slabCounter: createSlabCounter(),
    captureStacks: true,
    onLeak: (leak) => leaks.push(leak),
  });
  const kept = pool.allocate(1);
  (() => {
    for (let i = 0; i < 10; i++) pool.allocate(1000 + i);
    for (let i = 0; i < 10; i++) pool.allocate(1).release();
    pool.allocate(1).moveTo(2);
    const releasedLater = [pool.allocate(1), pool.allocate(1)];
    const movedLater = pool.allocate(1);
    pool.watchHeld();
    for (const buffer of releasedLater) buffer.release();
    movedLater.moveTo(2);
  })();
  const inTheSameSlots = [pool.allocate(1), pool.allocate(1)];
  for (let i = 0; i < 100 && leaks.length < 10; i++) {
    await setImmediate();
    collectGarbage();
  }
  await setImmediate();
  t.deepEqual(
    leaks.map((leak) => leak.lengthBytes).sort(),
    [...Array(10).keys()].map((i) => 1000 + i),
  );
  t.true(leaks.every((leak) => leak.found === 'collected' && /slab-pool\.test/.test(leak.stack ?? '')));
  t.is(pool.statistics().buffersLeaked, 10);
  t.is(pool.statistics().buffersHeld, 3);
  t.is(pool.statistics().slotsInUse, 5);
  for (const buffer of [kept, ...inTheSameSlots]) buffer.release();
});
