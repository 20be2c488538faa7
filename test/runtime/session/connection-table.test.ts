import test from 'ava';
import fc from 'fast-check';
import { ConnectionTable } from '../../../src/runtime/session/connection-table.js';

test('an entry is found by the id that it was made with, and by no other', (t) => {
  const table = new ConnectionTable<{ id: number }>();
  const first = table.add((id) => ({ id }));
  const second = table.add((id) => ({ id }));
  t.true(first.id > 0 && second.id > 0 && first.id !== second.id);
  t.is(table.get(first.id), first);
  for (const id of [0, -1, 99, 2 ** 31 - 1, -(2 ** 31), first.id | (1 << 20)]) t.is(table.get(id), undefined);
  t.deepEqual([...table], [first, second]);
});

test('an id does not come back with its slot', (t) => {
  const table = new ConnectionTable<object>();
  const ids = new Set<number>();
  for (let round = 0; round < 2048; round++) {
    let id = 0;
    table.add((given) => {
      id = given;
      return {};
    });
    ids.add(id);
    table.delete(id);
    table.delete(id);
    t.is(table.get(id), undefined);
  }
  t.is(ids.size, 2048);
  t.is(table.size, 0);
});

test('a maker that throws leaves the table as it was', (t) => {
  const table = new ConnectionTable<object>();
  const fail = () => {
    throw new Error('no');
  };
  for (let times = 0; times < 3; times++) t.throws(() => table.add(fail), { message: 'no' });
  t.is(table.size, 0);
  const made = table.add((id) => ({ id }));
  t.is(table.get((made as { id: number }).id), made);
  t.deepEqual([...table], [made]);
});

test('any mixture of adding and deleting agrees with a map', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1, max: 10 }), { maxLength: 200 }), (steps) => {
      const table = new ConnectionTable<number>();
      const model = new Map<number, number>();
      for (const [entry, step] of steps.entries()) {
        const known = [...model.keys()][step];
        if (known === undefined) {
          table.add((id) => {
            model.set(id, entry);
            return entry;
          });
        } else {
          table.delete(known);
          model.delete(known);
        }
        if (table.size !== model.size) return false;
        for (const [id, value] of model) if (table.get(id) !== value) return false;
      }
      return [...table].length === model.size;
    }),
  );
  t.pass();
});
