import test from 'ava';
import fc from 'fast-check';
import { HeddleError } from '../../../src/errors.js';
import { alignedRecordBytes, type MemoryBlock } from '../../../src/transports/record.js';
import { RingConsumer, type RingConsumerOwner } from '../../../src/transports/shm/ring-consumer.js';
import {
  closedIndex,
  createRing,
  defaultRingCapacityBytes,
  headIndex,
  isRingClosed,
  maximumReasonBytes,
  openRing,
  reasonLengthIndex,
  ringHeaderBytes,
  tailIndex,
  wantsRoomIndex,
} from '../../../src/transports/shm/ring-layout.js';
import { RingProducer } from '../../../src/transports/shm/ring-producer.js';

const capacity = 4096;
const many = 1_000_000;
const userType = 16;

/** Puts a record whose bytes all follow from `seed`; returns false when there is no room. */
function put(producer: RingProducer, seed: number, lengthBytes: number): boolean {
  const start = producer.writer.claim(lengthBytes);
  if (start < 0) return false;
  const { int32, bytes } = producer.writer.block;
  int32[start >> 2] = lengthBytes;
  int32[(start >> 2) + 1] = userType | (seed << 8);
  for (let i = 8; i < lengthBytes; i += 1) bytes[start + i] = (seed + i) & 0xff;
  return true;
}

class Sink implements RingConsumerOwner {
  readonly records: { seed: number; lengthBytes: number }[] = [];
  reason: string | undefined;
  malformed: HeddleError | undefined;
  roomCalls = 0;
  onRecord: (() => void) | undefined;
  /** For how many each record counts. */
  weight = 1;

  onRingRecord(block: MemoryBlock, start: number, lengthBytes: number): number {
    const seed = block.int32[(start >> 2) + 1]! >>> 8;
    for (let i = 8; i < lengthBytes; i += 1) {
      if (block.bytes[start + i] !== ((seed + i) & 0xff)) throw new Error(`byte ${i} of record ${seed} is wrong`);
    }
    this.records.push({ seed, lengthBytes });
    this.onRecord?.();
    return this.weight;
  }
  onRingClosed(reason: string): void {
    this.reason = reason;
  }
  onRingMalformed(error: HeddleError): void {
    this.malformed = error;
  }
  onRoomForProducer(): void {
    this.roomCalls += 1;
  }
}

function makeRing(startPosition = 0, capacityBytes = capacity) {
  const memory = createRing(capacityBytes, startPosition);
  const sink = new Sink();
  const owner = {
    published: 0,
    onPublishedByClaim() {
      this.published += 1;
    },
  };
  return {
    memory,
    header: new Int32Array(memory, 0, ringHeaderBytes >> 2),
    sink,
    owner,
    producer: new RingProducer(memory, owner),
    consumer: new RingConsumer(memory, sink),
  };
}

const startPositions = [0, 8, capacity - 8, 0x7fffffff - 7, 0x7fffffff - 4095, -8, -capacity - 8, -0x80000000];

test('records come out in order, whole, whatever the sizes, batches and start positions', (t) => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ op: fc.constant('put' as const), n: fc.integer({ min: 8, max: 512 }) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('trim' as const), n: fc.integer({ min: 8, max: 512 }) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('publish' as const), n: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('poll' as const), n: fc.integer({ min: 1, max: 20 }) }) },
  );
  fc.assert(
    fc.property(fc.constantFrom(...startPositions), fc.array(step, { maxLength: 150 }), (startPosition, steps) => {
      const { producer, consumer, sink } = makeRing(startPosition);
      const expected: { seed: number; lengthBytes: number }[] = [];
      let refused = false;
      for (const { op, n } of steps) {
        if (op === 'put') {
          if (put(producer, expected.length, n)) expected.push({ seed: expected.length, lengthBytes: n });
          else refused = true;
        } else if (op === 'trim') {
          const start = producer.writer.claim(n);
          if (start >= 0) producer.writer.trim(start, 0);
          else refused = true;
        } else if (op === 'publish') {
          producer.publish();
        } else {
          consumer.poll(n);
        }
        if (producer.occupancyBytes() < 0 || producer.occupancyBytes() > capacity - 8) return false;
      }
      producer.publish();
      while (consumer.poll(64) > 0 || consumer.hasRecords());
      // Whoever was refused is owed exactly one word of room, unless a later poll... which comes once all is read.
      if (producer.roomHasCome() !== refused) return false;
      t.is(sink.malformed, undefined);
      t.deepEqual(sink.records, expected);
      return producer.occupancyBytes() === 0;
    }),
    { numRuns: 400 },
  );
});

