import test from 'ava';
import { HeddleError } from '../../src/errors.js';
import { frameHeaderBytes, frameMagic, writeFrameHeader } from '../../src/transports/frame.js';
import { FrameBufferPool } from '../../src/transports/frame-buffer.js';
import { FrameWriter } from '../../src/transports/frame-writer.js';
import type { MemoryBlock } from '../../src/transports/record.js';
import { fillRecord, StreamCarrier } from './frame-streams.js';

function setUp(frameBytes = 256, maximumWaitingBytes = 1024) {
  const carrier = new StreamCarrier();
  const pool = new FrameBufferPool(frameBytes + frameHeaderBytes);
  const frames = new FrameWriter(pool, carrier, frameBytes, maximumWaitingBytes);
  let serial = 0;
  const send = (lengthBytes: number) => {
    const start = frames.writer.claim(lengthBytes);
    if (start >= 0) fillRecord(frames.writer.block, start, lengthBytes, 16, serial++);
    return start >= 0;
  };
  return { carrier, pool, frames, send };
}

test('a published frame has the header that its descriptor draws', (t) => {
  const { carrier, frames, send } = setUp();
  send(9);
  send(24);
  frames.publish();
  const stream = carrier.stream;
  t.is(stream.length, 16 + 16 + 24);
  t.is(stream.readInt32LE(0), stream.length);
  t.is(stream.readInt32LE(4), frameMagic);
  t.is(stream.toString('latin1', 4, 7), 'hdl');
  t.is(stream.readUInt32LE(8), 0);
  t.is(stream.readInt32LE(12), 2);
});

test('nothing is carried before publish, all of it by one call, and an empty publish carries nothing', (t) => {
  const { carrier, frames, send } = setUp();
  frames.publish();
  for (let i = 0; i < 12; i++) send(64);
  t.is(carrier.carries, 0);
  frames.publish();
  t.is(carrier.carries, 1);
  t.is(carrier.chunks.length, 3);
  t.deepEqual(
    carrier.chunks.map((chunk) => chunk.readInt32LE(12)),
    [4, 4, 4],
  );
  t.deepEqual(
    carrier.chunks.map((chunk) => chunk.readUInt32LE(8)),
    [0, 1, 2],
  );
  frames.publish();
  t.is(carrier.carries, 1);
});

test('trimmed and abandoned records leave no bytes behind', (t) => {
  const { carrier, frames } = setUp();
  const writer = frames.writer;
  const abandoned = writer.claim(100);
  writer.trim(abandoned, 0);
  frames.publish();
  t.is(carrier.carries, 0);
  const start = writer.claim(200);
  fillRecord(writer.block, start, 17, 16, 0);
  writer.trim(start, 17);
  frames.publish();
  t.is(carrier.stream.length, 16 + 24);
});

test('claims fail when too much waits, and room is announced once, below half', (t) => {
  const { carrier, frames, send } = setUp(256, 1024);
  let sent = 0;
  while (send(248)) sent++;
  t.true(sent >= 4 && sent <= 5, `sent=${sent}`);
  frames.publish();
  const [first, ...rest] = carrier.frames.splice(0);
  frames.completed(first!);
  t.is(carrier.roomCalls, 0, 'more than half is waiting');
  for (const frame of rest) frames.completed(frame);
  t.is(carrier.roomCalls, 1);
  t.is(frames.occupancyBytes(), 0);
  t.true(send(248));
});

test('many small publishes into a carrier that stands still hold no more than the limit and a buffer', (t) => {
  const frameBytes = 4096;
  let allocatedBytes = 0;
  const carrier = new StreamCarrier();
  const pool = new FrameBufferPool(frameBytes + 16, undefined, (lengthBytes) => {
    allocatedBytes += lengthBytes;
    return new FrameBufferPool(lengthBytes).take().block;
  });
  const frames = new FrameWriter(pool, carrier, frameBytes, 64 * 1024);
  let sent = 0;
  for (; sent < 100_000; sent++) {
    const start = frames.writer.claim(64);
    if (start < 0) break;
    fillRecord(frames.writer.block, start, 64, 16, sent);
    frames.publish();
  }
  t.true(sent > 700 && sent < 900, `sent=${sent}`);
  t.true(allocatedBytes <= 72 * 1024, `allocatedBytes=${allocatedBytes}`);
});

