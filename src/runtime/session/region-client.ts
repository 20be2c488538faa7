import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import { RegionOperation } from '../memory/region-memory.js';
import { messageHeaderBytes, RecordKind } from '../message/message-layout.js';
import type { PendingRequests, RequestOwner } from './pending-requests.js';
import type { RecordPlacer } from './record-placer.js';
import {
  maximumPieceBytes,
  RegionAbility,
  RegionCode,
  RegionStatus,
  regionBodyBytes,
  regionField,
  windowBytes,
  windowRecords,
} from './region-layout.js';
import type { SessionHost } from './session-host.js';

/** Operations that may be under way or wait on one connection. */
const maximumOperations = 65_536;

/** What is asked of the owner of a region. Settled exactly once, by one of the two. */
export interface RegionQuestion {
  readonly code: number;
  /** The first words of the body: a grant; or of an open, the slot, the generation, and whether the memory is known. */
  readonly grant: number;
  readonly generation?: number;
  readonly hasMemory?: boolean;
  readonly offset: number;
  readonly lengthBytes: number;
  /** Where read bytes go, or written bytes are; the numbers of an atomic operation; the key of an open. */
  readonly bytes: Uint8Array | undefined;
  readonly operand: bigint;
  readonly expected: bigint;
  /** `before` is the number that was there. Of an open, `answer` is the whole body and what follows it, else empty. */
  onDone(before: bigint, answer: Buffer): void;
  onError(error: HeddleError): void;
}

const noAnswer = Buffer.alloc(0);

/** What waits for a deadline: an operation. */
export interface OperationWaiter {
  readonly question: RegionQuestion;
}

/** A question under way. */
interface Operation {
  id: number;
  readonly question: RegionQuestion;
  /** Bytes asked for, and bytes answered. */
  asked: number;
  done: number;
  isBegun: boolean;
}

/**
 * The asking side of regions on one connection: cuts operations into pieces, keeps to the window, and settles each
 * operation once, by its last answer, a refusal, its deadline, a cancel, or the loss of the connection. Operations take
 * turns, piece by piece, so that a small one does not wait for a large one before it.
 */
export class RegionClient implements RequestOwner<OperationWaiter> {
  pendingRequests = 0;
  readonly #host: SessionHost;
  readonly #placer: RecordPlacer;
  readonly #pending: PendingRequests<OperationWaiter>;
  readonly #onWaiting: () => void;
  /** Answers of the owner to nothing that was asked: the end of a grant. */
  readonly #onRevoked: (grant: number) => void;
  /** An answer to an open that nobody waits for any more. */
  readonly #onUnwanted: (answer: Buffer) => void;
  readonly #operations = new Map<number, Operation>();
  /** Operations with pieces that have not been asked for. */
  #waiting: Operation[] = [];
  /** Grants to be given back. */
  #closing: number[] = [];
  readonly #body = Buffer.alloc(regionBodyBytes);
  /** Asked for on this link and not answered. */
  #openRecords = 0;
  #openBytes = 0;

  constructor(
    host: SessionHost,
    placer: RecordPlacer,
    handlers: { onWaiting(): void; onRevoked(grant: number): void; onUnwanted(answer: Buffer): void },
  ) {
    this.#host = host;
    this.#placer = placer;
    this.#pending = host.regionOperations;
    this.#onWaiting = handlers.onWaiting;
    this.#onRevoked = handlers.onRevoked;
    this.#onUnwanted = handlers.onUnwanted;
  }

