import test from 'ava';
import fc from 'fast-check';
import { PendingRequests, type RequestOwner } from '../../../src/runtime/session/pending-requests.js';
import { SimulatedClock, Simulation } from '../../sim/simulated-clock.js';

/** An owner that notes whose deadline has passed; its waiters are names. */
class Owner implements RequestOwner<string> {
  pendingRequests = 0;
  readonly expired: string[] = [];
  onDeadline(_requestId: number, waiter: string): void {
    this.expired.push(waiter);
  }
}

function make() {
  const simulation = new Simulation();
  const clock = new SimulatedClock(simulation);
  return { simulation, clock, pending: new PendingRequests<string>(clock), owner: new Owner() };
}

test('a request is found by its owner and its id, once', (t) => {
  const { pending, owner } = make();
  const stranger = new Owner();
  const id = pending.add(owner, 'one', 100);
  t.is(owner.pendingRequests, 1);
  t.true(pending.has(owner, id));
  t.false(pending.has(stranger, id));
  t.is(pending.take(stranger, id), undefined);
  t.is(pending.take(owner, id), 'one');
  t.is(pending.take(owner, id), undefined);
  t.false(pending.has(owner, id));
  t.is(pending.count, 0);
  t.is(owner.pendingRequests, 0);
});

test('an id of a slot that was taken again finds nothing, nor does one that never was', (t) => {
  const { pending, owner } = make();
  const old = pending.add(owner, 'old', Infinity);
  pending.take(owner, old);
  const next = pending.add(owner, 'next', Infinity);
  t.not(next, old);
  t.is(pending.take(owner, old), undefined);
  for (const forged of [-1, 2 ** 31 - 1, -(2 ** 31), 77, next + 1]) t.is(pending.take(owner, forged), undefined);
  t.is(pending.take(owner, next), 'next');
});

test('deadlines pass in their order, whatever the lengths, and one timer serves all of one length', async (t) => {
  const { simulation, clock, pending, owner } = make();
  pending.add(owner, 'long', 300);
  pending.add(owner, 'short', 100);
  pending.add(owner, 'never', Infinity);
  await simulation.run(50_000);
  const answered = pending.add(owner, 'answered', 100);
  pending.add(owner, 'later', 100);
  t.is(clock.timerCount, 2);
  pending.take(owner, answered);
  await simulation.run(120_000);
  t.deepEqual(owner.expired, ['short']);
  await simulation.run(200_000);
  t.deepEqual(owner.expired, ['short', 'later']);
  await simulation.run(1_000_000);
  t.deepEqual(owner.expired, ['short', 'later', 'long']);
  t.is(pending.count, 1);
  t.is(clock.timerCount, 0);
});

test('no request waits for a shorter time than asked, also one longer than a timer can be', async (t) => {
  const { simulation, clock, pending, owner } = make();
  const monthMs = 31 * 24 * 3600 * 1000;
  pending.add(owner, 'month', monthMs);
  await simulation.run((monthMs - 1) * 1000);
  t.deepEqual(owner.expired, []);
  await simulation.run((monthMs + 2) * 1000);
  t.deepEqual(owner.expired, ['month']);
  t.is(clock.timerCount, 0);
});

test('takeAll takes the requests of one owner and leaves those of others', (t) => {
  const { pending, owner } = make();
  const other = new Owner();
  const kept = pending.add(other, 'other', 10);
  pending.add(owner, 'a', 10);
  pending.add(owner, 'b', 20);
  const taken: string[] = [];
  pending.takeAll(owner, (waiter) => taken.push(waiter));
  t.deepEqual(taken, ['a', 'b']);
  t.is(owner.pendingRequests, 0);
  t.is(pending.take(other, kept), 'other');
});

test('a waiter that asks anew when its deadline passes waits again, and stop ends the timers', async (t) => {
  const { simulation, clock, pending } = make();
  let times = 0;
  const owner: RequestOwner<string> = {
    pendingRequests: 0,
    onDeadline: () => {
      if (++times < 3) pending.add(owner, 'again', 10);
    },
  };
  pending.add(owner, 'first', 10);
  await simulation.run(15_000);
  t.is(times, 1);
  await simulation.run(1_000_000);
  t.is(times, 3);
  pending.add(owner, 'last', 10);
  pending.take(owner, pending.add(owner, 'gone', 20));
  pending.stop();
  t.is(clock.timerCount, 0);
});

test('any mixture of adding, taking and waiting agrees with a simple model', async (t) => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ take: fc.nat(20) }),
    fc.record({ wait: fc.integer({ min: 1, max: 30 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { simulation, pending, owner } = make();
      const model = new Map<number, { name: string; dueMs: number }>();
      let names = 0;
      for (const one of steps) {
        if ('add' in one) {
          const timeoutMs = one.add * 10;
          const name = `${names++}`;
          const id = pending.add(owner, name, timeoutMs);
          if (model.has(id)) throw new Error(`id ${id} given twice`);
          model.set(id, { name, dueMs: simulation.nowMicros / 1000 + timeoutMs });
        } else if ('take' in one) {
          const [id, entry] = [...model][one.take % Math.max(1, model.size)] ?? [123, undefined];
          if (pending.take(owner, id) !== entry?.name) throw new Error(`take ${id}`);
          model.delete(id);
        } else {
          const expiredBefore = owner.expired.length;
          await simulation.run(simulation.nowMicros + one.wait * 1000);
          const due = [...model].filter(([, entry]) => entry.dueMs <= simulation.nowMicros / 1000);
          const names = owner.expired.slice(expiredBefore).sort();
          if (
            names.join() !==
            due
              .map(([, entry]) => entry.name)
              .sort()
              .join()
          )
            throw new Error(`expired ${names}`);
          for (const [id] of due) model.delete(id);
        }
        if (pending.count !== model.size || owner.pendingRequests !== model.size) throw new Error('count');
      }
    }),
    { numRuns: 300 },
  );
  t.pass();
});
