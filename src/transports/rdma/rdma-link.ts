import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { decodeCloseRecord, encodeCloseRecord } from '../close-record.js';
import { framePayloadBytes } from '../frame.js';
import type { FrameBufferPool, SealedFrame } from '../frame-buffer.js';
import { FrameReader, type FrameReceiver } from '../frame-reader.js';
import { type FrameCarrier, FrameWriter } from '../frame-writer.js';
import type { Hello } from '../hello.js';
import { nextLinkId } from '../link-id.js';
import { MemoryBlock } from '../record.js';
import type { RecordWriter } from '../record-writer.js';
import type { Link, TransportHost, TransportOptions, WireDescription } from '../transport.js';
import { RdmaOneSided } from './one-sided.js';
import type { OperationOwner } from './operations.js';
import { SubmissionKind, violationTexts } from './queues.js';
import { RdmaBuffers } from './rdma-buffers.js';
import type { EndpointOwner, RdmaWorker, RegisteredBlock } from './rdma-worker.js';
import { parseWireDescription } from './wire-description.js';

/** How long a link that was closed here waits for its peer to have read why. */
const lingerMs = 2000;

/** What a link is made of. */
export interface RdmaLinkParts {
  readonly host: TransportHost;
  readonly worker: RdmaWorker;
  readonly options: TransportOptions;
  readonly pool: FrameBufferPool;
  readonly endpoint: number;
  /** What the peer said in its hello. */
  readonly peer: Hello;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly portalUri: string | undefined;
  /** Whether the wire may reach memory without the thread that owns it. */
  readonly isOneSided: boolean;
  /** Whether records are being delivered: what is published meanwhile leaves together, when all have been. */
  isDelivering(): boolean;
  /** The link has something to publish at the end of the delivery. */
  publishLater(link: RdmaLink): void;
  /** Called once, when the link can no longer be used; UCX may need its endpoint for a while yet. */
  onEnded(link: RdmaLink): void;
  /** UCX has let go of the endpoint. */
  onGone(link: RdmaLink): void;
}

/** A link over a UCX endpoint on which both sides have said hello. */
export class RdmaLink implements Link, FrameCarrier, FrameReceiver, EndpointOwner, OperationOwner<SealedFrame> {
  readonly id = nextLinkId();
  readonly writer: RecordWriter;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly portalUri: string | undefined;
  readonly maximumRecordBytes: number;
  readonly sharesMemory = false;
  readonly buffers: RdmaBuffers;
  readonly peerContextId = -1;
  /** The random id of the peer's process, hexadecimal. */
  readonly peerInstanceId: string;
  /** The wire that UCX chose. */
  readonly wireDescription: WireDescription;
  /** Reaches memory at the other end, where the context lets peers do so. */
  readonly oneSided: RdmaOneSided | undefined;
  isOpen = true;
  /** Whether it waits for the end of a delivery to publish. */
  isPublishing = false;

  readonly #parts: RdmaLinkParts;
  readonly #worker: RdmaWorker;
  readonly #frameWriter: FrameWriter;
  readonly #reader: FrameReader;
  /** Frames that came before whoever connected knew of the link. */
  #early: Buffer[] | undefined = [];
  #lingerTimer: Timer | undefined;
  #isClosing = false;

  constructor(parts: RdmaLinkParts) {
    const { options, peer, worker, endpoint } = parts;
    this.#parts = parts;
    this.#worker = worker;
    this.peerAddress = parts.peerAddress;
    this.localAddress = parts.localAddress;
    this.portalUri = parts.portalUri;
    this.peerInstanceId = peer.instanceId;
    this.wireDescription = parseWireDescription(worker.native.describeEndpoint(endpoint));
    const payloadBytes = framePayloadBytes(Math.min(options.frameBytes, peer.maximumRecordBytes));
    this.#frameWriter = new FrameWriter(parts.pool, this, payloadBytes, options.socketBufferBytes);
    this.maximumRecordBytes = this.#frameWriter.maximumRecordBytes;
    this.writer = this.#frameWriter.writer;
    this.#reader = new FrameReader(this);
    this.buffers = new RdmaBuffers(worker, endpoint, this.peerAddress, parts.isDelivering);
    this.oneSided = parts.isOneSided ? new RdmaOneSided(worker, endpoint, this) : undefined;
    worker.setOwner(endpoint, this);
  }

  /** Begins to deliver. Called once, by the transport. */
  start(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    if (early.length === 0) return;
    const { host } = this.#parts;
    host.enterTurn();
    try {
      for (const frame of early) {
        const memory = new ArrayBuffer(frame.length);
        frame.copy(Buffer.from(memory));
        this.onFrame(new MemoryBlock(memory), 0, frame.length);
      }
    } finally {
      host.leaveTurn();
    }
  }

  publish(): void {
    if (this.#parts.isDelivering()) {
      if (this.isPublishing) return;
      this.isPublishing = true;
      this.#parts.publishLater(this);
      return;
    }
    this.#frameWriter.publish();
    this.#worker.flush();
  }

  /** Hands what was published during a delivery to the worker. */
  publishNow(): void {
    this.isPublishing = false;
    if (this.isOpen) this.#frameWriter.publish();
  }

  occupancyBytes(): number {
    return this.#frameWriter.occupancyBytes();
  }

  shareSlab(): void {
    throw noSharedMemory();
  }

  sharedSlab(): undefined {
    throw noSharedMemory();
  }

