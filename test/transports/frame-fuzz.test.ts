import test from 'ava';
import { HeddleError } from '../../src/errors.js';
import { decodeCloseRecord, encodeCloseRecord } from '../../src/transports/close-record.js';
import { frameMagic } from '../../src/transports/frame.js';
import { FrameReader } from '../../src/transports/frame-reader.js';
import { decodeHello, encodeHello, helloBytes, linkVersion, listeningSide } from '../../src/transports/hello.js';
import { alignedRecordBytes, type MemoryBlock } from '../../src/transports/record.js';
import { buildStream, seededRandom } from './frame-streams.js';

const seed = Number(process.env.HEDDLE_FUZZ_SEED ?? 20_240_917);
const casesPerKind = Number(process.env.HEDDLE_FUZZ_CASES ?? 3000);

/**
 * Feeds `stream` in random chunks, each in memory that ends where the chunk does, and returns how it ended. Whatever
 * is delivered must lie inside of what has arrived.
 */
function feed(stream: Buffer, random: (bound: number) => number): { error: HeddleError | undefined; records: number } {
  let records = 0;
  let arrived = 0;
  const check = (block: MemoryBlock, start: number, lengthBytes: number) => {
    records++;
    if (
      (start & 7) !== 0 ||
      start < 0 ||
      lengthBytes < 8 ||
      start + alignedRecordBytes(lengthBytes) > block.bytes.length ||
      lengthBytes > arrived ||
      block.int32[start >> 2] !== lengthBytes
    ) {
      throw new Error(`out of range: start=${start} lengthBytes=${lengthBytes} arrived=${arrived}`);
    }
  };
  const reader = new FrameReader({
    onRecord: check,
    onCloseRecord: (block, start, lengthBytes) => {
      check(block, start, lengthBytes);
      const reason = decodeCloseRecord(block, start, lengthBytes);
      if (reason !== undefined && !(reason instanceof HeddleError)) throw new Error('not a coded error');
    },
  });
  let error: HeddleError | undefined;
  let from = 0;
  while (from < stream.length && error === undefined) {
    const size = random(4) === 0 ? 1 + random(16) : 1 + random(stream.length);
    const to = Math.min(stream.length, from + size);
    const shift = random(2) === 0 ? 0 : random(8);
    const chunk = Buffer.from(new ArrayBuffer(shift + to - from), shift);
    stream.copy(chunk, 0, from, to);
    arrived = to;
    error = reader.push(chunk);
    if (reader.heldBytes > Math.max(4096, 2 * arrived)) throw new Error(`heldBytes=${reader.heldBytes}`);
    from = to;
  }
  return { error, records };
}

const hostileWords = [
  0,
  -1,
  1,
  7,
  8,
  15,
  16,
  24,
  0x7fffffff,
  -0x80000000,
  0x7ffffff8,
  1 << 20,
  (1 << 20) + 8,
  frameMagic,
];

/** Each kind makes a stream that is wrong in its own way, most of the time. */
const kinds: Record<string, (random: (bound: number) => number) => Buffer> = {
  'random bytes': (random) => {
    const bytes = Buffer.alloc(1 + random(400));
    for (let i = 0; i < bytes.length; i++) bytes[i] = random(256);
    return bytes;
  },
  'random bytes behind a valid header': (random) => {
    const bytes = Buffer.alloc(16 + 8 * (1 + random(60)));
    for (let i = 0; i < bytes.length; i++) bytes[i] = random(5) === 0 ? random(256) : 0;
    bytes.writeInt32LE(bytes.length, 0);
    bytes.writeInt32LE(frameMagic, 4);
    bytes.writeInt32LE(0, 8);
    bytes.writeInt32LE(1 + random(4), 12);
    return bytes;
  },
  'flipped bits': (random) => {
    const stream = validStream(random);
    for (let flips = 1 + random(4); flips > 0; flips--) stream[random(stream.length)]! ^= 1 << random(8);
    return stream;
  },
  'hostile words': (random) => {
    const stream = validStream(random);
    for (let words = 1 + random(3); words > 0; words--) {
      stream.writeInt32LE(hostileWords[random(hostileWords.length)]!, 4 * random(stream.length >> 2));
    }
    return stream;
  },
  'missing, doubled and inserted pieces': (random) => {
    const stream = validStream(random);
    const from = random(stream.length);
    const to = from + random(stream.length - from);
    const kept = random(2) === 0 ? stream.subarray(to) : stream.subarray(from);
    return Buffer.concat([stream.subarray(0, random(2) === 0 ? from : to), kept]);
  },
  'a close record with hostile words': (random) => {
    const record = encodeCloseRecord(new HeddleError('ERR_HEDDLE_PROTOCOL', 'x'.repeat(random(40))));
    record.writeInt32LE(hostileWords[random(hostileWords.length)]!, 8 + 4 * random(2));
    const stream = Buffer.alloc(16 + alignedRecordBytes(record.length));
    stream.writeInt32LE(stream.length, 0);
    stream.writeInt32LE(frameMagic, 4);
    stream.writeInt32LE(1, 12);
    record.copy(stream, 16);
    return stream;
  },
};

function validStream(random: (bound: number) => number): Buffer {
  const lengths = Array.from({ length: 1 + random(12) }, () => 8 + random(random(8) === 0 ? 6000 : 100));
  return buildStream(lengths, 8192, random(2 ** 31), 16 + random(40));
}

for (const [name, make] of Object.entries(kinds)) {
  test(`fuzz: ${name}`, (t) => {
    let malformed = 0;
    for (let number = 0; number < casesPerKind; number++) {
      const caseSeed = seed + number * 7919;
      try {
        const random = seededRandom(caseSeed);
        const { error } = feed(make(random), random);
        if (error === undefined) continue;
        if (!(error instanceof HeddleError) || error.code !== 'ERR_HEDDLE_MALFORMED') throw error;
        malformed++;
      } catch (cause) {
        t.fail(`case seed ${caseSeed}: ${String(cause)}`);
        return;
      }
    }
    t.log(`seed ${seed}: ${malformed} of ${casesPerKind} were malformed`);
    if (!name.startsWith('a close')) t.true(malformed > casesPerKind / 10, 'the fuzzer reaches what it is to find');
    else t.is(malformed, 0, 'the frame is sound, the record in it is not');
  });
}

test('fuzz: hellos', (t) => {
  const random = seededRandom(seed);
  const valid = { version: linkVersion, side: listeningSide, maximumRecordBytes: 65536, instanceId: '00'.repeat(16) };
  let refused = 0;
  for (let number = 0; number < casesPerKind; number++) {
    const bytes = encodeHello(valid);
    if (random(4) === 0) bytes.writeInt32LE(hostileWords[random(hostileWords.length)]!, 4 * random(helloBytes >> 2));
    else bytes[random(helloBytes)]! ^= 1 << random(8);
    try {
      const hello = decodeHello(bytes, listeningSide, 'nowhere');
      t.true(hello.version === linkVersion && hello.side === listeningSide && hello.maximumRecordBytes >= 2048);
    } catch (error) {
      if (!(error instanceof HeddleError)) return t.fail(`case ${number}: ${String(error)}`);
      refused++;
    }
  }
  t.true(refused > casesPerKind / 10);
});
