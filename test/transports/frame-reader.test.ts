import test from 'ava';
import fc from 'fast-check';
import { HeddleError } from '../../src/errors.js';
import { maximumFrameBytes, maximumFrameRecordBytes, writeFrameHeader } from '../../src/transports/frame.js';
import { FrameReader } from '../../src/transports/frame-reader.js';
import { MemoryBlock } from '../../src/transports/record.js';
import { buildStream, CollectingReceiver, fillRecord } from './frame-streams.js';

/** Places bytes at any alignment, as a socket may. */
function misalign(bytes: Buffer, by: number): Buffer {
  const memory = Buffer.from(new ArrayBuffer(bytes.length + 8));
  bytes.copy(memory, by);
  return memory.subarray(by, by + bytes.length);
}

function read(stream: Buffer, cuts: readonly number[], alignment: (index: number) => number = () => 0) {
  const receiver = new CollectingReceiver();
  const reader = new FrameReader(receiver);
  let from = 0;
  let error: HeddleError | undefined;
  [...cuts, stream.length].forEach((to, index) => {
    if (to > from) error ??= reader.push(misalign(stream.subarray(from, to), alignment(index)));
    from = Math.max(from, to);
  });
  return { receiver, reader, error };
}

/** A frame with the given record lengths and header fields as told. */
function frame(lengths: number[], wrong: { length?: number; magic?: number; serial?: number; count?: number } = {}) {
  const block = new MemoryBlock(new ArrayBuffer(65536));
  let cursor = 16;
  lengths.forEach((lengthBytes, index) => {
    fillRecord(block, cursor, lengthBytes, 16, index);
    cursor += (lengthBytes + 7) & ~7;
  });
  writeFrameHeader(block, 0, cursor, wrong.serial ?? 0, wrong.count ?? lengths.length);
  if (wrong.length !== undefined) block.int32[0] = wrong.length;
  if (wrong.magic !== undefined) block.int32[1] = wrong.magic;
  return { block, bytes: block.bytes.subarray(0, cursor) };
}

test('every split position of a stream of several frames yields the same records', (t) => {
  const lengths = [8, 9, 64, 15, 16, 200, 63, 8, 8, 120, 33];
  const stream = buildStream(lengths, 256);
  for (let cut = 0; cut <= stream.length; cut++) {
    for (const alignment of [0, 3]) {
      const { receiver, reader, error } = read(stream, [cut], () => alignment);
      t.is(error, undefined);
      t.deepEqual(receiver.lengths, lengths);
      t.deepEqual(receiver.defects, []);
      t.true(reader.isBetweenFrames);
    }
  }
});

test('byte by byte', (t) => {
  const lengths = [8, 9, 64, 15, 2000, 16, 5000, 8];
  const stream = buildStream(lengths, 8192);
  const cuts = Array.from({ length: stream.length }, (_, index) => index);
  const { receiver, error } = read(stream, cuts, (index) => index & 7);
  t.is(error, undefined);
  t.deepEqual(receiver.lengths, lengths);
  t.deepEqual(receiver.defects, []);
});

test('any records, any frames, any splits, any alignment', (t) => {
  const recordLength = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 8, max: 300 }) },
    { weight: 2, arbitrary: fc.integer({ min: 300, max: 9000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 9000, max: 60000 }) },
  );
  fc.assert(
    fc.property(
      fc.array(recordLength, { minLength: 1, maxLength: 60 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
      fc.array(fc.nat(7), { minLength: 1, maxLength: 20 }),
      fc.nat(),
      (lengths, fractions, alignments, seed) => {
        const stream = buildStream(lengths, 65536, seed);
        const cuts = fractions.map((fraction) => Math.floor(fraction * stream.length)).sort((a, b) => a - b);
        const { receiver, error, reader } = read(stream, cuts, (index) => alignments[index % alignments.length]!);
        t.is(error, undefined);
        t.deepEqual(receiver.lengths, lengths);
        t.deepEqual(receiver.defects, []);
        t.true(reader.isBetweenFrames);
      },
    ),
    { numRuns: 300 },
  );
});

test('the largest frame is taken; no more memory is held than has arrived', (t) => {
  const stream = buildStream([maximumFrameRecordBytes, 8], maximumFrameRecordBytes);
  const receiver = new CollectingReceiver();
  const reader = new FrameReader(receiver);
  let pushed = 0;
  for (; pushed < stream.length; pushed += 10_000) {
    t.is(reader.push(stream.subarray(pushed, pushed + 10_000)), undefined);
    t.true(reader.heldBytes <= Math.max(4096, 2 * (pushed + 10_000)) && reader.heldBytes <= maximumFrameBytes);
  }
  t.deepEqual(receiver.lengths, [maximumFrameRecordBytes, 8]);
  t.deepEqual(receiver.defects, []);
  t.true(reader.heldBytes <= 4096, 'a large record leaves no large buffer behind');
});

