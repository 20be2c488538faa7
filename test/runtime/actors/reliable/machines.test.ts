import test from 'ava';
import {
  ConsumerMachine,
  Consumers,
  maximumProducers,
} from '../../../../src/runtime/actors/reliable/consumer-machine.js';
import { ProducerMachine } from '../../../../src/runtime/actors/reliable/producer-machine.js';

const seeds = Number(process.env.HEDDLE_SEEDS ?? 3000);
const firstSeed = Number(process.env.HEDDLE_SEED ?? process.env.HEDDLE_FIRST_SEED ?? 1);

/** Mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Data {
  sequence: number;
  first: number;
  value: number;
}
interface Ack {
  sequence: number;
  confirmed: number;
  granted: number;
  isGap: boolean;
  isFailed: boolean;
}

/** One run of a producer and a consumer over a network that loses, repeats and reorders, with handlers that fail. */
function run(seed: number, losesConsumer: boolean) {
  const draw = random(seed);
  const chance = (probability: number) => draw() < probability;
  const loss = draw() * 0.4;
  const repeats = draw() * 0.3;
  const failures = chance(0.5) ? draw() * 0.2 : 0;
  const window = 1 + Math.floor(draw() * 20);
  const count = 20 + Math.floor(draw() * 60);
  const producer = new ProducerMachine<number>({
    window,
    retryAfterMicros: 100,
    maximumRetryAfterMicros: 1000,
    maximumFailures: 1_000_000,
    giveUpAfterMicros: Infinity,
  });
  let consumer: ConsumerMachine | undefined;
  let demand = 1 + Math.floor(draw() * 8);
  let highestGrant = 1;
  const handled: number[] = [];
  const handling: { sequence: number; value: number; machine: ConsumerMachine }[] = [];
  const toConsumer: Data[] = [];
  const toProducer: Ack[] = [];
  let now = 0;
  let offered = 0;
  let consumersLost = 0;
  let mostUnderWay = 0;
  const answer = (sequence: number, machine: ConsumerMachine, isGap: boolean, isFailed: boolean) => {
    const granted = machine.confirmed + demand;
    highestGrant = Math.max(highestGrant, granted);
    const ack = { sequence, confirmed: machine.confirmed, granted, isGap, isFailed };
    if (!chance(loss)) toProducer.push(ack);
    if (chance(repeats)) toProducer.push(ack);
  };
  const pick = <T>(queue: T[]): T => queue.splice(Math.floor(draw() * Math.min(queue.length, 6)), 1)[0] as T;

  for (let steps = 0; offered < count || producer.unconfirmed > 0; steps++) {
    if (steps > 200_000) throw new Error(`seed=${seed}: no end`);
    now += Math.floor(draw() * 60);
    if (offered < count && producer.hasRoom && chance(0.7)) producer.offer(offered++, now);
    const due = producer.takeDue(now);
    for (const { sequence, message } of due) {
      if (sequence > highestGrant && sequence !== producer.first) throw new Error(`seed=${seed}: beyond the demand`);
      const data = { sequence, first: producer.first, value: message };
      if (chance(loss)) continue;
      toConsumer.push(data);
      if (chance(repeats)) toConsumer.push(data);
    }
    mostUnderWay = Math.max(mostUnderWay, due.length);
    if (toConsumer.length > 0 && chance(0.8)) {
      const { sequence, first, value } = pick(toConsumer);
      consumer ??= new ConsumerMachine(first);
      const verdict = consumer.offer(sequence, first);
      if (verdict === 'deliver') handling.push({ sequence, value, machine: consumer });
      else answer(sequence, consumer, verdict === 'gap', false);
    }
    if (handling.length > 0 && chance(0.6)) {
      const { sequence, value, machine } = pick(handling);
      const isFailed = chance(failures);
      if (!isFailed) handled.push(value);
      machine.finish(sequence, !isFailed);
      if (machine === consumer) answer(sequence, machine, false, isFailed);
    }
    if (toProducer.length > 0 && chance(0.8)) {
      const { sequence, confirmed, granted, isGap, isFailed } = pick(toProducer);
      producer.onAck(sequence, confirmed, granted, isGap, now);
      if (isFailed) producer.onFailed(sequence, now);
    }
    // Nothing was heard in time.
    if (chance(0.05)) for (let s = producer.first; s < producer.first + window; s++) producer.onLost(s, now - 50);
    if (chance(0.02)) demand = 1 + Math.floor(draw() * 8);
    if (losesConsumer && consumer !== undefined && chance(0.01) && consumersLost < 5) {
      consumersLost++;
      consumer = undefined;
      handling.length = 0;
    }
  }
  return { handled, count, consumersLost, mostUnderWay, window };
}

