import test from 'ava';
import fc from 'fast-check';
import { alignedRecordBytes, MemoryBlock } from '../../src/transports/record.js';
import { type RecordSink, RecordWriter } from '../../src/transports/record-writer.js';

/** Opens a fresh window of `windowBytes` each time, as often as `windows` says. */
class WindowSink implements RecordSink {
  readonly askedBytes: number[] = [];
  #windowsLeft: number;
  readonly #windowBytes: number;
  constructor(windows: number, windowBytes: number) {
    this.#windowsLeft = windows;
    this.#windowBytes = windowBytes;
  }
  makeRoom(writer: RecordWriter, alignedBytes: number): boolean {
    this.askedBytes.push(alignedBytes);
    if (this.#windowsLeft === 0 || alignedBytes > this.#windowBytes) return false;
    this.#windowsLeft--;
    writer.block = new MemoryBlock(new ArrayBuffer(this.#windowBytes));
    writer.cursor = 0;
    writer.end = this.#windowBytes;
    return true;
  }
}

function writerOver(sink: RecordSink): RecordWriter {
  return new RecordWriter(new MemoryBlock(new ArrayBuffer(0)), sink);
}

test('records follow each other, each at a multiple of 8', (t) => {
  const sink = new WindowSink(1, 64);
  const writer = writerOver(sink);
  t.deepEqual([writer.claim(9), writer.claim(8), writer.claim(17)], [0, 16, 24]);
  t.is(writer.cursor, 48);
  t.deepEqual(sink.askedBytes, [16], 'the sink is asked only when the window has no room');
});

test('a record that fits exactly fills the window', (t) => {
  const sink = new WindowSink(1, 64);
  const writer = writerOver(sink);
  writer.claim(40);
  t.is(writer.claim(24), 40);
  t.is(writer.cursor, writer.end);
  t.is(sink.askedBytes.length, 1);
});

test('a record that does not fit starts in the window that the sink opens', (t) => {
  const sink = new WindowSink(2, 64);
  const writer = writerOver(sink);
  writer.claim(48);
  const first = writer.block;
  t.is(writer.claim(24), 0);
  t.not(writer.block, first);
  t.deepEqual(sink.askedBytes, [48, 24]);
});

test('without room a claim returns -1 and changes nothing', (t) => {
  const writer = writerOver(new WindowSink(1, 64));
  writer.claim(48);
  const { block, cursor, end } = writer;
  t.is(writer.claim(24), -1);
  t.is(writer.block, block);
  t.is(writer.cursor, cursor);
  t.is(writer.end, end);
  t.is(writer.claim(16), 48, 'a smaller record still fits');
});

test('trim gives back what the last record does not need', (t) => {
  const writer = writerOver(new WindowSink(1, 64));
  writer.claim(8);
  const start = writer.claim(40);
  writer.trim(start, 11);
  t.is(writer.claim(8), start + 16);
});

test('trim to nothing abandons the record', (t) => {
  const writer = writerOver(new WindowSink(1, 64));
  const start = writer.claim(40);
  writer.trim(start, 0);
  t.is(writer.claim(64), start);
});

test('whatever is claimed and trimmed, records of a window never overlap and never leave it', (t) => {
  const windowBytes = 256;
  const claims = fc.array(
    fc.record({ claimBytes: fc.integer({ min: 8, max: 256 }), keep: fc.double({ min: 0, max: 1, noNaN: true }) }),
  );
  fc.assert(
    fc.property(claims, (wanted) => {
      const writer = writerOver(new WindowSink(Number.POSITIVE_INFINITY, windowBytes));
      let block: MemoryBlock | undefined;
      let takenUpTo = 0;
      for (const { claimBytes, keep } of wanted) {
        const start = writer.claim(claimBytes);
        if (writer.block !== block) takenUpTo = 0;
        block = writer.block;
        t.true(start >= takenUpTo && start % 8 === 0);
        t.true(start + claimBytes <= windowBytes);
        const keptBytes = Math.floor(claimBytes * keep);
        writer.trim(start, keptBytes);
        takenUpTo = start + alignedRecordBytes(keptBytes);
      }
    }),
  );
  t.pass();
});

/** Notes where its records ended. */
class Maker {
  readonly ends: number[] = [];

  onSealed(_block: MemoryBlock, end: number): void {
    this.ends.push(end);
  }
}

test('who left a record open is told once where it ends, however that comes', (t) => {
  const writer = writerOver(new WindowSink(3, 64));
  const [first, second] = [new Maker(), new Maker()];
  writer.claim(16);
  writer.open(first);
  t.is(writer.extend(8, writer.end), 16);
  t.is(writer.extend(8, writer.end), 24);
  t.deepEqual(first.ends, []);
  writer.seal();
  writer.seal();
  t.deepEqual(first.ends, [32], 'published');
  writer.claim(8);
  writer.open(first);
  writer.claim(8);
  writer.open(second);
  t.deepEqual(first.ends, [32, 40], 'before another is claimed');
  t.deepEqual(second.ends, []);
  writer.extend(8, writer.end);
  writer.claim(8);
  t.deepEqual(second.ends, [56]);
  writer.claim(32);
  t.deepEqual([first.ends, second.ends], [[32, 40], [56]], 'in the next window, too');
});

test('a record that was left open is made longer as far as its maker wants', (t) => {
  const writer = writerOver(new WindowSink(2, 64));
  const maker = new Maker();
  writer.claim(16);
  writer.open(maker);
  t.is(writer.extend(9, 40), 16);
  t.is(writer.cursor, 32);
  t.is(writer.extend(9, 40), -1);
  t.is(writer.cursor, 32);
  t.is(writer.extend(8, 40), 32);
  t.is(writer.extend(24, 64), 40);
  t.is(writer.claim(48), 0, 'it goes to the next window');
  t.deepEqual(maker.ends, [64]);
});

test('a claim that was given back, or found no room, has sealed the record before it', (t) => {
  for (const lengthBytes of [24, 64]) {
    const writer = writerOver(new WindowSink(1, 64));
    const maker = new Maker();
    writer.claim(16);
    writer.open(maker);
    const start = writer.claim(lengthBytes);
    t.is(start, lengthBytes === 24 ? 16 : -1);
    if (start >= 0) writer.trim(start, 0);
    t.deepEqual(maker.ends, [16]);
  }
});
