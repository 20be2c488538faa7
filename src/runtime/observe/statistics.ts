import { describe, HeddleError } from '../../errors.js';
import {
  bucketStartMicros,
  type CounterName,
  counterIndex,
  counterNames,
  firstUserCounterIndex,
  handlerTimeIndex,
  histogramBucket,
  histogramBuckets,
  histogramField,
  maximumUserCounters,
  nameBytes,
  namesBytesOffset,
  queueingDelayIndex,
  statisticsBlockBytes,
  statisticsNumberCount,
  userCounterCountBytesOffset,
} from './statistics-layout.js';

// Held in constants of the module: the recording of a message is a few plain stores.
const bytesSentIndex = counterIndex.bytesSent;
const bytesReceivedIndex = counterIndex.bytesReceived;
const publishesIndex = counterIndex.publishes;
const { oneWaysSent, requestsSent, responsesSent, oneWaysReceived, requestsReceived, responsesReceived } = counterIndex;

/** What a histogram tells. Percentiles are estimates: exact to the factor of two between bucket borders. */
export interface HistogramSummary {
  /** How many times were measured. */
  readonly count: number;
  /** Their mean in µs. Exact. */
  readonly meanMicros: number;
  /** Half of the times were shorter, in µs. */
  readonly p50Micros: number;
  /** One time of a hundred was longer, in µs. */
  readonly p99Micros: number;
  /** The longest time, in µs. Exact. */
  readonly maximumMicros: number;
}

/** A context's statistics at one moment; see docs/statistics.md for the counters. */
export type ContextStatistics = Readonly<Record<CounterName, number>> & {
  /** From the sending of a message to the start of its handler, in µs. */
  readonly queueingDelay: HistogramSummary;
  /** How long handlers ran, in µs. */
  readonly handlerTime: HistogramSummary;
  /** Counters that the program registered, by name. */
  readonly userCounters: Readonly<Record<string, number>>;
};

/**
 * The writing side of a context's statistics. Its methods are a few plain loads and stores each; the hottest callers
 * may add to `numbers[counterIndex.x]` themselves.
 *
 * @example
 * const statistics = new StatisticsBlock();
 * statistics.recordSent(1, 1, 512);
 * readStatistics(statistics.memory).bytesSent; // 512, in any thread that has the memory
 */
export class StatisticsBlock {
  /** Hand this to whoever wants to read, in any thread. */
  readonly memory: SharedArrayBuffer;
  /** Counters and histograms; see statistics-layout.ts. Written by this context's thread only. */
  readonly numbers: Float64Array;
  readonly #userCounters = new Map<string, UserCounter>();

  /** Writes into `memory` where given, of `statisticsBlockBytes` at least and zeroed. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(statisticsBlockBytes)) {
    requireBlock(memory);
    this.memory = memory;
    this.numbers = new Float64Array(memory, 0, statisticsNumberCount);
  }

  /** Adds to a counter, or with a negative amount takes from a gauge. */
  add(name: CounterName, amount = 1): void {
    this.numbers[counterIndex[name]]! += amount;
  }

  /** Sets a gauge. */
  set(name: CounterName, value: number): void {
    this.numbers[counterIndex[name]] = value;
  }

  /** Messages of one kind were sent; `kind` is 0 for one-way, 1 for request, 2 for response. */
  recordSent(kind: number, messages: number, lengthBytes: number): void {
    const { numbers } = this;
    numbers[kind === 0 ? oneWaysSent : kind === 1 ? requestsSent : responsesSent] += messages;
    numbers[bytesSentIndex] += lengthBytes;
  }

  /** Messages of one kind were received; `kind` is 0 for one-way, 1 for request, 2 for response. */
  recordReceived(kind: number, messages: number, lengthBytes: number): void {
    const { numbers } = this;
    numbers[kind === 0 ? oneWaysReceived : kind === 1 ? requestsReceived : responsesReceived] += messages;
    numbers[bytesReceivedIndex] += lengthBytes;
  }

  /** A poll of all links that handed over `records`. */
  recordPoll(records: number): void {
    const { numbers } = this;
    numbers[counterIndex.polls]! += 1;
    if (records === 0) numbers[counterIndex.emptyPolls]! += 1;
  }

