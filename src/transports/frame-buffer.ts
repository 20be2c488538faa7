import { MemoryBlock } from './record.js';

/** Memory that outgoing frames are written into. It holds as many frames as fit, one after another. */
export class FrameBuffer {
  readonly block: MemoryBlock;
  readonly capacityBytes: number;
  /** Frames in this buffer that were sealed and whose sending has not ended. */
  framesInFlight = 0;

  constructor(block: MemoryBlock, capacityBytes: number) {
    this.block = block;
    this.capacityBytes = capacityBytes;
  }
}

/** A sealed frame on its way out. */
export class SealedFrame {
  readonly buffer: FrameBuffer;
  /** Byte offset of the frame's header in the buffer's block. */
  readonly start: number;
  /** Byte offset of the frame's end. */
  readonly end: number;
  /** The frame sealed next: links the frames of a queue without an array. */
  next: SealedFrame | undefined = undefined;

  constructor(buffer: FrameBuffer, start: number, end: number) {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
  }
}

/**
 * Buffers of one size, shared by the links of a context: a link holds one only while it has something to send. The
 * pool itself never refuses, what bounds it is what each link may have waiting.
 */
export class FrameBufferPool {
  readonly capacityBytes: number;
  readonly #free: FrameBuffer[] = [];
  readonly #maximumFree: number;
  readonly #allocate: (lengthBytes: number) => MemoryBlock;
  readonly #release: ((block: MemoryBlock) => void) | undefined;

  /**
   * @param capacityBytes bytes of each buffer, a multiple of 8
   * @param retainedBytes how much unused memory the pool keeps at the most
   * @param allocate where the memory comes from; memory that a device knows for one
   * @param release told of memory that the pool lets go of
   */
  constructor(
    capacityBytes: number,
    retainedBytes = 4 * 1024 * 1024,
    allocate: (lengthBytes: number) => MemoryBlock = (lengthBytes) => new MemoryBlock(new ArrayBuffer(lengthBytes)),
    release?: (block: MemoryBlock) => void,
  ) {
    this.capacityBytes = capacityBytes;
    this.#maximumFree = Math.max(1, Math.floor(retainedBytes / capacityBytes));
    this.#allocate = allocate;
    this.#release = release;
  }

  /** Buffers that lie unused in the pool. */
  get freeCount(): number {
    return this.#free.length;
  }

  take(): FrameBuffer {
    return this.#free.pop() ?? new FrameBuffer(this.#allocate(this.capacityBytes), this.capacityBytes);
  }

  /** Takes back a buffer that nothing refers to any more. */
  recycle(buffer: FrameBuffer): void {
    if (this.#free.length < this.#maximumFree) this.#free.push(buffer);
    else this.#release?.(buffer.block);
  }
}
