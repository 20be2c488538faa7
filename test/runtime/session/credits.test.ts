import test from 'ava';
import fc from 'fast-check';
import { CreditPurse, type ReleaseCounters, ReleaseLedger } from '../../../src/runtime/session/credits.js';

/** Takes a message in that is kept, as a connection does. False when its sender had no credits for it. */
function receive(ledger: ReleaseLedger, counters: ReleaseCounters, bytes: number): boolean {
  const isAdmitted = ledger.admits(counters, bytes);
  ledger.hold(counters, bytes);
  return isAdmitted;
}

test('a ledger takes as much as its depths, of each class, and says when it was given more', (t) => {
  const ledger = new ReleaseLedger(2, 100);
  t.true(receive(ledger, ledger.posts, 60));
  t.true(receive(ledger, ledger.responses, 100));
  t.false(receive(ledger, ledger.posts, 41));
  const messages = new ReleaseLedger(1, 100);
  t.true(receive(messages, messages.posts, 0));
  t.false(receive(messages, messages.posts, 0));
});

test('a release is due for announcement by halves of the depth, in messages or in bytes', (t) => {
  const ledger = new ReleaseLedger(10, 100);
  for (let count = 0; count < 10; count++) receive(ledger, ledger.posts, 1);
  for (let count = 0; count < 4; count++) t.false(ledger.release(ledger.posts, 1, 1));
  t.true(ledger.release(ledger.posts, 1, 1));
  ledger.announced();
  t.false(ledger.isAnnouncementDue);
  const bytes = new ReleaseLedger(1000, 100);
  receive(bytes, bytes.posts, 49);
  receive(bytes, bytes.responses, 1);
  t.false(bytes.release(bytes.posts, 1, 49));
  t.true(bytes.isWorthCarrying);
  t.true(bytes.release(bytes.responses, 1, 1));
});

test('a peer that waits is told of anything, once', (t) => {
  const ledger = new ReleaseLedger(10, 100);
  receive(ledger, ledger.posts, 5);
  ledger.isPeerWaiting = true;
  t.false(ledger.isAnnouncementDue);
  t.true(ledger.release(ledger.posts, 1, 5));
  t.true(ledger.isWorthCarrying);
  ledger.announced();
  t.false(ledger.isAnnouncementDue);
  t.false(ledger.isPeerWaiting);
});

test('a purse believes no release of what was not sent', (t) => {
  const purse = new CreditPurse(2, 100);
  t.true(purse.refill(purse.posts, 0, 0));
  t.false(purse.refill(purse.posts, 1, 0));
  const bytes = new CreditPurse(2, 100);
  bytes.posts.messages -= 1;
  t.false(bytes.refill(bytes.posts, 1, 1));
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
      ledger.posts.releasedMessages = start;
      ledger.posts.releasedBytes = start;
      purse.posts.messages -= start;
      purse.posts.bytes -= start;
      if (!purse.refill(purse.posts, start, start)) return false;
      const underWay: number[] = [];
      const old: [number, number][] = [];
      for (const one of steps) {
        if ('send' in one) {
          if (purse.posts.messages <= 0 || purse.posts.bytes < one.send) continue;
          purse.posts.messages--;
          purse.posts.bytes -= one.send;
          underWay.push(one.send);
          if (!receive(ledger, ledger.posts, one.send)) return false;
        } else if ('release' in one) {
          const bytes = underWay.shift();
          if (bytes === undefined) continue;
          ledger.unhold(ledger.posts, bytes);
          ledger.release(ledger.posts, 1, bytes);
        } else {
          const now: [number, number] = [ledger.posts.releasedMessages, ledger.posts.releasedBytes];
          if (one.announce === 'arrives' && !purse.refill(purse.posts, ...now)) return false;
          const again = old[old.length >> 1];
          if (one.announce === 'comes again' && again !== undefined && !purse.refill(purse.posts, ...again))
            return false;
          old.push(now);
          ledger.announced();
        }
      }
      purse.refill(purse.posts, ledger.posts.releasedMessages, ledger.posts.releasedBytes);
      const held = underWay.reduce((sum, bytes) => sum + bytes, 0);
      return purse.posts.messages === 20 - underWay.length && purse.posts.bytes === 10_000 - held;
    }),
  );
  t.pass();
});
