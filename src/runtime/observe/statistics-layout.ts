/**
 * The statistics block: what a context counts about itself, in shared memory, so that reading it stops nobody.
 *
 * ```
 * float64 index
 *   0 .. 63     counters and gauges, by the names in `counterNames`; unused ones are 0
 *   64 .. 95    user counters
 *   96 .. 135   histogram of the queueing delay: count, sum, maximum, then 37 buckets
 *   136 .. 175  histogram of the handler time, likewise
 * byte 1408     int32: how many user counters are registered, then 4 bytes unused
 * byte 1416 ..  the user counters' names: 64 bytes each, UTF-8, ended by a 0 byte
 * ```
 *
 * - One writer: the context. Any thread may read at any time. A float64 on 8-byte alignment is stored and loaded whole
 *   on the 64-bit machines that Node.js runs on, so a reader sees each counter as it was at some moment, never half of
 *   it; two counters may be from different moments.
 * - Counters only go up; float64 counts exactly up to 2^53.
 * - Bucket 0 of a histogram counts times below 1 µs, bucket n those from 2^(n-1) to below 2^n µs, the last one all
 *   that are longer (about 9.5 hours).
 */

/** Names of the counters and gauges, in their order in the block. Append only. */
export const counterNames = [
  'messagesSent',
  'bytesSent',
  'messagesReceived',
  'bytesReceived',
  'requestsSent',
  'requestsReceived',
  'responsesSent',
  'responsesReceived',
  'oneWaysSent',
  'oneWaysReceived',
  'publishes',
  'polls',
  'emptyPolls',
  'sleeps',
  'wakeUps',
  'doorbellsRung',
  'creditStalls',
  'creditsInUseMessages',
  'creditsInUseMessagesHighWater',
  'creditsInUseBytes',
  'creditsInUseBytesHighWater',
  'messagesFlushed',
  'messagesResent',
  'duplicatesSuppressed',
  'malformedRecords',
  'handlerErrors',
  'contextErrors',
  'connectionsOpened',
  'connectionsOpen',
  'linksOpen',
  'sendQueueLength',
  'sendQueueLengthHighWater',
  'linkOccupancyBytes',
  'linkOccupancyBytesHighWater',
  'sharedBuffersMoved',
  'sharedBuffersLeaked',
  'regionsExported',
  'remoteRegionsOpen',
  'regionOperations',
  'regionOperationsFailed',
  'regionBytesRead',
  'regionBytesWritten',
  'regionOperationsServed',
  'regionOperationsRefused',
  'regionBytesServed',
  'largeBuffersCarried',
  'largeBytesCopied',
] as const;

/** The name of a counter or gauge of a context. */
export type CounterName = (typeof counterNames)[number];

/** Index in the block of each counter. */
export const counterIndex = Object.fromEntries(counterNames.map((name, index) => [name, index])) as Readonly<
  Record<CounterName, number>
>;

export const firstUserCounterIndex = 64;
/** The most user counters that a context can have. */
export const maximumUserCounters = 32;

/** Where a histogram's fields lie, from its first index. */
export const histogramField = { count: 0, sumMicros: 1, maximumMicros: 2, firstBucket: 3 } as const;
export const histogramBuckets = 37;
const histogramLength = histogramField.firstBucket + histogramBuckets;
export const queueingDelayIndex = firstUserCounterIndex + maximumUserCounters;
export const handlerTimeIndex = queueingDelayIndex + histogramLength;

const numberCount = handlerTimeIndex + histogramLength;
/** Byte offset of the int32 that counts registered user counters. */
export const userCounterCountBytesOffset = numberCount * 8;
/** Byte offset of the first user counter's name. */
export const namesBytesOffset = userCounterCountBytesOffset + 8;
/** Bytes of a user counter's name, the 0 byte at its end included. */
export const nameBytes = 64;
/** Bytes of the whole block. */
export const statisticsBlockBytes = namesBytesOffset + maximumUserCounters * nameBytes;
/** Float64 numbers at the start of the block. */
export const statisticsNumberCount = numberCount;

/** The histogram bucket that counts a time of `micros`. Negative times (a clock read on another core) count as 0. */
export function histogramBucket(micros: number): number {
  if (!(micros >= 1)) return 0;
  if (micros >= 0x8000_0000) return Math.min(33 + Math.floor(Math.log2(micros / 0x1_0000_0000)), histogramBuckets - 1);
  return 32 - Math.clz32(micros);
}

/** The shortest time in µs that is counted in a bucket. */
export function bucketStartMicros(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** (bucket - 1);
}