  forgetSlab(): void {
    throw noSharedMemory();
  }

  close(error?: HeddleError): void {
    if (!this.isOpen) return;
    let reason = error;
    try {
      const record = encodeCloseRecord(error);
      const start = this.#frameWriter.claimBeyondLimit(record.length);
      if (start >= 0) record.copy(this.writer.block.bytes, start);
      this.#frameWriter.publish();
    } catch (cause) {
      // A record was left unfinished by its claimer: what was sealed before it has gone, the rest cannot.
      reason ??= new HeddleError('ERR_HEDDLE_INVALID_STATE', 'the link closed with a record left unfinished', {
        cause,
      });
    }
    // An endpoint that is closed takes along what is still on its way: the peer, once it has read the close record, closes
    // its own, and that is heard here.
    this.#lingerTimer = this.#parts.host.clock.setTimer(lingerMs, () => this.#closeEndpoint(), true);
    this.#worker.flush();
    this.#end(reason);
  }

  // ---- what the frame writer asks for

  /** @inheritdoc */
  carry(first: SealedFrame): void {
    const worker = this.#worker;
    const { endpoint } = this.#parts;
    for (let frame: SealedFrame | undefined = first; frame !== undefined; frame = frame.next) {
      const { memoryId } = frame.buffer.block as RegisteredBlock;
      const { start } = frame;
      worker.submit(SubmissionKind.frame, endpoint, this, frame, memoryId, start, frame.end - start, 0);
    }
  }

  /** @inheritdoc */
  onRoom(): void {
    const { host } = this.#parts;
    host.receiver.onWritable(this);
  }

  /** A frame has left. @inheritdoc */
  onOperationDone(frame: SealedFrame): void {
    this.#frameWriter.completed(frame);
  }

  // ---- what the worker tells

  /** @inheritdoc */
  onFrame(block: MemoryBlock, start: number, lengthBytes: number): void {
    if (!this.isOpen) {
      // A link that lingers reads on for one thing only: that its peer has closed too.
      if (this.#reader.pushFrame(block, start, start + lengthBytes) !== undefined) this.#closeEndpoint();
      return;
    }
    if (this.#early !== undefined) {
      this.#early.push(Buffer.from(block.bytes.subarray(start, start + lengthBytes)));
      return;
    }
    let whole = false;
    try {
      const malformed = this.#reader.pushFrame(block, start, start + lengthBytes);
      if (malformed !== undefined) this.close(malformed);
      whole = true;
    } finally {
      // The receiver threw: the place in the frame is lost, and the link with it.
      if (!whole) this.close(new HeddleError('ERR_HEDDLE_PROTOCOL', 'the receiver of this link failed on a record'));
    }
  }

  /** @inheritdoc */
  onFailed(status: number): void {
    const text = this.#worker.statusText(status);
    this.#lose(`the wire to ${this.peerAddress} broke, or its process died: ${text}`, { ucxStatus: status });
    this.#closeEndpoint();
  }

  /** @inheritdoc */
  onViolation(violation: number): void {
    const what = violationTexts[violation] ?? `violation=${violation}`;
    this.close(
      new HeddleError('ERR_HEDDLE_MALFORMED', `the peer at ${this.peerAddress} broke the protocol: ${what}`, {
        details: { peerAddress: this.peerAddress, violation },
      }),
    );
  }

  onHello(): void {
    this.onViolation(8);
  }

  /** @inheritdoc */
  onClosed(): void {
    this.#lose(`the wire to ${this.peerAddress} was closed`, {});
    this.oneSided?.end();
    this.#parts.onGone(this);
  }

  /** @inheritdoc */
  onRecord(block: MemoryBlock, start: number, lengthBytes: number): void {
    if (this.isOpen) this.#parts.host.receiver.onRecord(this, block, start, lengthBytes);
  }

  /** @inheritdoc */
  onCloseRecord(block: MemoryBlock, start: number, lengthBytes: number): void {
    if (!this.isOpen) {
      this.#closeEndpoint();
      return;
    }
    const cause = decodeCloseRecord(block, start, lengthBytes);
    // Closed in order there is as closed in order here: no error.
    if (cause === undefined) this.#end(undefined);
    else this.#end(this.#disconnected(`the peer at ${this.peerAddress} closed the link: ${cause.message}`, {}, cause));
    this.#closeEndpoint();
  }

  #lose(message: string, details: Record<string, unknown>): void {
    if (this.isOpen) this.#end(this.#disconnected(message, details));
  }

  #disconnected(message: string, details: Record<string, unknown>, cause?: Error): HeddleError {
    return new HeddleError('ERR_HEDDLE_DISCONNECTED', message, {
      cause,
      details: { peerAddress: this.peerAddress, ...details },
    });
  }

  /** The one way out of being open. */
  #end(error: HeddleError | undefined): void {
    this.isOpen = false;
    this.#early = undefined;
    this.#frameWriter.close();
    this.#parts.onEnded(this);
    this.#parts.host.receiver.onLinkClosed(this, error);
  }

  #closeEndpoint(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#lingerTimer?.cancel();
    this.#worker.submitClose(this.#parts.endpoint);
    if (!this.#parts.isDelivering()) this.#worker.flush();
  }
}

function noSharedMemory(): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_INVALID_STATE',
    'an rdma link cannot share memory: look at link.sharesMemory first, and send the bytes',
  );
}
