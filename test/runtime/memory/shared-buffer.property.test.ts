import test from 'ava';
import fc from 'fast-check';
import type { SharedBuffer, SharedBufferDescriptor } from '../../../src/runtime/memory/shared-buffer.js';
import { createSlabCounter, SlabPool } from '../../../src/runtime/memory/slab-pool.js';
import { adoptDescriptor } from './adopt-descriptor.js';

/** One memory in the model: a stamp that all its handles must see, and how many handles there are. */
interface ModelSlot {
  readonly stamp: number;
  handles: number;
}
interface ModelBuffer {
  readonly buffer: SharedBuffer;
  readonly slot: ModelSlot;
}
interface Flight {
  readonly descriptor: SharedBufferDescriptor;
  readonly slot: ModelSlot;
}

/** Contexts with their pools, what each holds, and what is on its way to each, as plain lists. */
class Model {
  readonly #counter = createSlabCounter();
  readonly pools: SlabPool[];
  readonly held: ModelBuffer[][];
  readonly flights: Flight[][];
  readonly slots = new Set<ModelSlot>();
  #stamp = 1;

  constructor(contexts: number) {
    const ids = [...Array(contexts).keys()];
    this.pools = ids.map((contextId) => new SlabPool({ contextId, slabCounter: this.#counter }));
    this.held = ids.map(() => []);
    this.flights = ids.map(() => []);
  }

  step(operation: number, context: number, choice: number, other: number): void {
    const pool = this.pools[context]!;
    const held = this.held[context]!;
    if (operation === 0) {
      const buffer = pool.allocate([4, 16384, 16385, 70000][choice % 4]!);
      const slot = { stamp: this.#stamp++, handles: 1 };
      buffer.bytes.writeInt32LE(slot.stamp);
      this.slots.add(slot);
      held.push({ buffer, slot });
      return;
    }
    if (operation === 4) {
      const flight = this.flights[context]!.shift();
      if (flight === undefined) return;
      held.push({ buffer: adoptDescriptor(pool, flight.descriptor), slot: flight.slot });
      return;
    }
    if (held.length === 0) return;
    const index = choice % held.length;
    const { buffer, slot } = held[index]!;
    switch (operation) {
      case 1:
        if (slot.handles === 16) {
          try {
            buffer.clone();
          } catch {
            return;
          }
          throw new Error('a seventeenth handle');
        }
        held.push({ buffer: buffer.clone(), slot });
        slot.handles += 1;
        break;
      case 2:
        this.flights[other]!.push({ descriptor: buffer.moveTo(other), slot });
        held.splice(index, 1);
        break;
      case 3:
        buffer.release();
        this.#lose(slot);
        held.splice(index, 1);
        break;
      default:
        buffer.moveTo(other);
        if (!buffer.undoMove()) throw new Error('undoMove failed');
    }
  }

  /** A context dies: what it holds and what was on its way to it is gone. Its own slabs stay for the others. */
  kill(context: number): void {
    for (const { slot } of this.held[context]!) this.#lose(slot);
    for (const { slot } of this.flights[context]!) this.#lose(slot);
    this.held[context] = [];
    this.flights[context] = [];
    this.pools.forEach((pool, id) => {
      if (id !== context) pool.reclaimContext(context);
    });
  }

  check(alive: (context: number) => boolean): void {
    this.pools.forEach((pool, context) => {
      if (!alive(context)) return;
      if (pool.statistics().buffersHeld !== this.held[context]!.length) throw new Error('buffersHeld is wrong');
      if (pool.leaks().length !== this.held[context]!.length) throw new Error('leaks() is wrong');
      for (const { buffer, slot } of this.held[context]!) {
        if (buffer.bytes.readInt32LE() !== slot.stamp)
          throw new Error('bytes were overwritten: a slot was given twice');
      }
    });
  }

  #lose(slot: ModelSlot): void {
    slot.handles -= 1;
    if (slot.handles === 0) this.slots.delete(slot);
  }
}

const steps = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 5 }), fc.nat({ max: 3 }), fc.nat({ max: 99 }), fc.nat({ max: 3 })),
  { maxLength: 120, size: 'max' },
);

test('random allocate, clone, move, release and undo agree with a model, and nothing is left over', (t) => {
  fc.assert(
    fc.property(steps, (operations) => {
      const model = new Model(4);
      for (const [operation, context, choice, other] of operations) {
        model.step(operation, context, choice, other);
        model.check(() => true);
      }
      for (let context = 0; context < 4; context++) {
        while (model.flights[context]!.length > 0) model.step(4, context, 0, 0);
      }
      for (let context = 0; context < 4; context++) {
        while (model.held[context]!.length > 0) model.step(3, context, 0, 0);
      }
      if (model.slots.size !== 0) throw new Error('the model itself leaks');
      for (const pool of model.pools) {
        // Freed elsewhere or here, all slots must be there to be given out again without a new slab.
        const before = pool.statistics();
        const capacity = before.slotsInUse + before.slotsFree;
        const again = drain(pool, before.slabs);
        if (again !== capacity) throw new Error(`of ${capacity} slots only ${again} came back`);
      }
    }),
    { numRuns: 60 },
  );
  t.pass();
});

/** Allocates from the size classes that the test uses until each would need a new slab; returns how many it got. */
function drain(pool: SlabPool, slabs: number): number {
  let count = 0;
  const taken: SharedBuffer[] = [];
  for (const length of [4, 16385, 70000]) {
    for (;;) {
      taken.push(pool.allocate(length));
      if (pool.statistics().slabs > slabs) {
        slabs = pool.statistics().slabs;
        break;
      }
      count += 1;
    }
  }
  for (const buffer of taken) buffer.release();
  return count;
}

test('when a context dies, its handles come back and the others keep theirs', (t) => {
  fc.assert(
    fc.property(steps, steps, fc.nat({ max: 3 }), (before, after, dead) => {
      const model = new Model(4);
      for (const [operation, context, choice, other] of before) model.step(operation, context, choice, other);
      model.kill(dead);
      model.check((context) => context !== dead);
      for (const [operation, context, choice, other] of after) {
        if (context === dead || other === dead) continue;
        model.step(operation, context, choice, other);
        model.check((id) => id !== dead);
      }
      for (let context = 0; context < 4; context++) {
        if (context === dead) continue;
        while (model.flights[context]!.length > 0) model.step(4, context, 0, 0);
        while (model.held[context]!.length > 0) model.step(3, context, 0, 0);
      }
      model.pools.forEach((pool, context) => {
        if (context === dead) return;
        const { slotsInUse, slotsFree, slabs } = pool.statistics();
        if (drain(pool, slabs) !== slotsInUse + slotsFree) throw new Error('a slot did not come back');
      });
    }),
    { numRuns: 60 },
  );
  t.pass();
});