  /** What was placed on a link is made visible to its peer. */
  recordPublish(): void {
    this.numbers[publishesIndex]! += 1;
  }

  /** So many more records wait to be sent, or less when `change` is negative, in all send queues of the context. */
  recordWaiting(change: number): void {
    const { sendQueueLength, sendQueueLengthHighWater } = counterIndex;
    this.#level(sendQueueLength, sendQueueLengthHighWater, this.numbers[sendQueueLength]! + change);
  }

  /** A link has this many bytes claimed that its peer has not taken out. */
  recordLinkOccupancy(occupancyBytes: number): void {
    this.#level(counterIndex.linkOccupancyBytes, counterIndex.linkOccupancyBytesHighWater, occupancyBytes);
  }

  /** A peer tells what it has released; until now so much of what it was sent was not. */
  recordCreditUse(messages: number, bytes: number): void {
    this.#level(counterIndex.creditsInUseMessages, counterIndex.creditsInUseMessagesHighWater, messages);
    this.#level(counterIndex.creditsInUseBytes, counterIndex.creditsInUseBytesHighWater, bytes);
  }

  /** Sets a gauge, and beside it the most that it has ever shown. */
  #level(index: number, highWaterIndex: number, value: number): void {
    const { numbers } = this;
    numbers[index] = value;
    if (value > numbers[highWaterIndex]!) numbers[highWaterIndex] = value;
  }

  /** A message waited this long from its sending to the start of its handler. */
  recordQueueingDelay(micros: number): void {
    recordTime(this.numbers, queueingDelayIndex, micros);
  }

  /** A handler ran this long. */
  recordHandlerTime(micros: number): void {
    recordTime(this.numbers, handlerTimeIndex, micros);
  }

  /**
   * The user counter of that name, registered on its first mention. At most 32 a context, names of 1 to 63 bytes.
   *
   * @throws ERR_HEDDLE_INVALID_ARGUMENT when the name does not fit or there are 32 already.
   */
  userCounter(name: string): UserCounter {
    const known = this.#userCounters.get(name);
    if (known !== undefined) return known;
    const index = this.#userCounters.size;
    if (typeof name !== 'string') {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `the name of a user counter is a string, not ${typeof name}`,
      );
    }
    const bytes = Buffer.from(name, 'utf8');
    if (bytes.length === 0 || bytes.length >= nameBytes || bytes.includes(0)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `the name of a user counter must have 1 to ${nameBytes - 1} bytes in UTF-8 and no 0 byte, not ${bytes.length}`,
        { details: { name } },
      );
    }
    if (index === maximumUserCounters) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `a context has maximumUserCounters=${maximumUserCounters} at the most: drop one, or count name=${name} elsewhere`,
        { details: { name, maximumUserCounters } },
      );
    }
    const namePlace = Buffer.from(
      this.memory as unknown as ArrayBuffer,
      namesBytesOffset + index * nameBytes,
      nameBytes,
    );
    namePlace.fill(0);
    namePlace.set(bytes);
    // Atomic: a reader that sees the new count must see the whole name as well.
    Atomics.store(new Int32Array(this.memory, userCounterCountBytesOffset, 1), 0, index + 1);
    const counter = new UserCounter(this.numbers, firstUserCounterIndex + index);
    this.#userCounters.set(name, counter);
    return counter;
  }
}

/** A counter of the program's own. */
export class UserCounter {
  readonly #numbers: Float64Array;
  readonly #index: number;

  /** @internal Use `context.counter(name)`. */
  constructor(numbers: Float64Array, index: number) {
    this.#numbers = numbers;
    this.#index = index;
  }

  /** What it stands at. */
  get value(): number {
    return this.#numbers[this.#index]!;
  }

  /** Adds to it. */
  add(amount = 1): void {
    requireAmount(amount);
    this.#numbers[this.#index]! += amount;
  }

  /** Sets it, where it is a gauge. */
  set(value: number): void {
    requireAmount(value);
    this.#numbers[this.#index] = value;
  }
}

