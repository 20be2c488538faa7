import test from 'ava';
import fc from 'fast-check';
import { BlockMemory, blockBytes, type Extent, unitBytes } from '../../../examples/web-cache/block-memory.js';
import { createNode } from '../../../src/index.js';

const node = createNode({ contextOptions: { slabLimitBytes: 64 * 2 ** 20 } });
test.after.always(() => node.close());
const mib = 2 ** 20;

test('pieces never overlap, stay within the bound, and are all free in the end', (t) => {
  const step = fc.record({ lengthBytes: fc.integer({ min: 1, max: blockBytes }), freed: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const memory = new BlockMemory(node.context, mib);
      const held: { extent: Extent; mark: number }[] = [];
      let mark = 0;
      try {
        for (const { lengthBytes, freed } of steps) {
          const extent = memory.allocate(lengthBytes);
          if (extent === undefined) {
            const victim = held.splice(freed % held.length, 1)[0]!;
            memory.free(victim.extent);
          } else {
            t.is(extent.bytes.length, lengthBytes);
            mark = (mark + 1) & 0xff;
            extent.bytes.fill(mark);
            held.push({ extent, mark });
          }
          for (const each of held) if (!each.extent.bytes.every((byte) => byte === each.mark)) return false;
          const needed = held.reduce((sum, each) => sum + Math.ceil(each.extent.bytes.length / unitBytes), 0);
          if (memory.usedBytes !== needed * unitBytes || memory.blockedBytes > memory.limitBytes) return false;
        }
        for (const { extent } of held) memory.free(extent);
        return memory.usedBytes === 0;
      } finally {
        memory.close();
      }
    }),
    { numRuns: 50 },
  );
  t.is(node.context.memory.buffersHeld, 0);
});

test('a full memory says so, and has room again for what was freed', (t) => {
  const memory = new BlockMemory(node.context, 1);
  t.is(memory.limitBytes, mib);
  const all = Array.from({ length: 16 }, () => memory.allocate(64 * 1024)!);
  t.is(memory.allocate(1), undefined);
  memory.free(all[5]!);
  t.is(memory.allocate(64 * 1024)?.bytes.byteOffset, all[5]!.bytes.byteOffset);
  t.throws(() => memory.free(all[5]!), { message: /freed once/ });
  t.throws(() => memory.allocate(blockBytes + 1), { instanceOf: RangeError });
  t.throws(() => memory.allocate(0), { instanceOf: RangeError });
  memory.close();
});

test('the bound of the context counts, too', async (t) => {
  const small = createNode({ contextOptions: { slabLimitBytes: 1 } });
  t.is(new BlockMemory(small.context, mib).allocate(1), undefined);
  await small.close();
});
