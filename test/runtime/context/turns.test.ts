import test from 'ava';
import type { Clock } from '../../../src/clock.js';
import { DutyCycle } from '../../../src/runtime/context/duty-cycle.js';
import { cycleWork } from './cycle-work.js';

/** A clock that goes on by so many µs each time it is read. */
function steppingClock(stepMicros: number): Clock {
  let now = 0;
  return {
    nowMicros: () => {
      now += stepMicros;
      return now;
    },
    setTimer: () => ({ cancel: () => {} }),
  };
}

function makeCycle(clock: Clock): DutyCycle {
  return new DutyCycle({ pollingMicros: 0, turnBudgetMicros: 200, manualPolling: false }, cycleWork(clock));
}

const eventLoopTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Work that settles a promise in each turn, whose reaction, some microtasks later, makes the next one possible. */
function chainOfPromises(cycle: DutyCycle, length: number, microtasks: number): { done: number; onFirst: () => void } {
  const chain = { done: 0, onFirst: () => {} };
  let isReady = true;
  cycle.addWork(() => {
    if (!isReady || chain.done === length) return false;
    isReady = false;
    if (chain.done === 0) chain.onFirst();
    let reaction = Promise.resolve();
    for (let i = 1; i < microtasks; i++) reaction = reaction.then(() => {});
    void reaction.then(() => {
      chain.done++;
      isReady = true;
      cycle.wake();
    });
    cycle.endTurnSoon();
    return false;
  });
  return chain;
}

for (const microtasks of [1, 3]) {
  test(`a turn goes on behind reactions of ${microtasks} microtasks, without a turn of the event loop`, async (t) => {
    const cycle = makeCycle(steppingClock(0));
    const chain = chainOfPromises(cycle, 50, microtasks);
    const seen = new Promise<number>((resolve) => {
      chain.onFirst = () => void setImmediate(() => resolve(chain.done));
    });
    cycle.start();
    t.is(await seen, 50);
    cycle.stop();
  });
}

test('what settles promises for ever does not keep the event loop from its turns, though the clock stands still', async (t) => {
  const cycle = makeCycle(steppingClock(0));
  const chain = chainOfPromises(cycle, Infinity, 1);
  cycle.start();
  for (let turns = 0; turns < 5; turns++) await eventLoopTurn();
  t.true(chain.done > 0);
  cycle.stop();
});

test('a turn that goes on keeps to its budget', async (t) => {
  const cycle = makeCycle(steppingClock(50));
  const chain = chainOfPromises(cycle, 50, 1);
  const seen = new Promise<number>((resolve) => {
    chain.onFirst = () => void setImmediate(() => resolve(chain.done));
  });
  cycle.start();
  const inOneTurn = await seen;
  t.true(inOneTurn > 0 && inOneTurn < 10, `${inOneTurn}`);
  while (chain.done < 50) await eventLoopTurn();
  cycle.stop();
});