test('positions wrap at 2^31 and at 2^32 with records in flight', (t) => {
  for (const startPosition of startPositions) {
    const { producer, consumer, sink } = makeRing(startPosition);
    let sent = 0;
    for (let round = 0; round < 60; round += 1) {
      while (put(producer, sent, 8 + ((sent * 37) % 400))) sent += 1;
      producer.publish();
      consumer.poll(many);
    }
    t.true(sent > 300);
    t.deepEqual(
      sink.records.map((record) => record.seed),
      Array.from({ length: sent }, (_, i) => i),
    );
  }
});

test('nothing is visible before it is published, and all of a batch by one store', (t) => {
  const { producer, consumer, sink, header } = makeRing();
  put(producer, 0, 64);
  put(producer, 1, 64);
  t.is(consumer.poll(many), 0);
  t.false(consumer.hasRecords());
  t.true(producer.publish());
  t.false(producer.publish());
  t.is(header[tailIndex], 128);
  t.is(consumer.poll(many), 2);
  t.is(header[headIndex], 128);
  t.is(sink.records.length, 2);
});

test('a budget ends a poll, and the head is published once for it', (t) => {
  const { producer, consumer, sink, header } = makeRing();
  for (let i = 0; i < 10; i += 1) put(producer, i, 64);
  producer.publish();
  sink.onRecord = () => t.is(header[headIndex], Math.floor((sink.records.length - 1) / 4) * 256);
  t.deepEqual([consumer.poll(4), consumer.poll(4), consumer.poll(4), consumer.poll(4)], [4, 4, 2, 0]);
});

test('a record that counts for several uses up as much of the budget', (t) => {
  const { producer, consumer, sink } = makeRing();
  for (let i = 0; i < 10; i += 1) put(producer, i, 64);
  producer.publish();
  sink.weight = 3;
  t.deepEqual([consumer.poll(4), consumer.poll(4), consumer.poll(100)], [6, 6, 18]);
  t.is(sink.records.length, 10);
});

test('an open record is made longer until it is published, and never past the longest of the ring', (t) => {
  const { producer, consumer, sink, header } = makeRing();
  const { writer } = producer;
  const { bytes } = producer.ring.records;
  let start = 0;
  let isOpen = false;
  const maker = {
    onSealed: (block: MemoryBlock, end: number) => {
      block.int32[start >> 2] = end - start;
      isOpen = false;
    },
  };
  const sent: number[] = [];
  for (let seed = 1; seed < 500; seed += 1) {
    if (!put(producer, seed, 16)) break;
    let lengthBytes = 16;
    writer.open(maker);
    isOpen = true;
    start = writer.cursor - lengthBytes;
    while (lengthBytes < seed * 8 && writer.extend(8, writer.end) >= 0) {
      for (let i = lengthBytes; i < lengthBytes + 8; i += 1) bytes[start + i] = (seed + i) & 0xff;
      lengthBytes += 8;
    }
    sent.push(lengthBytes);
    if (seed % 3 === 0) {
      producer.publish();
      t.is(header[tailIndex], producer.publishedTail);
      t.false(isOpen, 'the consumer may have read its length');
    }
    if (seed % 4 === 0) consumer.poll(many);
  }
  producer.publish();
  consumer.poll(many);
  t.deepEqual(
    sink.records.map((record) => record.lengthBytes),
    sent,
  );
  t.true(Math.max(...sent) > 100);
  t.true(Math.max(...sent) <= producer.maximumRecordBytes);
});