test('buffers are recycled: a thousand rounds take as many as one', (t) => {
  let allocations = 0;
  const carrier = new StreamCarrier();
  const pool = new FrameBufferPool(272, undefined, (lengthBytes) => {
    allocations++;
    return new FrameBufferPool(lengthBytes).take().block;
  });
  const frames = new FrameWriter(pool, carrier, 256, 4096);
  for (let round = 0; round < 1000; round++) {
    for (let i = 0; i < 6; i++) {
      const start = frames.writer.claim(80);
      fillRecord(frames.writer.block, start, 80, 16, i);
    }
    frames.publish();
    carrier.completeAll(frames);
    t.is(frames.writer.end, 0, 'an idle writer holds no buffer');
  }
  t.true(allocations <= 2, `allocations=${allocations}`);
});

test('a record that no frame can hold is refused by name, and one that fills a frame is not', (t) => {
  const { frames, send } = setUp(256);
  t.is(frames.maximumRecordBytes, 256);
  const error = t.throws(() => frames.writer.claim(257), { instanceOf: HeddleError });
  t.is(error.code, 'ERR_HEDDLE_MESSAGE_TOO_LARGE');
  t.true(send(256));
});

test('a record that was claimed and not filled in is refused at publish', (t) => {
  const { carrier, frames } = setUp();
  const start = frames.writer.claim(80);
  fillRecord(frames.writer.block, start, 40, 16, 0);
  frames.writer.block.int32.fill(0, (start + 40) >> 2, (start + 80) >> 2);
  t.throws(() => frames.publish(), { code: 'ERR_HEDDLE_INVALID_STATE' });
  t.is(carrier.carries, 0);
});

test('a closed writer drops what was not published and gives all buffers back', (t) => {
  const { carrier, pool, frames, send } = setUp(256, 4096);
  send(200);
  frames.publish();
  send(200);
  send(200);
  frames.close();
  t.is(frames.writer.claim(8), -1);
  t.is(frames.occupancyBytes(), 216);
  carrier.completeAll(frames);
  t.is(frames.occupancyBytes(), 0);
  t.is(pool.freeCount, 3);
  frames.publish();
  t.is(carrier.carries, 1);
});

test('the close record finds room beyond the limit', (t) => {
  const { frames, send } = setUp(2048, 4096);
  while (send(2040));
  const occupancyBytes = frames.occupancyBytes();
  const error = new HeddleError('ERR_HEDDLE_PEER_SILENT', 'no sign of life');
  t.is(frames.publishClose(error), error);
  t.true(frames.occupancyBytes() > occupancyBytes);
  t.is(frames.writer.claim(2040), -1, 'and what is no close record finds none');
});

test('frame serials wrap as 32-bit numbers', (t) => {
  const { pool } = setUp();
  const { block } = pool.take();
  writeFrameHeader(block, 0, 24, 0xffffffff | 0, 1);
  t.is(block.bytes.readUInt32LE(8), 0xffffffff);
});

test('a record that was left open is sealed when its frame is, while its bytes are there', (t) => {
  const { frames, send } = setUp(240);
  const { writer } = frames;
  const seals: [number, number][] = [];
  const maker = { onSealed: (block: MemoryBlock, at: number) => seals.push([block.bytes.length, at]) };
  send(64);
  writer.open(maker);
  const { block, cursor } = writer;
  while (writer.block === block) send(64);
  t.deepEqual(seals, [[block.bytes.length, cursor]], 'before the first of those behind it');
  writer.open(maker);
  const last = writer.cursor;
  frames.publish();
  t.deepEqual(seals[1], [block.bytes.length, last]);
  t.is(seals.length, 2);
});

test('a record that was left open is sealed when its frames end, while its bytes are there', (t) => {
  const { frames, send } = setUp(240);
  const seals: [number, number][] = [];
  send(64);
  const end = frames.writer.cursor;
  frames.writer.open({ onSealed: (block, at) => seals.push([block.bytes.length, at]) });
  const { length } = frames.writer.block.bytes;
  frames.close();
  frames.close();
  t.deepEqual(seals, [[length, end]]);
});
