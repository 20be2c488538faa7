import test from 'ava';
import { HeddleError } from '../../src/index.js';
import { ManualClock } from '../../src/testkit.js';

test('timers fire in the order of their times, those of one time in the order in which they were set', (t) => {
  const clock = new ManualClock();
  const fired: string[] = [];
  clock.setTimer(20, () => fired.push(`late at ${clock.nowMs}`));
  clock.setTimer(10, () => fired.push(`first at ${clock.nowMs}`));
  clock.setTimer(10, () => fired.push(`second at ${clock.nowMs}`));
  clock.advance(9.999);
  t.deepEqual(fired, []);
  t.is(clock.timerCount, 3);
  clock.advance(50);
  t.deepEqual(fired, ['first at 10', 'second at 10', 'late at 20']);
  t.is(clock.nowMs, 59.999);
  t.is(clock.nowMicros(), 59_999);
});

test('a timer that another one sets fires in the same advance when it is due by then', (t) => {
  const clock = new ManualClock();
  const fired: number[] = [];
  const beat = () => {
    fired.push(clock.nowMs);
    clock.setTimer(10, beat);
  };
  clock.setTimer(10, beat);
  clock.advance(35);
  t.deepEqual(fired, [10, 20, 30]);
  t.is(clock.nextTimerMs, 5);
});

test('a timer that was cancelled does not fire, and cancelling again does no harm', (t) => {
  const clock = new ManualClock();
  let fired = 0;
  const one = clock.setTimer(10, () => fired++);
  const other = clock.setTimer(10, () => fired++);
  one.cancel();
  one.cancel();
  clock.advance(10);
  other.cancel();
  t.is(fired, 1);
  t.is(clock.timerCount, 0);
  t.is(clock.nextTimerMs, undefined);
});

test('time goes forward only', (t) => {
  const clock = new ManualClock();
  for (const durationMs of [-1, Number.NaN, Infinity, 'long' as unknown as number]) {
    const error = t.throws(() => clock.advance(durationMs), { instanceOf: HeddleError });
    t.is(error?.code, 'ERR_HEDDLE_INVALID_ARGUMENT');
  }
  t.is(clock.nowMs, 0);
});
