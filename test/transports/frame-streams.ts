import type { SealedFrame } from '../../src/transports/frame-buffer.js';
import { FrameBufferPool } from '../../src/transports/frame-buffer.js';
import type { FrameReceiver } from '../../src/transports/frame-reader.js';
import { FrameWriter } from '../../src/transports/frame-writer.js';
import { alignedRecordBytes, type MemoryBlock } from '../../src/transports/record.js';

/** A seeded source of numbers (mulberry32), so that a failing case can be run again. */
export function seededRandom(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

/** Fills a claimed record: its bytes follow from `seed`, so that a reader can check them. */
export function fillRecord(block: MemoryBlock, start: number, lengthBytes: number, type: number, seed: number): void {
  block.int32[start >> 2] = lengthBytes;
  block.int32[(start >> 2) + 1] = type | ((seed & 0xffffff) << 8);
  for (let i = 8; i < lengthBytes; i++) block.bytes[start + i] = (seed + i) & 0xff;
}

/** What is wrong with a record made by {@link fillRecord}; undefined when nothing is. */
export function recordDefect(block: MemoryBlock, start: number, lengthBytes: number): string | undefined {
  if (start < 0 || (start & 7) !== 0) return `start=${start}`;
  if (start + alignedRecordBytes(lengthBytes) > block.bytes.length) return `start=${start} length=${lengthBytes}`;
  if (block.int32[start >> 2] !== lengthBytes) return `lengthWord=${block.int32[start >> 2]} length=${lengthBytes}`;
  const seed = block.int32[(start >> 2) + 1]! >>> 8;
  for (let i = 8; i < lengthBytes; i++) {
    if (block.bytes[start + i] !== ((seed + i) & 0xff)) return `byte ${i} of record ${seed}`;
  }
  return undefined;
}

/** A carrier that keeps the bytes of all frames, and completes them when told to. */
export class StreamCarrier {
  readonly chunks: Buffer[] = [];
  readonly frames: SealedFrame[] = [];
  carries = 0;
  roomCalls = 0;

  carry(first: SealedFrame, count: number): void {
    this.carries++;
    let seen = 0;
    for (let frame: SealedFrame | undefined = first; frame !== undefined; frame = frame.next) {
      this.chunks.push(Buffer.from(frame.buffer.block.bytes.subarray(frame.start, frame.end)));
      this.frames.push(frame);
      seen++;
    }
    if (seen !== count) throw new Error(`count=${count} frames=${seen}`);
  }

  onRoom(): void {
    this.roomCalls++;
  }

  completeAll(writer: FrameWriter): void {
    for (const frame of this.frames.splice(0)) writer.completed(frame);
  }

  get stream(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** A stream of frames with one record of each length, in frames of at most `frameBytes`; publishes at random. */
export function buildStream(lengths: readonly number[], frameBytes: number, seed = 1, type = 16): Buffer {
  const random = seededRandom(seed);
  const carrier = new StreamCarrier();
  const frames = new FrameWriter(new FrameBufferPool(frameBytes + 16), carrier, frameBytes, 2 ** 30);
  lengths.forEach((lengthBytes, index) => {
    const start = frames.writer.claim(lengthBytes);
    fillRecord(frames.writer.block, start, lengthBytes, type, index);
    if (random(3) === 0) frames.publish();
    if (random(5) === 0) carrier.completeAll(frames);
  });
  frames.publish();
  return carrier.stream;
}

/** Keeps a copy of each record. */
export class CollectingReceiver implements FrameReceiver {
  readonly lengths: number[] = [];
  readonly defects: string[] = [];
  closeRecords = 0;

  onRecord(block: MemoryBlock, start: number, lengthBytes: number): void {
    const defect = recordDefect(block, start, lengthBytes);
    if (defect !== undefined) this.defects.push(defect);
    const seed = block.int32[(start >> 2) + 1]! >>> 8;
    if (seed !== this.lengths.length) this.defects.push(`record ${seed} in place of ${this.lengths.length}`);
    this.lengths.push(lengthBytes);
  }

  onCloseRecord(): void {
    this.closeRecords++;
  }
}
