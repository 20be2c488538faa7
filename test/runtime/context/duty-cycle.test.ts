import test from 'ava';
import { DutyCycle } from '../../../src/runtime/context/duty-cycle.js';
import { cycleWork } from './cycle-work.js';

const pollingMicros = 200;

/** A duty cycle whose time the test moves, and whose records come in callbacks, as those of sockets do. */
function makeCycle() {
  let nowMicros = 0;
  const cycle = new DutyCycle(
    { pollingMicros, turnBudgetMicros: 1000, manualPolling: false },
    // A turn polls until some time has passed: each look at the clock takes a little.
    cycleWork({ nowMicros: () => (nowMicros += 0.5), setTimer: () => ({ cancel: () => {} }) }),
  );
  const turn = () => new Promise(setImmediate);
  const arrive = (afterMicros: number) => {
    nowMicros += afterMicros;
    cycle.enterTurn();
    cycle.leaveTurn();
  };
  /** Turns of the event loop in which nothing comes, until the cycle sleeps. Returns how much time it was given. */
  const sleep = async () => {
    let polledMicros = 0;
    while (!cycle.isAsleep) {
      nowMicros += 10;
      polledMicros += 10;
      await turn();
    }
    return polledMicros;
  };
  cycle.start();
  return { cycle, turn, arrive, sleep };
}

/** Lets a cycle poll in vain until it does not poll any more. */
async function giveUpPolling({ cycle, arrive, sleep }: ReturnType<typeof makeCycle>): Promise<void> {
  do {
    await sleep();
    arrive(1_000_000);
  } while (!cycle.isAsleep);
}

test('what comes in callbacks soon after one another is polled for, and no longer when it stays away', async (t) => {
  const made = makeCycle();
  const { cycle, turn, arrive, sleep } = made;
  await giveUpPolling(made);
  let short = 0;
  while (cycle.isAsleep && short < 1000) {
    arrive(50);
    short++;
  }
  t.is(short, 16, 'short sleeps, before polling is tried again');
  // It pays: the cycle stays awake, however often.
  for (let round = 0; round < 100; round++) {
    await turn();
    arrive(50);
    t.false(cycle.isAsleep);
  }
  t.true((await sleep()) >= pollingMicros, 'nothing more comes');
  await giveUpPolling(made);
  arrive(50);
  t.true(cycle.isAsleep);
  cycle.stop();
});

test('what comes seldom in callbacks is not polled for', async (t) => {
  const made = makeCycle();
  const { cycle, arrive } = made;
  await giveUpPolling(made);
  for (let round = 0; round < 1000; round++) {
    arrive(1000);
    t.true(cycle.isAsleep);
  }
  cycle.stop();
});

test('a long pause now and then does not keep a cycle that is woken all the time from polling', async (t) => {
  const made = makeCycle();
  const { cycle, arrive } = made;
  await giveUpPolling(made);
  let arrivals = 0;
  while (cycle.isAsleep && arrivals < 10_000) arrive(++arrivals % 10 === 0 ? 1000 : 50);
  t.false(cycle.isAsleep);
  t.true(arrivals < 100, `arrivals=${arrivals} before polling was tried again`);
  cycle.stop();
});

test('a cycle that is as often woken late as soon does not poll', async (t) => {
  const made = makeCycle();
  const { cycle, arrive } = made;
  await giveUpPolling(made);
  for (let arrivals = 0; arrivals < 1000; arrivals++) {
    arrive(arrivals % 2 === 0 ? 1000 : 50);
    t.true(cycle.isAsleep);
  }
  cycle.stop();
});