test('room that comes moves no window: a record that was left open grows no further than before', (t) => {
  const { producer, consumer } = makeRing();
  const { writer } = producer;
  let seals = 0;
  const maker = { onSealed: () => seals++ };
  let sent = 0;
  while (put(producer, sent, 64)) sent++;
  t.true(sent > 0);
  writer.open(maker);
  const { end } = writer;
  consumer.poll(many);
  t.true(producer.roomHasCome());
  t.is(writer.end, end);
  t.is(seals, 0);
  t.true(put(producer, sent, 64));
  t.is(seals, 1);
});

test('a record that was left open is sealed when its ring is closed, and the close lies behind it', (t) => {
  const { producer, consumer, sink } = makeRing();
  const { writer } = producer;
  put(producer, 1, 16);
  const start = writer.cursor - 16;
  writer.open({
    onSealed: (block, end) => {
      block.int32[start >> 2] = end - start;
    },
  });
  const at = writer.extend(8, writer.end);
  for (let i = at; i < at + 8; i += 1) producer.ring.records.bytes[i] = (1 + i - start) & 0xff;
  producer.close('');
  consumer.poll(many);
  t.deepEqual(
    sink.records.map((record) => record.lengthBytes),
    [24],
  );
  t.is(sink.reason, '');
});

test('a record that was left open is sealed when its ring is abandoned', (t) => {
  const { producer } = makeRing();
  let seals = 0;
  put(producer, 1, 64);
  producer.writer.open({ onSealed: () => seals++ });
  producer.abandon();
  t.is(seals, 1);
  producer.publish();
  producer.close('');
  t.is(seals, 1);
});

test('of a large ring no more of a batch waits to be published than 8 KiB or eight records or an eighth of the ring', (t) => {
  for (const recordBytes of [64, 96, 1000, 4120, 5000, 40_000]) {
    const { producer, header, owner } = makeRing(0, 1024 * 1024);
    const limitBytes = Math.min(Math.max(8192, 8 * recordBytes), 131_072);
    let sent = 0;
    while ((sent + 1) * recordBytes < 500_000) {
      t.true(put(producer, ++sent, recordBytes));
      t.true(sent * recordBytes - header[tailIndex]! <= limitBytes, `recordBytes=${recordBytes} sent=${sent}`);
    }
    t.true(header[tailIndex]! >= sent * recordBytes - limitBytes);
    // And that much does wait: publishing each of a few large records would cost as much as sending them alone.
    t.true(owner.published <= (sent * recordBytes) / (limitBytes - recordBytes), `published=${owner.published}`);
  }
});

test('small records behind a large one wait no longer than they do by themselves', (t) => {
  const { producer, header } = makeRing(0, 1024 * 1024);
  t.true(put(producer, 1, 40_000));
  let bytes = 40_000;
  while (bytes < 400_000) {
    t.true(put(producer, 2, 64));
    bytes += 64;
    if (bytes > 140_000) t.true(bytes - header[tailIndex]! <= 8192, `bytes=${bytes}`);
  }
});

test('of a long batch what has gathered is published, and its room given back, while the rest follows', (t) => {
  for (const startPosition of startPositions) {
    const { producer, consumer, sink, owner, header } = makeRing(startPosition);
    const shareBytes = capacity / 8;
    const recordBytes = 64;
    const startHead = header[headIndex]!;
    let sent = 0;
    let unpublished = 0;
    for (; sent < 40; sent++) {
      t.true(put(producer, sent, recordBytes));
      unpublished = (startHead + sent * recordBytes + recordBytes - header[tailIndex]!) | 0;
      t.true(unpublished <= shareBytes + recordBytes, `unpublished=${unpublished}`);
    }
    t.true(owner.published >= 3, `published=${owner.published}`);
    producer.publish();
    const unreleased: number[] = [];
    sink.onRecord = () => {
      unreleased.push((startHead + sink.records.length * recordBytes - header[headIndex]!) | 0);
    };
    t.is(consumer.poll(many), sent);
    t.true(Math.max(...unreleased) <= shareBytes, `unreleased=${unreleased}`);
    t.is(consumer.poll(many), 0);
    t.deepEqual(
      sink.records.map(({ seed }) => seed),
      Array.from({ length: sent }, (_, i) => i),
    );
  }
});

