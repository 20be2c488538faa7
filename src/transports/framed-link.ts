import { HeddleError } from '../errors.js';
import { framePayloadBytes } from './frame.js';
import type { FrameBufferPool, SealedFrame } from './frame-buffer.js';
import { FrameReader, type FrameReceiver } from './frame-reader.js';
import { type FrameCarrier, FrameWriter } from './frame-writer.js';
import type { Hello } from './hello.js';
import { nextLinkId } from './link-id.js';
import type { MemoryBlock } from './record.js';
import type { RecordWriter } from './record-writer.js';
import type { Link, TransportHost, TransportOptions, WireDescription } from './transport.js';

/** What every link that sends frames is made of. */
export interface FramedLinkParts {
  readonly host: TransportHost;
  readonly options: TransportOptions;
  readonly pool: FrameBufferPool;
  /** What the peer said in its hello. */
  readonly peer: Hello;
  readonly portalUri: string | undefined;
}

/** A link whose records go to another process, in frames. What carries the frames is its subclass's. */
export abstract class FramedLink implements Link, FrameCarrier, FrameReceiver {
  readonly id = nextLinkId();
  readonly writer: RecordWriter;
  readonly portalUri: string | undefined;
  readonly maximumRecordBytes: number;
  readonly sharesMemory = false;
  readonly peerContextId = -1;
  readonly peerInstanceId: string;
  abstract readonly peerAddress: string;
  abstract readonly localAddress: string;
  abstract readonly wireDescription: WireDescription;
  isOpen = true;
  protected readonly host: TransportHost;
  protected readonly frameWriter: FrameWriter;
  protected readonly reader: FrameReader;

  constructor({ host, options, pool, peer, portalUri }: FramedLinkParts) {
    this.host = host;
    this.portalUri = portalUri;
    this.peerInstanceId = peer.instanceId;
    const payloadBytes = framePayloadBytes(Math.min(options.frameBytes, peer.maximumRecordBytes));
    this.frameWriter = new FrameWriter(pool, this, payloadBytes, options.socketBufferBytes);
    this.maximumRecordBytes = this.frameWriter.maximumRecordBytes;
    this.writer = this.frameWriter.writer;
    this.reader = new FrameReader(this);
  }

  abstract publish(): void;
  abstract close(error?: HeddleError): void;
  /** {@link FrameCarrier} */
  abstract carry(first: SealedFrame, count: number): void;
  /** {@link FrameCarrier} */
  abstract onRoom(): void;
  /** {@link FrameReceiver} */
  abstract onRecord(block: MemoryBlock, start: number, lengthBytes: number): void;
  /** {@link FrameReceiver} */
  abstract onCloseRecord(block: MemoryBlock, start: number, lengthBytes: number): void;

  occupancyBytes(): number {
    return this.frameWriter.occupancyBytes();
  }

  shareSlab(): void {
    throw this.#noSharedMemory();
  }

  sharedSlab(): undefined {
    throw this.#noSharedMemory();
  }

  forgetSlab(): void {
    throw this.#noSharedMemory();
  }

  protected disconnected(message: string, details: Record<string, unknown>, cause?: Error): HeddleError {
    return new HeddleError('ERR_HEDDLE_DISCONNECTED', message, {
      cause,
      details: { peerAddress: this.peerAddress, ...details },
    });
  }

  #noSharedMemory(): HeddleError {
    return new HeddleError(
      'ERR_HEDDLE_INVALID_STATE',
      `the link to ${this.peerAddress} cannot share memory: look at link.sharesMemory first, and send the bytes`,
    );
  }
}
