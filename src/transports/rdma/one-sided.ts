import { HeddleError } from '../../errors.js';
import type { ExposedMemory, OneSidedWire, RemoteMemory, RemoteTransfer } from '../transport.js';
import type { OperationOwner } from './operations.js';
import { SubmissionKind } from './queues.js';
import type { RdmaWorker, RegisteredBlock } from './rdma-worker.js';

/** Bytes that are moved at a time, by way of a block that UCX knows. */
const pieceBytes = 256 * 1024;
/** Blocks of a link: as many pieces are under way at a time. */
const maximumBlocks = 4;
/** The longest key that is believed to be one of UCX's. */
const maximumKeyBytes = 1024;
/** Instead of a key that UCX could not use. */
const noKey = -1;

/** What one-sided operations need of their link. */
interface OneSidedLink {
  readonly isOpen: boolean;
  readonly peerAddress: string;
}

/** A read or write. */
class Transfer implements RemoteTransfer {
  readonly memory: AttachedMemory;
  readonly kind: number;
  readonly offset: number;
  readonly onEnd: (error?: HeddleError) => void;
  readonly lengthBytes: number;
  /** The user's bytes; undefined when nobody waits any more. */
  bytes: Uint8Array | undefined;
  startedBytes = 0;
  piecesUnderWay = 0;
  isFlushing = false;
  failure: HeddleError | undefined;

  constructor(memory: AttachedMemory, kind: number, offset: number, bytes: Uint8Array, onEnd: Transfer['onEnd']) {
    this.memory = memory;
    this.kind = kind;
    this.offset = offset;
    this.bytes = bytes;
    this.lengthBytes = bytes.length;
    this.onEnd = onEnd;
  }

  abandon(): void {
    this.bytes = undefined;
  }
}

/** One piece of a transfer, on its way through a block. */
interface Piece {
  readonly transfer: Transfer;
  /** Undefined for the flush that follows the last piece of a write. */
  readonly block: RegisteredBlock | undefined;
  readonly start: number;
  readonly length: number;
}

/**
 * Reads and writes memory at the other end of one link by UCX's get and put. Bytes of the user's go through a few blocks
 * that are registered once, since registering memory costs more than copying it.
 */
export class RdmaOneSided implements OneSidedWire, OperationOwner<Piece> {
  readonly #worker: RdmaWorker;
  readonly #endpoint: number;
  readonly #link: OneSidedLink;
  readonly #exposed = new Set<Exposure>();
  readonly #transfers = new Set<Transfer>();
  /** Transfers with pieces that have not been started, in turns. */
  #waiting: Transfer[] = [];
  readonly #freeBlocks: RegisteredBlock[] = [];
  #blocks = 0;
  #hasEnded = false;

  constructor(worker: RdmaWorker, endpoint: number, link: OneSidedLink) {
    this.#worker = worker;
    this.#endpoint = endpoint;
    this.#link = link;
  }

