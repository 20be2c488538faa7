import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { decodeCloseRecord } from '../close-record.js';
import type { SealedFrame } from '../frame-buffer.js';
import { FramedLink, type FramedLinkParts } from '../framed-link.js';
import { MemoryBlock } from '../record.js';
import type { WireDescription } from '../transport.js';
import { RdmaOneSided } from './one-sided.js';
import type { OperationOwner } from './operations.js';
import { repeatedHello, SubmissionKind, violationTexts } from './queues.js';
import { RdmaBuffers } from './rdma-buffers.js';
import type { EndpointOwner, RdmaWorker, RegisteredBlock } from './rdma-worker.js';
import { parseWireDescription, reachesMemory } from './wire-description.js';

/** How long a link that was closed here waits for its peer to have read why. */
const lingerMs = 2000;

/** What a link is made of. */
export interface RdmaLinkParts extends FramedLinkParts {
  readonly worker: RdmaWorker;
  readonly endpoint: number;
  readonly peerAddress: string;
  readonly localAddress: string;
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
export class RdmaLink extends FramedLink implements EndpointOwner, OperationOwner<SealedFrame> {
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly buffers: RdmaBuffers;
  /** The wire that UCX chose. It lets no message through before both ends have made all of their lanes: hellos have been said. */
  readonly wireDescription: WireDescription;
  /** Reaches memory at the other end, where the context wants that and a device does it. */
  readonly oneSided: RdmaOneSided | undefined;
  /** Whether it waits for the end of a delivery to publish. */
  isPublishing = false;

  readonly #parts: RdmaLinkParts;
  readonly #worker: RdmaWorker;
  /** Frames that came before whoever connected knew of the link. */
  #early: Buffer[] | undefined = [];
  #lingerTimer: Timer | undefined;
  #isClosing = false;

  constructor(parts: RdmaLinkParts) {
    super(parts);
    const { worker, endpoint } = parts;
    this.#parts = parts;
    this.#worker = worker;
    this.peerAddress = parts.peerAddress;
    this.localAddress = parts.localAddress;
    this.wireDescription = parseWireDescription(worker.native.describeEndpoint(endpoint));
    this.buffers = new RdmaBuffers(worker, endpoint, this.peerAddress, parts.isDelivering);
    const isOneSided = worker.isOneSided && reachesMemory(this.wireDescription);
    this.oneSided = isOneSided ? new RdmaOneSided(worker, endpoint, this) : undefined;
    worker.setOwner(endpoint, this);
  }

  /** Begins to deliver. Called once, by the transport. */
  start(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    if (early.length === 0) return;
    const { host } = this;
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
    this.frameWriter.publish();
    this.#worker.flush();
  }

  /** Hands what was published during a delivery to the worker. */
  publishNow(): void {
    this.isPublishing = false;
    if (this.isOpen) this.frameWriter.publish();
  }

  close(error?: HeddleError): void {
    if (!this.isOpen) return;
    const reason = this.frameWriter.publishClose(error);
    // An endpoint that is closed takes along what is still on its way: the peer, once it has read the close record, closes
    // its own, and that is heard here.
    this.#lingerTimer = this.host.clock.setTimer(lingerMs, () => this.#closeEndpoint(), true);
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
    const { host } = this;
    host.receiver.onWritable(this);
  }

  /** A frame has left. @inheritdoc */
  onOperationDone(frame: SealedFrame): void {
    this.frameWriter.completed(frame);
  }

  // ---- what the worker tells

  /** @inheritdoc */
  onFrame(block: MemoryBlock, start: number, lengthBytes: number): void {
    if (!this.isOpen) {
      // A link that lingers reads on for one thing only: that its peer has closed too.
      if (this.reader.pushFrame(block, start, start + lengthBytes) !== undefined) this.#closeEndpoint();
      return;
    }
    if (this.#early !== undefined) {
      this.#early.push(Buffer.from(block.bytes.subarray(start, start + lengthBytes)));
      return;
    }
    let whole = false;
    try {
      const malformed = this.reader.pushFrame(block, start, start + lengthBytes);
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
    this.onViolation(repeatedHello);
  }

  /** @inheritdoc */
  onClosed(): void {
    this.#lose(`the wire to ${this.peerAddress} was closed`, {});
    this.oneSided?.end();
    this.#parts.onGone(this);
  }

  /** @inheritdoc */
  onRecord(block: MemoryBlock, start: number, lengthBytes: number): void {
    if (this.isOpen) this.host.receiver.onRecord(this, block, start, lengthBytes);
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
    else this.#end(this.disconnected(`the peer at ${this.peerAddress} closed the link: ${cause.message}`, {}, cause));
    this.#closeEndpoint();
  }

  #lose(message: string, details: Record<string, unknown>): void {
    if (this.isOpen) this.#end(this.disconnected(message, details));
  }

  /** The one way out of being open. */
  #end(error: HeddleError | undefined): void {
    this.isOpen = false;
    this.#early = undefined;
    this.frameWriter.close();
    this.#parts.onEnded(this);
    this.host.receiver.onLinkClosed(this, error);
  }

  #closeEndpoint(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#lingerTimer?.cancel();
    this.#worker.submitClose(this.#parts.endpoint);
    if (!this.#parts.isDelivering()) this.#worker.flush();
  }
}
