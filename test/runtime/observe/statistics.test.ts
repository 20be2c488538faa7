import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import fc from 'fast-check';
import { readStatistics, StatisticsBlock } from '../../../src/runtime/observe/statistics.js';
import {
  bucketStartMicros,
  counterIndex,
  counterNames,
  firstUserCounterIndex,
  histogramBucket,
  histogramBuckets,
  statisticsBlockBytes,
} from '../../../src/runtime/observe/statistics-layout.js';

test('counters have distinct places before the user counters', (t) => {
  t.is(new Set(Object.values(counterIndex)).size, counterNames.length);
  t.true(counterNames.length <= firstUserCounterIndex);
});

test('what is recorded is read', (t) => {
  const block = new StatisticsBlock();
  block.recordSent(1, 1, 100);
  block.recordSent(0, 1, 20);
  block.recordSent(2, 1, 3);
  block.recordReceived(1, 1, 1000);
  block.recordReceived(0, 1, 200);
  block.recordReceived(2, 1, 30);
  block.recordPoll(0);
  block.recordPoll(4);
  block.recordPublish();
  block.recordWaiting(9);
  block.recordWaiting(-7);
  block.recordLinkOccupancy(4096);
  block.recordLinkOccupancy(64);
  block.recordCreditUse(7, 10);
  block.recordCreditUse(1, 100);
  block.add('wakeUps');
  block.add('connectionsOpen', 3);
  block.add('connectionsOpen', -1);
  block.set('linksOpen', 5);
  t.like(readStatistics(block.memory), {
    messagesSent: 3,
    bytesSent: 123,
    requestsSent: 1,
    responsesSent: 1,
    oneWaysSent: 1,
    messagesReceived: 3,
    bytesReceived: 1230,
    requestsReceived: 1,
    responsesReceived: 1,
    oneWaysReceived: 1,
    publishes: 1,
    polls: 2,
    emptyPolls: 1,
    sendQueueLength: 2,
    sendQueueLengthHighWater: 9,
    linkOccupancyBytes: 64,
    linkOccupancyBytesHighWater: 4096,
    creditsInUseMessages: 1,
    creditsInUseMessagesHighWater: 7,
    creditsInUseBytes: 100,
    creditsInUseBytesHighWater: 100,
    wakeUps: 1,
    connectionsOpen: 2,
    linksOpen: 5,
    sleeps: 0,
    userCounters: {},
  });
});

test('times that are no times count as 0 and spoil nothing', (t) => {
  const block = new StatisticsBlock();
  for (const micros of [-3, Number.NaN, 6]) block.recordHandlerTime(micros);
  t.like(readStatistics(block.memory).handlerTime, { count: 3, meanMicros: 2, maximumMicros: 6 });
});

test('an empty histogram reads as zeros', (t) => {
  const expected = { count: 0, meanMicros: 0, p50Micros: 0, p99Micros: 0, maximumMicros: 0 };
  t.deepEqual(readStatistics(new StatisticsBlock().memory).handlerTime, expected);
});

test('every time falls into the bucket whose borders it lies between', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.double({ min: 0, max: 1e12, noNaN: true }), fc.nat({ max: 5000 })), (micros) => {
      const bucket = histogramBucket(micros);
      const isInside = micros >= bucketStartMicros(bucket);
      return isInside && (bucket === histogramBuckets - 1 || micros < bucketStartMicros(bucket + 1));
    }),
    { numRuns: 1000 },
  );
  for (let bucket = 0; bucket < histogramBuckets; bucket++) t.is(histogramBucket(bucketStartMicros(bucket)), bucket);
  t.is(histogramBucket(-5), 0);
  t.is(histogramBucket(Number.NaN), 0);
  t.is(histogramBucket(Number.POSITIVE_INFINITY), histogramBuckets - 1);
});

test('percentiles are right to a factor of two, the count, mean and maximum exactly', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 300 }), (times) => {
      const block = new StatisticsBlock();
      for (const time of times) block.recordHandlerTime(time);
      const sorted = [...times].sort((a, b) => a - b);
      const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1]!;
      const near = (estimate: number, exact: number) => estimate <= exact * 2 && estimate >= exact / 2;
      const { count, meanMicros, p50Micros, p99Micros, maximumMicros } = readStatistics(block.memory).handlerTime;
      const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
      return (
        count === times.length &&
        Math.abs(meanMicros - mean) < 1e-6 * mean &&
        maximumMicros === sorted[sorted.length - 1] &&
        near(p50Micros, at(0.5)) &&
        near(p99Micros, at(0.99)) &&
        p50Micros <= p99Micros &&
        p99Micros <= maximumMicros
      );
    }),
  );
  t.pass();
});

test('user counters are read by name; there are 32 at the most, with names of 1 to 63 bytes', (t) => {
  const block = new StatisticsBlock();
  const counter = block.userCounter('orders');
  counter.add();
  counter.add(4);
  t.is(block.userCounter('orders'), counter);
  block.userCounter('Grüße').set(-2.5);
  block.userCounter('__proto__').add(7);
  t.is(counter.value, 5);
  const { userCounters } = readStatistics(block.memory);
  t.deepEqual(Object.entries(userCounters), [
    ['orders', 5],
    ['Grüße', -2.5],
    ['__proto__', 7],
  ]);
  const expected = { code: 'ERR_HEDDLE_INVALID_ARGUMENT' };
  t.throws(() => block.userCounter(''), expected);
  t.throws(() => block.userCounter('x'.repeat(64)), expected);
  t.throws(() => block.userCounter('ü'.repeat(32)), expected);
  t.throws(() => block.userCounter('a\0b'), expected);
  block.userCounter('x'.repeat(63)).add();
  for (let i = 4; i < 32; i++) block.userCounter(`counter ${i}`);
  t.throws(() => block.userCounter('one more'), { ...expected, message: /maximumUserCounters=32/ });
  t.is(Object.keys(readStatistics(block.memory).userCounters).length, 32);
});

test('memory that is too small is refused by writer and reader', (t) => {
  const memory = new SharedArrayBuffer(statisticsBlockBytes - 8);
  t.throws(() => new StatisticsBlock(memory), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => readStatistics(memory), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});

test('a reader in another thread sees counters that only go up, and in the end all of them', async (t) => {
  const { memory } = new StatisticsBlock();
  const worker = new Worker(new URL('./statistics-worker.js', import.meta.url), { workerData: memory });
  const finished = once(worker, 'message');
  let last = readStatistics(memory);
  let changes = 0;
  while (changes < 20) {
    const now = readStatistics(memory);
    if (now.messagesSent !== last.messagesSent) changes += 1;
    t.true(now.messagesSent >= last.messagesSent && now.bytesSent >= last.bytesSent);
    t.true(Number.isInteger(now.bytesSent) && now.bytesSent % 10 === 0, 'a torn number would not be one');
    t.true(now.queueingDelay.count >= last.queueingDelay.count);
    t.true(now.queueingDelay.p99Micros <= now.queueingDelay.maximumMicros);
    last = now;
    await setImmediate();
  }
  const exited = once(worker, 'exit');
  worker.postMessage('stop');
  const [recorded] = (await finished) as [number];
  await exited;
  const end = readStatistics(memory);
  t.is(end.messagesSent, recorded);
  t.is(end.bytesSent, recorded * 10);
  t.is(end.queueingDelay.count, recorded);
  t.is(end.queueingDelay.maximumMicros, 1999);
  t.is(end.userCounters.laps, recorded / 2000);
});