  expose(bytes: Uint8Array, onReleased: () => void): ExposedMemory | undefined {
    if (this.#hasEnded || bytes.length === 0) return undefined;
    const { native } = this.#worker;
    let id = -1;
    try {
      id = native.registerMemory(bytes);
      const exposure = new Exposure(this, id, native.memoryAddress(id), native.packKey(id), onReleased);
      this.#exposed.add(exposure);
      return exposure;
    } catch {
      // The memory that may be locked is used up: records serve as well.
      if (id >= 0) native.unregisterMemory(id);
      return undefined;
    }
  }

  attach(address: bigint, key: Uint8Array): RemoteMemory {
    let id = noKey;
    if (this.isUsable && key.length > 0 && key.length <= maximumKeyBytes) {
      try {
        id = this.#worker.native.unpackKey(this.#endpoint, key);
      } catch {
        // Records serve as well.
      }
    }
    return new AttachedMemory(this, address, id);
  }

  get isUsable(): boolean {
    return this.#link.isOpen && !this.#hasEnded;
  }

  // ---- what the peer reaches here

  releaseExposure(exposure: Exposure): void {
    if (!this.#exposed.delete(exposure)) return;
    if (!this.#worker.isClosed) this.#worker.native.unregisterMemory(exposure.memoryId);
    exposure.onReleased();
  }

  // ---- what is reached there

  releaseKey(key: number): void {
    if (key !== noKey && !this.#hasEnded && !this.#worker.isClosed) this.#worker.native.releaseKey(this.#endpoint, key);
  }

  start(
    memory: AttachedMemory,
    kind: number,
    offset: number,
    bytes: Uint8Array,
    onEnd: Transfer['onEnd'],
  ): RemoteTransfer {
    const transfer = new Transfer(memory, kind, offset, bytes, onEnd);
    if (bytes.length === 0 || !this.isUsable) {
      onEnd(this.isUsable ? undefined : this.#lostError());
      return transfer;
    }
    this.#transfers.add(transfer);
    this.#waiting.push(transfer);
    this.#startPieces();
    return transfer;
  }

  #startPieces(): void {
    while (this.#waiting.length > 0 && this.isUsable && !this.#worker.isClosed) {
      const block = this.#takeBlock();
      if (block === undefined) break;
      const transfer = this.#waiting.shift() as Transfer;
      const { kind, memory, bytes, lengthBytes, startedBytes: start } = transfer;
      if (bytes === undefined || bytes.length !== lengthBytes) {
        // Nobody waits for it any more, or the program has given its bytes away.
        this.#freeBlocks.push(block);
        transfer.startedBytes = lengthBytes;
        if (transfer.piecesUnderWay === 0) this.#finish(transfer);
        continue;
      }
      const length = Math.min(pieceBytes, lengthBytes - start);
      transfer.startedBytes += length;
      if (kind === SubmissionKind.put) block.bytes.set(bytes.subarray(start, start + length));
      const piece: Piece = { transfer, block, start, length };
      this.#submit(piece, kind, block.memoryId, length, memory.key, memory.address + BigInt(transfer.offset + start));
      if (transfer.startedBytes < lengthBytes) this.#waiting.push(transfer);
    }
    this.#worker.flush();
  }

  #submit(piece: Piece, kind: number, memoryId: number, length: number, key: number, address: bigint): void {
    piece.transfer.piecesUnderWay++;
    this.#worker.submitRemote(kind, this.#endpoint, this, piece, memoryId, length, key, address);
  }

  #takeBlock(): RegisteredBlock | undefined {
    const free = this.#freeBlocks.pop();
    if (free !== undefined || this.#blocks === maximumBlocks) return free;
    this.#blocks++;
    return this.#worker.allocateBlock(pieceBytes);
  }

  /** A piece has ended, or a flush. {@link OperationOwner} */
  onOperationDone({ transfer, block, start, length }: Piece, status: number): void {
    transfer.piecesUnderWay--;
    if (status !== 0 && transfer.failure === undefined) {
      transfer.failure = this.#failure(status);
      transfer.startedBytes = transfer.lengthBytes;
      this.#waiting = this.#waiting.filter((one) => one !== transfer);
    }
    if (block !== undefined) {
      const { bytes, lengthBytes } = transfer;
      // The program may have given its bytes away meanwhile: that harms nobody but itself.
      if (status === 0 && transfer.kind === SubmissionKind.get && bytes?.length === lengthBytes) {
        bytes.set(block.bytes.subarray(0, length), start);
      }
      if (this.#hasEnded) this.#worker.freeBlock(block);
      else this.#freeBlocks.push(block);
    }
    if (transfer.startedBytes === transfer.lengthBytes && transfer.piecesUnderWay === 0) {
      // A put has ended when its memory is free again; only the flush tells that its bytes have arrived.
      const isDone = transfer.kind === SubmissionKind.get || transfer.isFlushing || transfer.failure !== undefined;
      if (isDone) this.#finish(transfer, transfer.failure);
      else if (!this.isUsable) this.#finish(transfer, this.#lostError());
      else {
        transfer.isFlushing = true;
        this.#submit({ transfer, block: undefined, start: 0, length: 0 }, SubmissionKind.flush, -1, 0, 0, 0n);
      }
    }
    if (!this.#hasEnded) this.#startPieces();
  }

  #finish(transfer: Transfer, error?: HeddleError): void {
    if (!this.#transfers.delete(transfer)) return;
    this.#waiting = this.#waiting.filter((one) => one !== transfer);
    transfer.onEnd(error);
  }

  #failure(status: number): HeddleError {
    const text = this.#worker.statusText(status);
    return new HeddleError(
      'ERR_HEDDLE_DISCONNECTED',
      `an operation on the memory of ${this.#link.peerAddress} failed: ${text}; it may have been done in part`,
      { details: { ucxStatus: status } },
    );
  }

  #lostError(): HeddleError {
    return new HeddleError('ERR_HEDDLE_DISCONNECTED', `the wire to ${this.#link.peerAddress} is lost`);
  }

  /** UCX has let go of the endpoint: nothing reaches memory by it any more, either way. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    for (const transfer of [...this.#transfers]) this.#finish(transfer, this.#lostError());
    for (const block of this.#freeBlocks.splice(0)) this.#worker.freeBlock(block);
    for (const exposure of [...this.#exposed]) this.releaseExposure(exposure);
  }
}

/** Memory of this side, and the key to it. */
class Exposure implements ExposedMemory {
  readonly memoryId: number;
  readonly address: bigint;
  readonly key: Uint8Array;
  readonly onReleased: () => void;
  readonly #wire: RdmaOneSided;

  constructor(wire: RdmaOneSided, memoryId: number, address: bigint, key: Uint8Array, onReleased: () => void) {
    this.#wire = wire;
    this.memoryId = memoryId;
    this.address = address;
    this.key = key;
    this.onReleased = onReleased;
  }

  release(): void {
    this.#wire.releaseExposure(this);
  }
}

/** Memory of the peer. */
class AttachedMemory implements RemoteMemory {
  readonly address: bigint;
  readonly key: number;
  readonly #wire: RdmaOneSided;

  constructor(wire: RdmaOneSided, address: bigint, key: number) {
    this.#wire = wire;
    this.address = address;
    this.key = key;
  }

  get isUsable(): boolean {
    return this.key !== noKey && this.#wire.isUsable;
  }

  read(offset: number, target: Uint8Array, onEnd: (error?: HeddleError) => void): RemoteTransfer {
    return this.#wire.start(this, SubmissionKind.get, offset, target, onEnd);
  }

  write(offset: number, data: Uint8Array, onEnd: (error?: HeddleError) => void): RemoteTransfer {
    return this.#wire.start(this, SubmissionKind.put, offset, data, onEnd);
  }

  release(): void {
    this.#wire.releaseKey(this.key);
  }
}
