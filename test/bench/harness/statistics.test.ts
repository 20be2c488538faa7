import test from 'ava';
import fc from 'fast-check';
import { betterRatio, compareRuns, interquartileRange, median, percentile } from '../../../bench/harness/statistics.js';

const numbers = fc.array(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 40 });

test('the median of an odd number of values is the middle one, of an even number the mean of the two', (t) => {
  t.is(median([9, 1, 5]), 5);
  t.is(median([9, 1, 5, 7]), 6);
  t.is(median([3]), 3);
  t.true(Number.isNaN(median([])));
});

test('numbers are ordered as numbers', (t) => {
  t.is(median([10, 9, 100]), 10);
});

test('percentiles interpolate between neighbours', (t) => {
  t.is(percentile([0, 10], 0.25), 2.5);
  t.is(percentile([1, 2, 3, 4, 5], 1), 5);
  t.is(percentile([1, 2, 3, 4, 5], 0), 1);
});

test('the interquartile range leaves outliers out', (t) => {
  t.is(interquartileRange([1, 2, 3, 4, 5]), 2);
  t.is(interquartileRange([1, 2, 3, 4, 5000]), 2);
  t.is(interquartileRange([7, 7, 7]), 0);
});

test('the input is left as it was', (t) => {
  const values = [3, 1, 2];
  median(values);
  t.deepEqual(values, [3, 1, 2]);
});

test('percentiles lie between the extremes and rise with the fraction', (t) => {
  fc.assert(
    fc.property(numbers, fc.double({ min: 0, max: 1, noNaN: true }), (values, fraction) => {
      const value = percentile(values, fraction);
      return value >= Math.min(...values) && value <= Math.max(...values) && value <= percentile(values, 1);
    }),
  );
  t.pass();
});

test('a ratio above 1 means that heddle is better, for rates and for times', (t) => {
  t.is(betterRatio(200, 100, true), 2);
  t.is(betterRatio(50, 100, false), 2);
  t.is(betterRatio(100, 50, false), 0.5);
});

test('runs are compared pair by pair, so that a disturbance that hits both of a pair does not count', (t) => {
  // The machine slowed down by a factor of 10 in the third round.
  const { ratio, spread, ours, peer, runs } = compareRuns([20, 22, 2, 21], [10, 11, 1, 10.5], true);
  t.is(ratio, 2);
  t.is(spread, 0);
  t.is(ours, 20.5);
  t.is(peer, 10.25);
  t.is(runs, 4);
});

test('runs without a partner do not count', (t) => {
  t.is(compareRuns([1, 1, 1], [2, 2], false).runs, 2);
});

test('exchanging the sides inverts every ratio', (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
      fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
      (a, b) => {
        const there = betterRatio(a, b, true);
        const back = betterRatio(b, a, true);
        return Math.abs(there * back - 1) < 1e-9 && betterRatio(a, b, false) === back;
      },
    ),
  );
  t.pass();
});