test('a record that does not fit before the end goes to the start, behind padding', (t) => {
  const { producer, consumer, sink, memory } = makeRing(capacity - 24);
  t.true(put(producer, 7, 32));
  producer.publish();
  const { records } = openRing(memory);
  t.is(records.int32[(capacity - 24) >> 2], 24);
  t.is(records.int32[((capacity - 24) >> 2) + 1], 0);
  t.is(records.int32[0], 32);
  t.is(consumer.poll(many), 1);
  t.deepEqual(sink.records, [{ seed: 7, lengthBytes: 32 }]);
  t.is(producer.occupancyBytes(), 0);
});

test('a full ring refuses, publishes what it holds, asks for room and hears of it once', (t) => {
  const { producer, consumer, sink, owner, header } = makeRing();
  let sent = 0;
  while (put(producer, sent, 512)) sent += 1;
  t.is(sent, 7);
  t.is(header[tailIndex], 7 * 512, 'what was claimed has been published');
  t.true(owner.published > 0);
  t.is(header[wantsRoomIndex], 1);
  t.false(producer.roomHasCome());
  t.is(producer.writer.claim(8), producer.writer.cursor - 8, 'a smaller record still fits');
  producer.writer.trim(producer.writer.cursor - 8, 0);
  t.is(consumer.poll(1), 1);
  t.is(sink.roomCalls, 1);
  t.true(producer.hasWantedRoom());
  t.true(producer.roomHasCome());
  t.false(producer.roomHasCome());
  t.is(header[wantsRoomIndex], 0);
  t.true(put(producer, sent, 512));
  t.is(consumer.poll(many), 6);
  t.is(sink.roomCalls, 1, 'nobody wants room any more');
});

test('a claim that failed is owed its word of room although a smaller one succeeds', (t) => {
  const { producer, consumer } = makeRing();
  while (put(producer, 1, 256));
  while (put(producer, 2, 8));
  consumer.poll(1);
  t.true(put(producer, 3, 8));
  t.not(producer.wantedBytes, 0);
  consumer.poll(many);
  t.true(producer.roomHasCome());
});

test('a record beyond an eighth of the ring is refused with an error', (t) => {
  const { producer } = makeRing();
  while (producer.writer.end - producer.writer.cursor >= 520) producer.writer.cursor += 512;
  const error = t.throws(() => producer.writer.claim(520), { instanceOf: HeddleError }) as HeddleError;
  t.is(error.code, 'ERR_HEDDLE_MESSAGE_TOO_LARGE');
  t.is(producer.maximumRecordBytes, 512);
});

test('the close record always has room, after everything claimed', (t) => {
  for (const startPosition of startPositions) {
    for (const size of [8, 24, 512]) {
      const { producer, consumer, sink, memory } = makeRing(startPosition);
      let sent = 0;
      while (put(producer, sent, size)) sent += 1;
      while (put(producer, sent, 8)) sent += 1;
      producer.close(size === 8 ? '' : 'why');
      t.true(isRingClosed(memory));
      t.is(producer.writer.claim(8), -1);
      t.false(producer.publish());
      t.is(consumer.poll(many), sent);
      t.is(sink.reason, size === 8 ? '' : 'why');
      t.is(consumer.poll(many), 0);
    }
  }
});

test('a reason too long is cut between characters', (t) => {
  const { producer, consumer, sink } = makeRing();
  producer.close('€'.repeat(1000));
  consumer.poll(many);
  t.regex(sink.reason!, /^€+$/);
  t.is(Buffer.byteLength(sink.reason!), maximumReasonBytes - (maximumReasonBytes % 3));
});

