import test from 'ava';
import fc from 'fast-check';
import { CreditPurse, postClass, ReleaseLedger, responseClass } from '../../../src/runtime/session/credits.js';

test('a ledger takes as much as its depths, of each class, and says when it was given more', (t) => {
  const ledger = new ReleaseLedger(2, 100);
  t.true(ledger.receive(postClass, 60));
  t.true(ledger.receive(responseClass, 100));
  t.false(ledger.receive(postClass, 41));
  const messages = new ReleaseLedger(1, 100);
  t.true(messages.receive(postClass, 0));
  t.false(messages.receive(postClass, 0));
});

test('a release is due for announcement by halves of the depth, in messages or in bytes', (t) => {
  const ledger = new ReleaseLedger(10, 100);
  for (let count = 0; count < 10; count++) ledger.receive(postClass, 1);
  for (let count = 0; count < 4; count++) t.false(ledger.release(postClass, 1));
  t.true(ledger.release(postClass, 1));
  ledger.announced();
  t.false(ledger.isAnnouncementDue);
  const bytes = new ReleaseLedger(1000, 100);
  bytes.receive(postClass, 49);
  bytes.receive(responseClass, 1);
  t.false(bytes.release(postClass, 49));
  t.true(bytes.isWorthCarrying);
  t.true(bytes.release(responseClass, 1));
});

test('a peer that waits is told of anything, once', (t) => {
  const ledger = new ReleaseLedger(10, 100);
  ledger.receive(postClass, 5);
  ledger.isPeerWaiting = true;
  t.false(ledger.isAnnouncementDue);
  t.true(ledger.release(postClass, 5));
  t.true(ledger.isWorthCarrying);
  ledger.announced();
  t.false(ledger.isAnnouncementDue);
  t.false(ledger.isPeerWaiting);
});

test('a purse believes no release of what was not sent', (t) => {
  const purse = new CreditPurse(2, 100);
  t.true(purse.refill(postClass, 0, 0));
  t.false(purse.refill(postClass, 1, 0));
  const bytes = new CreditPurse(2, 100);
  bytes.messages[postClass] -= 1;
  t.false(bytes.refill(postClass, 1, 1));
});

test('announcements lost, repeated or late change nothing that a later one does not mend, also past the wrap of the counters', (t) => {
  const step = fc.oneof(
    fc.record({ send: fc.nat(1000) }),
    fc.constant({ release: true }),
    fc.record({ announce: fc.constantFrom('arrives', 'is lost', 'comes again') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(0, 2 ** 31 - 5, 2 ** 31 - 3000), (steps, start) => {
      const ledger = new ReleaseLedger(20, 10_000);
      const purse = new CreditPurse(20, 10_000);
      // As though as much had been sent and released before.
      ledger.releasedMessages[postClass] = start;
      ledger.releasedBytes[postClass] = start;
      purse.messages[postClass] -= start;
      purse.bytes[postClass] -= start;
      if (!purse.refill(postClass, start, start)) return false;
      const underWay: number[] = [];
      const old: [number, number][] = [];
      for (const one of steps) {
        if ('send' in one) {
          if (purse.messages[postClass] <= 0 || purse.bytes[postClass] < one.send) continue;
          purse.messages[postClass]--;
          purse.bytes[postClass] -= one.send;
          underWay.push(one.send);
          if (!ledger.receive(postClass, one.send)) return false;
        } else if ('release' in one) {
          const bytes = underWay.shift();
          if (bytes !== undefined) ledger.release(postClass, bytes);
        } else {
          const now: [number, number] = [
            ledger.releasedMessages[postClass] as number,
            ledger.releasedBytes[postClass] as number,
          ];
          if (one.announce === 'arrives' && !purse.refill(postClass, ...now)) return false;
          const again = old[old.length >> 1];
          if (one.announce === 'comes again' && again !== undefined && !purse.refill(postClass, ...again)) return false;
          old.push(now);
          ledger.announced();
        }
      }
      purse.refill(postClass, ledger.releasedMessages[postClass] as number, ledger.releasedBytes[postClass] as number);
      const held = underWay.reduce((sum, bytes) => sum + bytes, 0);
      return purse.messages[postClass] === 20 - underWay.length && purse.bytes[postClass] === 10_000 - held;
    }),
  );
  t.pass();
});