test('aligned chunks are read where they lie', (t) => {
  const stream = misalign(buildStream(new Array(100).fill(64), 65536), 0);
  const blocks = new Set<ArrayBufferLike>();
  const reader = new FrameReader({
    onRecord: (block) => void blocks.add(block.bytes.buffer),
    onCloseRecord: () => t.fail(),
  });
  reader.push(stream);
  t.deepEqual([...blocks], [stream.buffer]);
  t.is(reader.heldBytes, 0);
});

test('a record is delivered before its frame is complete', (t) => {
  const { bytes } = frame([64, 64, 64]);
  const { receiver, reader } = read(bytes.subarray(0, 16 + 64 + 63), []);
  t.deepEqual(receiver.lengths, [64]);
  t.false(reader.isBetweenFrames);
});

const malformed: Record<string, () => Buffer> = {
  'a frame length that is negative': () => frame([64], { length: -80 }).bytes,
  'a frame length of zero': () => frame([64], { length: 0 }).bytes,
  'a frame without a record': () => frame([], { count: 0 }).bytes,
  'a frame length that is no multiple of 8': () => frame([64], { length: 84 }).bytes,
  'a frame length beyond the maximum': () => frame([64], { length: maximumFrameBytes + 8 }).bytes,
  'a frame length of 2 GiB': () => frame([64], { length: 0x7ffffff8 }).bytes,
  'another magic': () => frame([64], { magic: 0x20544547 }).bytes,
  'another version': () => frame([64], { magic: 0x016c6468 }).bytes,
  'a serial that is ahead': () => frame([64], { serial: 1 }).bytes,
  'a repeated frame': () => Buffer.concat([frame([64]).bytes, frame([64]).bytes]),
  'a record count of zero': () => frame([64], { count: 0 }).bytes,
  'a negative record count': () => frame([64], { count: -1 }).bytes,
  'more records than announced': () => frame([64, 64], { count: 1 }).bytes,
  'fewer records than announced': () => frame([64, 64], { count: 3 }).bytes,
  'a huge record count': () => frame([64], { count: 0x7fffffff }).bytes,
  ...Object.fromEntries(
    [0, 7, -1, 4096, 0x7fffffff, -0x80000000].map((length) => [
      `a record length of ${length}`,
      () => {
        const made = frame([64, 64]);
        made.block.int32[(16 + 64) >> 2] = length;
        return made.bytes;
      },
    ]),
  ),
  'a record that reaches beyond its frame, into the next': () => {
    const made = frame([64, 64]);
    made.block.int32[16 >> 2] = 64 + 64 + 16 + 8;
    return Buffer.concat([made.bytes, frame([64, 64], { serial: 1 }).bytes]);
  },
  'a record of a reserved type': () => {
    const made = frame([64, 64]);
    made.block.int32[(16 + 64 + 4) >> 2] = 7;
    return made.bytes;
  },
};

for (const [name, make] of Object.entries(malformed)) {
  test(`malformed: ${name}`, (t) => {
    const bytes = make();
    for (const cuts of [[], bytes.map((_, index) => index)]) {
      const { receiver, reader, error } = read(bytes, [...cuts]);
      t.true(error instanceof HeddleError);
      t.is(error?.code, 'ERR_HEDDLE_MALFORMED');
      t.regex(error?.message ?? '', /\w+=-?\d+/);
      t.true(receiver.lengths.length <= 1);
      t.deepEqual(receiver.defects, []);
      t.is(reader.push(frame([64], { serial: 1 }).bytes), error, 'the reader stays ended');
      t.true(receiver.lengths.length <= 1);
      t.is(reader.heldBytes, 0);
    }
  });
}

test('padding records are skipped, the close record stops the reader', (t) => {
  const made = frame([16, 24, 8, 16]);
  made.block.int32[(16 + 4) >> 2] = 0;
  made.block.int32[(16 + 16 + 4) >> 2] = 16;
  made.block.int32[(16 + 40 + 4) >> 2] = 1;
  const { receiver, error } = read(made.bytes, []);
  t.is(error, undefined);
  t.deepEqual(receiver.lengths, [24]);
  t.is(receiver.closeRecords, 1);
});

test('a receiver can stop the reader in the middle of a chunk', (t) => {
  let seen = 0;
  const reader: FrameReader = new FrameReader({
    onRecord: () => {
      if (++seen === 3) reader.stop();
    },
    onCloseRecord: () => t.fail(),
  });
  t.is(reader.push(buildStream(new Array(100).fill(64), 65536)), undefined);
  t.is(seen, 3);
});

test('what the receiver throws comes out, and the reader is stopped', (t) => {
  let seen = 0;
  const reader = new FrameReader({
    onRecord: () => {
      seen++;
      throw new RangeError('of the receiver');
    },
    onCloseRecord: () => t.fail(),
  });
  const stream = buildStream(new Array(10).fill(64), 65536);
  t.throws(() => reader.push(stream), { instanceOf: RangeError });
  reader.push(stream);
  t.is(seen, 1);
});
