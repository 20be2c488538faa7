import test from 'ava';
import fc from 'fast-check';
import { type QueuedRecord, SendQueue } from '../../../src/runtime/session/send-queue.js';

function record(reference: number, chargedBytes = 1): QueuedRecord {
  return {
    kind: 16,
    flags: 0,
    reference,
    header: undefined,
    data: undefined,
    large: undefined,
    isUsersBuffer: false,
    chargedBytes,
    onSent: undefined,
    onReceipt: undefined,
    context: undefined,
  };
}

test('an empty queue has no head and gives nothing', (t) => {
  const queue = new SendQueue();
  t.is(queue.head, undefined);
  t.is(queue.shift(), undefined);
  t.is(
    queue.remove(() => true),
    undefined,
  );
  t.is(queue.length, 0);
  t.is(queue.bytes, 0);
});

test('any mixture of pushing, shifting and removing agrees with an array', (t) => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ push: fc.nat(100) }) },
    { weight: 3, arbitrary: fc.constant({ shift: true }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.nat(200) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const queue = new SendQueue();
      const model: QueuedRecord[] = [];
      for (const [reference, one] of steps.entries()) {
        if ('push' in one) {
          const made = record(reference, one.push);
          queue.push(made);
          model.push(made);
        } else if ('shift' in one) {
          if (queue.shift() !== model.shift()) return false;
        } else {
          const index = model.findIndex((each) => each.reference === one.remove);
          const [expected] = index < 0 ? [undefined] : model.splice(index, 1);
          if (queue.remove((each) => each.reference === one.remove) !== expected) return false;
        }
        const bytes = model.reduce((sum, each) => sum + each.chargedBytes, 0);
        if (queue.length !== model.length || queue.head !== model[0] || queue.bytes !== bytes) return false;
      }
      return true;
    }),
  );
  t.pass();
});
