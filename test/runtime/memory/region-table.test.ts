import test from 'ava';
import fc from 'fast-check';
import { rightsMask, rightsOf } from '../../../src/runtime/memory/region-handle.js';
import { RegionMemory, RegionOperation } from '../../../src/runtime/memory/region-memory.js';
import { RegionTable } from '../../../src/runtime/memory/region-table.js';
import { createSlabCounter, SlabPool } from '../../../src/runtime/memory/slab-pool.js';

function makeTable() {
  const pool = new SlabPool({ contextId: 1, slabCounter: createSlabCounter() });
  let count = 0;
  const table = new RegionTable({
    owner: 'me',
    takeOver: (buffer) => {
      const { slabId, memory, slot, handle, byteOffset, lengthBytes } = buffer.moveTo(1);
      return pool.adopt(slabId, memory, slot, handle, byteOffset, lengthBytes);
    },
    takeSlabId: () => pool.takeSlabId(),
    onCount: (change) => {
      count += change;
    },
  });
  return { pool, table, count: () => count };
}

test('a region is found by its slot, generation and key, until it is revoked', (t) => {
  const { pool, table, count } = makeTable();
  const region = table.export(pool.allocate(64), ['read']);
  const { slot, generation } = region.handle;
  t.is(table.find(slot, generation, region.key), region);
  t.is(table.find(slot, generation, Buffer.alloc(16)), undefined);
  t.is(table.find(slot, generation + 1, region.key), undefined);
  t.is(table.find(slot + 1, generation, region.key), undefined);
  t.is(table.find(-1, generation, region.key), undefined);
  t.is(Atomics.load(table.control.words, slot), generation);
  let revoked = 0;
  region.onRevoked(() => revoked++);
  region.revoke();
  region.revoke();
  t.is(revoked, 1);
  t.is(table.find(slot, generation, region.key), undefined);
  t.throws(() => region.bytes, { code: 'ERR_HEDDLE_REGION_REVOKED' });
  t.not(Atomics.load(table.control.words, slot), generation, 'who has its memory sees that it is gone');
  t.is(pool.statistics().buffersHeld, 0);
  const next = table.export(pool.allocate(64), ['read']);
  t.is(next.handle.slot, slot);
  t.is(next.handle.generation, generation + 1);
  t.not(next.handle.key, region.handle.key);
  t.is(count(), 1);
  table.revokeAll();
  t.is(count(), 0);
  t.is(pool.statistics().buffersHeld, 0);
});

test('what cannot be exported is left with its owner', (t) => {
  const { pool, table } = makeTable();
  const buffer = pool.allocate(64);
  t.throws(() => table.export(buffer, []), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => table.export(buffer.bytes, ['read']), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  const odd = buffer.clone(4);
  t.throws(() => table.export(odd, ['atomics']), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.true(buffer.isHeld && odd.isHeld);
  buffer.release();
  odd.release();
});

test('rights are a set: their list and their bits say the same', (t) => {
  fc.assert(
    fc.property(fc.subarray(['read', 'write', 'atomics'] as const, { minLength: 1 }), (rights) => {
      t.deepEqual(rightsOf(rightsMask([...rights].reverse())), rights);
    }),
  );
});

test('atomic operations do what 64-bit and 32-bit signed numbers do', (t) => {
  const memory = new RegionMemory(Buffer.from(new SharedArrayBuffer(64)));
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(int64, int64, int64, fc.nat(7), (initial, operand, expected, index) => {
      const { bytes } = memory;
      for (const width of [64, 32] as const) {
        const isWide = width === 64;
        const offset = index * (isWide ? 8 : 4);
        const read = () => (isWide ? bytes.readBigInt64LE(offset) : BigInt(bytes.readInt32LE(offset)));
        const write = (value: bigint) =>
          isWide ? bytes.writeBigInt64LE(value, offset) : bytes.writeInt32LE(Number(value), offset);
        const before = BigInt.asIntN(width, initial);
        write(before);
        t.is(
          memory.change(isWide ? RegionOperation.fetchAdd : RegionOperation.fetchAdd32, offset, operand, 0n),
          before,
        );
        t.is(read(), BigInt.asIntN(width, before + operand));
        write(before);
        const swap = isWide ? RegionOperation.compareAndSwap : RegionOperation.compareAndSwap32;
        t.is(memory.change(swap, offset, operand, expected), before);
        t.is(read(), BigInt.asIntN(width, expected) === before ? BigInt.asIntN(width, operand) : before);
        const current = read();
        t.is(memory.change(swap, offset, before, current), current);
        t.is(read(), before);
      }
    }),
  );
});
