import test from 'ava';
import fc from 'fast-check';
import { Mailbox } from '../../../src/runtime/actors/mailbox.js';
import type { Carrier } from '../../../src/runtime/actors/trace-context.js';

interface Entry {
  readonly payload: number;
  readonly carrier: Carrier | undefined;
}

test('messages and what travels with them come out in order, however the circle grows, turns and shrinks', (t) => {
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom('push', 'unshift'), isCarried: fc.boolean() }),
    fc.record({ kind: fc.constant('shift'), isCarried: fc.constant(false) }),
    // Past the size from which an empty circle is let go of.
    fc.record({ kind: fc.constant('fill'), isCarried: fc.boolean() }),
    fc.record({ kind: fc.constant('drain'), isCarried: fc.constant(false) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const mailbox = new Mailbox();
      const expected: Entry[] = [];
      let sent = 0;
      const push = (isCarried: boolean) => {
        const carrier = isCarried ? ({} as Carrier) : undefined;
        mailbox.push('message', sent, undefined);
        if (carrier !== undefined) mailbox.carryWithLast(carrier);
        expected.push({ payload: sent++, carrier });
      };
      const shift = () => {
        const next = expected.shift();
        if (mailbox.shift() !== (next !== undefined)) return false;
        return next === undefined || (mailbox.payload === next.payload && mailbox.carrier === next.carrier);
      };
      for (const { kind, isCarried } of steps) {
        if (kind === 'push') push(isCarried);
        else if (kind === 'unshift') {
          const carrier = isCarried ? ({} as Carrier) : undefined;
          mailbox.unshift('message', sent, undefined, carrier);
          expected.unshift({ payload: sent++, carrier });
        } else if (kind === 'shift') t.true(shift());
        else if (kind === 'fill') for (let i = 0; i < 700; i++) push(isCarried && i % 3 === 0);
        else while (expected.length > 0) if (!shift()) t.fail('out of order');
        if (mailbox.size !== expected.length) t.fail(`size=${mailbox.size} expected=${expected.length}`);
      }
      while (expected.length > 0) if (!shift()) t.fail('out of order at the end');
      t.is(mailbox.size, 0);
    }),
    { numRuns: 100 },
  );
});

test('a message has nothing with it that came with the one before', (t) => {
  const mailbox = new Mailbox();
  for (let i = 0; i < 3000; i++) {
    mailbox.push('message', i, undefined);
    mailbox.carryWithLast({} as Carrier);
  }
  while (mailbox.shift()) t.truthy(mailbox.carrier);
  for (let i = 0; i < 10; i++) mailbox.push('message', i, undefined);
  while (mailbox.shift()) t.is(mailbox.carrier, undefined);
});