test('whatever stands where a record should: the link ends as malformed, nothing outside is read', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.integer(),
        fc.integer({ min: -8, max: 600 }),
        fc.constantFrom(0x7fffffff, 0x7ffffff9, -1, 0, 7, 4097),
      ),
      fc.integer(),
      fc.integer({ min: 0, max: 5 }),
      (length, secondWord, before) => {
        const { producer, consumer, sink, memory } = makeRing(capacity - 160);
        for (let i = 0; i < before; i += 1) put(producer, i, 32);
        const start = producer.writer.claim(32);
        put(producer, 99, 32);
        const { int32 } = openRing(memory).records;
        int32[start >> 2] = length;
        int32[(start >> 2) + 1] = secondWord;
        // The checksum of a record that is taken for one does not matter here.
        const seen: number[] = [];
        sink.onRingRecord = (_block, recordStart, lengthBytes) => {
          seen.push(lengthBytes);
          if (lengthBytes < 8 || recordStart < 0 || recordStart + lengthBytes > capacity) throw new Error('outside');
          return 1;
        };
        producer.publish();
        consumer.poll(many);
        const type = secondWord & 0xff;
        const readable = length >= 8 && length <= 64 && (before !== 4 || length <= 32);
        const expectMalformed = !readable || (type > 1 && type < 16);
        if (expectMalformed) {
          t.is(sink.malformed?.code, 'ERR_HEDDLE_MALFORMED');
          t.is(seen.length, before);
          t.is(consumer.poll(many), 0);
          t.false(consumer.hasRecords());
        }
        return true;
      },
    ),
    { numRuns: 500 },
  );
});

test('impossible positions end the link as malformed', (t) => {
  for (const tail of [-8, capacity + 8, 4, 0x7ffffff8, -0x80000000]) {
    const { consumer, sink, header } = makeRing();
    header[tailIndex] = tail;
    t.is(consumer.poll(many), 0);
    t.is(sink.malformed?.code, 'ERR_HEDDLE_MALFORMED', `tail=${tail}`);
  }
  const { producer, header } = makeRing();
  while (put(producer, 1, 512));
  header[headIndex] = 99999 * 8;
  t.is(producer.writer.claim(512), -1, 'a head beyond the tail makes no room');
  const closing = makeRing();
  closing.producer.close('');
  closing.header[reasonLengthIndex] = maximumReasonBytes + 1;
  closing.consumer.poll(many);
  t.is(closing.sink.malformed?.code, 'ERR_HEDDLE_MALFORMED');
});

test('a handler that throws, polls or stops leaves the ring in order', (t) => {
  const { producer, consumer, sink, header } = makeRing();
  for (let i = 0; i < 4; i += 1) put(producer, i, 64);
  producer.publish();
  sink.onRecord = () => {
    t.is(consumer.poll(many), 0);
    if (sink.records.length === 1) throw new Error('of the handler');
    if (sink.records.length === 3) consumer.stop();
  };
  t.throws(() => consumer.poll(many), { message: 'of the handler' });
  t.is(header[headIndex], 64);
  t.is(consumer.poll(many), 2);
  t.is(consumer.poll(many), 0);
  t.deepEqual(
    sink.records.map((record) => record.seed),
    [0, 1, 2],
  );
});

test('memory that is no ring is refused', (t) => {
  const code = (memory: SharedArrayBuffer) =>
    (t.throws(() => openRing(memory), { instanceOf: HeddleError }) as HeddleError).code;
  t.is(code(new SharedArrayBuffer(8)), 'ERR_HEDDLE_MALFORMED');
  t.is(code(new SharedArrayBuffer(ringHeaderBytes + 4096)), 'ERR_HEDDLE_VERSION');
  const { memory, header } = makeRing();
  header[1] = 8192;
  t.is(code(memory), 'ERR_HEDDLE_MALFORMED');
  for (const bytes of [0, 2048, 5000, 128 * 1024 * 1024, 4096.5]) {
    t.throws(() => createRing(bytes), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' } as never, String(bytes));
  }
  t.is(createRing().byteLength, ringHeaderBytes + defaultRingCapacityBytes);
  t.is(alignedRecordBytes(9), 16);
  t.is(header[closedIndex], 0);
});