  /** Asks; returns the id by which {@link cancel} knows the operation. */
  ask(question: RegionQuestion, timeoutMs: number): number {
    if (this.#operations.size >= maximumOperations) {
      throw new HeddleError(
        'ERR_HEDDLE_SEND_QUEUE_FULL',
        `operations=${this.#operations.size} on regions are under way on this connection, the most there can be: wait ` +
          'for some of them first',
        { details: { operations: this.#operations.size } },
      );
    }
    const operation: Operation = { id: 0, question, asked: 0, done: 0, isBegun: false };
    operation.id = this.#pending.add(this, operation, timeoutMs);
    this.#operations.set(operation.id, operation);
    this.#waiting.push(operation);
    this.#host.stayAwake();
    this.#onWaiting();
    return operation.id;
  }

  /** Gives an operation up; answers to it are ignored. */
  cancel(id: number, error: HeddleError): void {
    const operation = this.#take(id);
    operation?.question.onError(error);
  }

  /** Gives a grant back. Not answered. */
  close(grant: number): void {
    this.#closing.push(grant);
    this.#onWaiting();
  }

  #take(id: number): Operation | undefined {
    const operation = this.#operations.get(id);
    if (operation === undefined) return undefined;
    this.#operations.delete(id);
    this.#pending.take(this, id);
    if (!operation.isBegun || operation.asked < operation.question.lengthBytes) {
      this.#waiting = this.#waiting.filter((one) => one !== operation);
    }
    return operation;
  }

  /** {@link RequestOwner} */
  onDeadline(id: number, waiter: OperationWaiter): void {
    this.#operations.delete(id);
    this.#waiting = this.#waiting.filter((one) => one !== waiter);
    waiter.question.onError(
      new HeddleError(
        'ERR_HEDDLE_TIMEOUT',
        'the owner of the region did not answer in time: its thread is busy, the wire is slow, or timeoutMs is too short',
      ),
    );
  }

  // ---- asking

  /** Places requests, at most `limit`, as far as window and room allow. Returns whether any was placed. */
  place(limit: number): boolean {
    let placed = 0;
    while (this.#closing.length > 0 && placed < limit) {
      this.#body.fill(0).writeInt32LE(this.#closing[0], regionField.grant);
      if (!this.#placer.place(RecordKind.regionRequest, RegionCode.close, 0, this.#body, undefined, false)) break;
      this.#closing.shift();
      placed++;
    }
    while (this.#waiting.length > 0 && placed < limit && this.#openRecords < windowRecords) {
      const operation = this.#waiting[0];
      const { code, lengthBytes } = operation.question;
      const room = this.#placer.wire.link.maximumRecordBytes - messageHeaderBytes - regionBodyBytes;
      const piece = Math.min(lengthBytes - operation.asked, maximumPieceBytes, room);
      const isData = code === RegionOperation.read || code === RegionOperation.write;
      if (isData && this.#openBytes > 0 && this.#openBytes + piece > windowBytes) break;
      if (!this.#placePiece(operation, piece)) break;
      placed++;
      this.#openRecords++;
      if (isData) this.#openBytes += piece;
      operation.isBegun = true;
      operation.asked += piece;
      this.#waiting.shift();
      if (operation.asked < lengthBytes) this.#waiting.push(operation);
    }
    return placed > 0;
  }

  #placePiece({ id, question, asked }: Operation, piece: number): boolean {
    const { code, bytes } = question;
    const body = this.#body.fill(0);
    body.writeInt32LE(question.grant, regionField.grant);
    let data: Uint8Array | undefined;
    if (code === RegionCode.open) {
      body.writeInt32LE(question.generation ?? 0, regionField.generation);
      // Of the link that the answer comes by: another one may have been there when it was asked.
      const { oneSided } = this.#placer.wire.link;
      const abilities = (question.hasMemory ? RegionAbility.hasMemory : 0) | (oneSided ? RegionAbility.oneSided : 0);
      body.writeInt32LE(abilities, regionField.abilities);
      body.set(bytes as Uint8Array, regionField.key);
    } else {
      body.writeInt32LE(question.offset + asked, regionField.offset);
      body.writeInt32LE(piece, regionField.length);
      body.writeBigInt64LE(question.operand, regionField.operand);
      body.writeBigInt64LE(question.expected, regionField.expected);
      if (code === RegionOperation.write) data = (bytes as Uint8Array).subarray(asked, asked + piece);
    }
    return this.#placer.place(RecordKind.regionRequest, code, id, body, data, false);
  }

  // ---- being answered

  /** An answer of the owner. Throws what closes the link, when it breaks the protocol. */
  onAnswer(code: number, reference: number, block: MemoryBlock, start: number, lengthBytes: number): void {
    const { bytes } = block;
    const body = start + messageHeaderBytes;
    const end = start + lengthBytes;
    if (body + regionBodyBytes > end) throw protocolError(`an answer of ${lengthBytes} bytes is too short`);
    const offset = bytes.readInt32LE(body + regionField.offset);
    if (code === RegionCode.revoked) {
      this.#onRevoked(offset);
      return;
    }
    const status = bytes.readInt32LE(body + regionField.status);
    const length = bytes.readInt32LE(body + regionField.length);
    if (this.#openRecords === 0) throw protocolError(`an answer to operation=${code} that was not asked for`);
    this.#openRecords--;
    if (code === RegionOperation.read || code === RegionOperation.write) {
      if (length < 0 || length > this.#openBytes) throw protocolError(`an answer of length=${length}`);
      this.#openBytes -= length;
    }
    const operation = this.#operations.get(reference);
    const isOpen = code === RegionCode.open;
    const answer = isOpen ? Buffer.from(bytes.subarray(body, end)) : noAnswer;
    if (operation === undefined) {
      if (isOpen && status === RegionStatus.done) this.#onUnwanted(answer);
    } else if (operation.question.code !== code) {
      throw protocolError(`an answer to operation=${code} where operation=${operation.question.code} was asked for`);
    } else if (status !== RegionStatus.done) {
      this.#take(reference);
      operation.question.onError(statusError(status));
    } else {
      if (code === RegionOperation.read)
        takePiece(operation, offset, bytes.subarray(body + regionBodyBytes, end), length);
      operation.done += length;
      if (isOpen || operation.done >= operation.question.lengthBytes) {
        this.#take(reference);
        operation.question.onDone(bytes.readBigInt64LE(body + regionField.value), answer);
      }
    }
    if (this.#waiting.length > 0) this.#onWaiting();
  }

  /** The link was lost: what was asked for on it may have been done or not; what was not begun waits for the next link. */
  interrupt(cause: HeddleError): void {
    this.#openRecords = 0;
    this.#openBytes = 0;
    for (const operation of [...this.#operations.values()]) {
      if (!operation.isBegun) continue;
      this.#take(operation.id);
      operation.question.onError(
        new HeddleError(
          'ERR_HEDDLE_DISCONNECTED',
          `the link was lost while an operation on a region was under way; it may have been done or not: ${cause.message}`,
          { cause },
        ),
      );
    }
  }

  /** The connection has ended. */
  end(error: HeddleError): void {
    this.#closing = [];
    for (const operation of [...this.#operations.values()]) {
      this.#take(operation.id);
      operation.question.onError(error);
    }
  }
}

/** Puts a piece of what was read where it belongs: into bytes of the user's, at a place that was asked for. */
function takePiece({ question, asked }: Operation, offset: number, piece: Uint8Array, length: number): void {
  const at = offset - question.offset;
  if (piece.length !== length || at < 0 || at + length > asked) {
    throw protocolError(`bytes that were not asked for: offset=${offset} length=${length} bytes=${piece.length}`);
  }
  const target = question.bytes as Uint8Array;
  // The program may have given its buffer away meanwhile: that harms nobody but itself.
  if (target.length === question.lengthBytes) target.set(piece, at);
}

function statusError(status: number): HeddleError {
  switch (status) {
    case RegionStatus.unknown:
      return new HeddleError(
        'ERR_HEDDLE_REGION_UNKNOWN',
        'the owner has no region for this handle: it was revoked, or is not one that this owner gave; ask for a new one',
      );
    case RegionStatus.revoked:
      return new HeddleError(
        'ERR_HEDDLE_REGION_REVOKED',
        'the region was revoked by its owner: ask the owner for a new handle',
      );
    case RegionStatus.denied:
      return new HeddleError(
        'ERR_HEDDLE_REGION_DENIED',
        'the owner does not grant that: it has to export the region with the right for it',
      );
    case RegionStatus.tooMany:
      return new HeddleError(
        'ERR_HEDDLE_OUT_OF_MEMORY',
        'this connection has as many regions of its peer open as it may: close some, or make one large region of many',
      );
    default:
      return new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `the owner refused the operation: it lies outside of the region, or not at a multiple of its size (status=${status})`,
      );
  }
}

function protocolError(what: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer sent, about a region, ${what}`);
}