test(`${seeds} runs over a bad network: each message is handled once, in order, within the demand`, (t) => {
  for (let seed = firstSeed; seed < firstSeed + (process.env.HEDDLE_SEED === undefined ? seeds : 1); seed++) {
    const { handled, count, mostUnderWay, window } = run(seed, false);
    if (handled.length !== count || handled.some((value, index) => value !== index)) {
      t.fail(`seed=${seed}: ${handled.join(' ')}`);
      return;
    }
    if (mostUnderWay > window) t.fail(`seed=${seed}: more than the window under way`);
  }
  t.pass();
});

test(`${seeds} runs in which the consumer forgets all now and then: none is lost, and first times are in order`, (t) => {
  let repeated = 0;
  for (let seed = firstSeed; seed < firstSeed + (process.env.HEDDLE_SEED === undefined ? seeds : 1); seed++) {
    const { handled, count } = run(seed, true);
    const firstTimes = [...new Set(handled)];
    if (firstTimes.length !== count || firstTimes.some((value, index) => value !== index)) {
      t.fail(`seed=${seed}: ${handled.join(' ')}`);
      return;
    }
    repeated += handled.length - count;
  }
  t.true(repeated > 0 || process.env.HEDDLE_SEED !== undefined, 'what is handled twice is what was not confirmed');
});

test('what a consumer may say does not confirm what was never sent', (t) => {
  const producer = new ProducerMachine<string>({
    window: 4,
    retryAfterMicros: 10,
    maximumRetryAfterMicros: 100,
    maximumFailures: 2,
    giveUpAfterMicros: 1000,
  });
  producer.offer('a', 0);
  producer.offer('b', 0);
  t.deepEqual(
    producer.takeDue(0).map(({ message }) => message),
    ['a'],
  );
  t.deepEqual(
    producer.onAck(1, 99, 99, false, 0).map(({ message }) => message),
    ['a'],
  );
  t.is(producer.unconfirmed, 1);
  t.deepEqual(
    producer.takeDue(0).map(({ message }) => message),
    ['b'],
  );
  t.false(producer.onFailed(2, 0));
  t.is(producer.nextDueMicros, 10);
  t.true(producer.onFailed(2, 10), 'given up');
  t.is(producer.first, 3);
  producer.offer('c', 20);
  t.is(producer.overdueMicros, 1020);
  t.deepEqual(
    producer.takeOverdue(1020).map(({ message }) => message),
    ['c'],
  );
  t.is(producer.overdueMicros, Infinity);
  t.false(producer.onFailed(7, 0));
});

test('a consumer that gets on is asked again as soon as at first, however often messages waited in vain', (t) => {
  const producer = new ProducerMachine<string>({
    window: 4,
    retryAfterMicros: 10,
    maximumRetryAfterMicros: 1000,
    maximumFailures: 2,
    giveUpAfterMicros: Infinity,
  });
  for (const message of ['a', 'b', 'c']) producer.offer(message, 0);
  producer.takeDue(0);
  producer.onAck(1, 1, 10, false, 0);
  let now = 0;
  for (const pause of [10, 20, 40]) {
    t.is(producer.takeDue(now).length, 2);
    for (const sequence of [2, 3]) producer.onLost(sequence, now);
    now += pause;
    t.is(producer.nextDueMicros, now);
  }
  t.is(producer.takeDue(now).length, 2);
  producer.onAck(2, 2, 10, false, now);
  producer.onLost(3, now);
  t.is(producer.nextDueMicros, now + 10);
});

test('an actor remembers so many producers, and forgets the idle one that it met first', (t) => {
  const consumers = new Consumers();
  const busy = consumers.of('busy', 1);
  t.is(busy.offer(1, 1), 'deliver');
  t.is(busy.offer(1, 1), 'busy');
  for (let i = 0; i < maximumProducers; i++) consumers.of(`p${i}`, 1);
  t.is(consumers.of('busy', 1), busy);
  t.is(consumers.of('p0', 5).expected, 5, 'made anew');
  consumers.restart();
  t.is(busy.offer(1, 1), 'deliver');
});