function recordTime(numbers: Float64Array, base: number, micros: number): void {
  let time = micros;
  if (!(time > 0)) time = 0; // Also NaN, which would spoil the sum for good.
  numbers[base + histogramField.firstBucket + histogramBucket(time)]! += 1;
  numbers[base + histogramField.sumMicros]! += time;
  if (time > numbers[base + histogramField.maximumMicros]!) numbers[base + histogramField.maximumMicros] = time;
  numbers[base + histogramField.count]! += 1;
}

/** One amount that is no number would make a counter NaN for good. */
function requireAmount(amount: unknown): void {
  if (typeof amount === 'number' && !Number.isNaN(amount)) return;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `a counter takes numbers, not ${describe(amount)}`);
}

function requireBlock(memory: SharedArrayBuffer): void {
  if (memory.byteLength >= statisticsBlockBytes) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `a statistics block has statisticsBlockBytes=${statisticsBlockBytes}, the memory given only ${memory.byteLength}`,
    { details: { statisticsBlockBytes, lengthBytes: memory.byteLength } },
  );
}

/** Reads a context's statistics, in any thread, without stopping or slowing the context. */
export function readStatistics(memory: SharedArrayBuffer): ContextStatistics {
  requireBlock(memory);
  const numbers = new Float64Array(memory, 0, statisticsNumberCount);
  const counters = {} as Record<CounterName, number>;
  for (const name of counterNames) counters[name] = numbers[counterIndex[name]]!;
  // Not counted beside their parts: that would be another store for each message.
  counters.messagesSent = counters.oneWaysSent + counters.requestsSent + counters.responsesSent;
  counters.messagesReceived = counters.oneWaysReceived + counters.requestsReceived + counters.responsesReceived;
  return {
    ...counters,
    queueingDelay: summarize(numbers, queueingDelayIndex),
    handlerTime: summarize(numbers, handlerTimeIndex),
    userCounters: readUserCounters(memory, numbers),
  };
}

function readUserCounters(memory: SharedArrayBuffer, numbers: Float64Array): Record<string, number> {
  // Atomic: pairs with the store in userCounter, so that the names counted are whole.
  const count = Math.min(Atomics.load(new Int32Array(memory, userCounterCountBytesOffset, 1), 0), maximumUserCounters);
  const entries: [string, number][] = [];
  for (let index = 0; index < count; index++) {
    const place = Buffer.from(memory as unknown as ArrayBuffer, namesBytesOffset + index * nameBytes, nameBytes);
    entries.push([place.toString('utf8', 0, place.indexOf(0)), numbers[firstUserCounterIndex + index]!]);
  }
  return Object.fromEntries(entries);
}

function summarize(numbers: Float64Array, base: number): HistogramSummary {
  // Copied first, so that the percentiles and their total come from the same numbers while the writer goes on.
  const buckets = numbers.slice(
    base + histogramField.firstBucket,
    base + histogramField.firstBucket + histogramBuckets,
  );
  const count = numbers[base + histogramField.count]!;
  const maximumMicros = numbers[base + histogramField.maximumMicros]!;
  // No percentile passes the maximum, even when the writer has counted a time and not yet noted it as the longest.
  return {
    count,
    meanMicros: count === 0 ? 0 : numbers[base + histogramField.sumMicros]! / count,
    p50Micros: Math.min(percentile(buckets, 0.5, maximumMicros), maximumMicros),
    p99Micros: Math.min(percentile(buckets, 0.99, maximumMicros), maximumMicros),
    maximumMicros,
  };
}

/** The time below which that part of all times lies, taking times as evenly spread inside of their bucket. */
function percentile(buckets: Float64Array, part: number, maximumMicros: number): number {
  let total = 0;
  for (const inBucket of buckets) total += inBucket;
  let left = total * part;
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    const inBucket = buckets[bucket]!;
    if (inBucket === 0 || left > inBucket) {
      left -= inBucket;
      continue;
    }
    const start = bucketStartMicros(bucket);
    const end = Math.min(bucketStartMicros(bucket + 1), Math.max(maximumMicros, start));
    return start + (end - start) * (left / inBucket);
  }
  return maximumMicros;
}
