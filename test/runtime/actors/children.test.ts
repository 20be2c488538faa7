import test from 'ava';
import fc from 'fast-check';
import { type Child, Children, RemoteChild } from '../../../src/runtime/actors/children.js';

const child = (): Child => new RemoteChild({} as never, {} as never, undefined);

test('children are listed in the order in which they came, whoever has gone meanwhile', (t) => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20), { nil: undefined })), (steps) => {
      const children = new Children();
      const expected: Child[] = [];
      for (const step of steps) {
        if (step === undefined) {
          const added = child();
          children.add(added);
          expected.push(added);
        } else if (step < expected.length) {
          const [removed] = expected.splice(step, 1) as [Child];
          t.true(children.remove(removed));
          t.false(children.has(removed));
          t.false(children.remove(removed), 'a second time it is not there');
        }
        t.deepEqual(
          children.all().map((one) => expected.indexOf(one)),
          expected.map((_, index) => index),
        );
        t.is(children.size, expected.length);
        t.true(expected.every((one) => children.has(one)));
      }
    }),
  );
});
