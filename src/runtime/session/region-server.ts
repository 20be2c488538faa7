import { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { ExposedMemory } from '../../transports/transport.js';
import { atomicBytes, RegionOperation, rightFor } from '../memory/region-memory.js';
import type { Region, RegionHolder } from '../memory/region-table.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import { messageHeaderBytes, RecordKind } from '../message/message-layout.js';
import type { RecordPlacer } from './record-placer.js';
import {
  maximumGrants,
  maximumPieceBytes,
  RegionAbility,
  RegionCode,
  RegionStatus,
  regionBodyBytes,
  regionField,
  regionMemoryBytes,
  windowRecords,
} from './region-layout.js';
import type { SessionHost } from './session-host.js';

/** A region that the peer has opened, and the number by which it asks for it. */
class Grant implements RegionHolder {
  readonly number: number;
  readonly region: Region;
  readonly #server: RegionServer;
  /** The region's memory, where the peer's wire reaches it by itself. */
  exposed: ExposedMemory | undefined;

  constructor(server: RegionServer, number: number, region: Region) {
    this.#server = server;
    this.number = number;
    this.region = region;
    region.open(this);
  }

  onRevoked(): void {
    this.#server.onRevoked(this);
  }
}

/** An answer, until it has found room in the link. */
interface Answer {
  readonly code: number;
  readonly reference: number;
  readonly status: number;
  readonly grant: Grant | undefined;
  readonly offset: number;
  readonly length: number;
  /** The number that was there; of an open, what the peer can do. */
  readonly value: bigint;
}

/** More than a peer that keeps to its window can have unanswered. */
const maximumAnswers = 2 * windowRecords;

/**
 * The owner's side of regions on one connection: what the peer has opened, and the carrying out of what it asks, in the
 * owner's turn and by none of the program's code.
 */
export class RegionServer {
  readonly #host: SessionHost;
  readonly #placer: RecordPlacer;
  readonly #onWaiting: () => void;
  readonly #grants = new Map<number, Grant>();
  /** Grants of regions that were revoked, until the peer's wire has done with their memory. */
  readonly #ending = new Map<number, Grant>();
  /** Numbers are not given twice: a late request for a grant that was closed must not find another region. */
  #nextGrant = 1;
  readonly #body = Buffer.alloc(regionBodyBytes);
  #answers: Answer[] = [];
  /** Answers that wait and that the peer asked for. */
  #asked = 0;

  /** `onWaiting` is called when there is something to {@link place}. */
  constructor(host: SessionHost, placer: RecordPlacer, onWaiting: () => void) {
    this.#host = host;
    this.#placer = placer;
    this.#onWaiting = onWaiting;
  }

  /** A request of the peer. Throws what closes the link, when it breaks the protocol. */
  onRequest(code: number, reference: number, block: MemoryBlock, start: number, lengthBytes: number): void {
    const bytes = block.bytes;
    const body = start + messageHeaderBytes;
    const end = start + lengthBytes;
    if (body + regionBodyBytes > end) throw malformed(`a request of ${lengthBytes} bytes is too short`);
    if (this.#asked >= maximumAnswers) {
      throw new HeddleError(
        'ERR_HEDDLE_PROTOCOL',
        `the peer asks for more of regions than its window allows: unanswered=${this.#asked}`,
      );
    }
    if (code === RegionCode.open) {
      this.#open(reference, bytes, body);
      return;
    }
    const number = bytes.readInt32LE(body + regionField.grant);
    const grant = this.#grants.get(number);
    if (code === RegionCode.close) {
      this.#close(grant ?? this.#ending.get(number));
      return;
    }
    const offset = bytes.readInt32LE(body + regionField.offset);
    const length = bytes.readInt32LE(body + regionField.length);
    const status = this.#check(code, grant?.region, offset, length);
    let value = 0n;
    if (grant !== undefined && status === RegionStatus.done) {
      const { memory } = grant.region;
      if (code === RegionOperation.write) {
        const data = body + regionBodyBytes;
        if (end - data !== length) throw malformed(`a write of ${length} bytes came with ${end - data}`);
        memory.bytes.set(bytes.subarray(data, end), offset);
        this.#host.statistics.add('regionBytesServed', length);
      } else if (code !== RegionOperation.read) {
        const operand = bytes.readBigInt64LE(body + regionField.operand);
        value = memory.change(code, offset, operand, bytes.readBigInt64LE(body + regionField.expected));
      }
    }
    this.#answer({ code, reference, status, grant, offset, length, value });
  }

  #check(code: number, region: Region | undefined, offset: number, length: number): number {
    if (!(code >= RegionOperation.read && code <= RegionOperation.compareAndSwap32)) {
      throw new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer asked for an unknown operation=${code} on a region`);
    }
    if (region === undefined) return RegionStatus.revoked;
    if ((region.mask & rightFor(code)) === 0) return RegionStatus.denied;
    const width = atomicBytes(code);
    const isInside =
      offset >= 0 &&
      length >= 0 &&
      length <= maximumPieceBytes &&
      offset + length <= region.lengthBytes &&
      (width === 0 || (length === width && offset % width === 0));
    return isInside ? RegionStatus.done : RegionStatus.outOfRange;
  }

  #open(reference: number, bytes: Buffer, body: number): void {
    const slot = bytes.readInt32LE(body + regionField.slot);
    const generation = bytes.readInt32LE(body + regionField.generation);
    const key = bytes.subarray(body + regionField.key, body + regionBodyBytes);
    const region = this.#host.regions.find(slot, generation, key);
    let status: number = region === undefined ? RegionStatus.unknown : RegionStatus.done;
    let grant: Grant | undefined;
    if (region !== undefined && this.#grants.size >= maximumGrants) status = RegionStatus.tooMany;
    else if (region !== undefined) {
      grant = new Grant(this, this.#nextGrant, region);
      this.#nextGrant = (this.#nextGrant + 1) & 0x7fff_ffff;
      this.#grants.set(grant.number, grant);
    }
    const value = BigInt(bytes.readInt32LE(body + regionField.abilities));
    this.#answer({ code: RegionCode.open, reference, status, grant, offset: 0, length: 0, value });
  }

  #close(grant: Grant | undefined): void {
    if (grant === undefined) return;
    this.#grants.delete(grant.number);
    this.#ending.delete(grant.number);
    grant.region.close(grant);
    grant.exposed?.release();
  }

  /** The region of a grant is no more: the peer lets go of the memory, if it has it. */
  onRevoked(grant: Grant): void {
    this.#grants.delete(grant.number);
    if (grant.exposed !== undefined) this.#ending.set(grant.number, grant);
    const { revoked: status } = RegionStatus;
    const answer = {
      code: RegionCode.revoked,
      reference: 0,
      status,
      grant,
      offset: grant.number,
      length: 0,
      value: 0n,
    };
    this.#answers.push(answer);
    this.#onWaiting();
  }

  #answer(answer: Answer): void {
    const isDone = answer.status === RegionStatus.done;
    this.#host.statistics.add(isDone ? 'regionOperationsServed' : 'regionOperationsRefused');
    this.#answers.push(answer);
    this.#asked++;
    this.#onWaiting();
  }

  /** Places answers, at most `limit`, as far as there is room. Returns whether any was placed. */
  place(limit: number): boolean {
    let placed = 0;
    while (placed < limit && placed < this.#answers.length) {
      const answer = this.#answers[placed];
      if (!this.#placeAnswer(answer)) break;
      if (answer.code !== RegionCode.revoked) this.#asked--;
      placed++;
    }
    if (placed > 0) this.#answers.splice(0, placed);
    return placed > 0;
  }

  #placeAnswer({ code, reference, status, grant, offset, length, value }: Answer): boolean {
    const body = this.#body;
    const region = grant?.region;
    let data: Buffer | undefined;
    let moved: SharedBuffer | undefined;
    if (status === RegionStatus.done && region?.isRevoked) {
      // Between the request and the room for its answer. What was written or changed stays done.
      if (code === RegionCode.open) status = RegionStatus.unknown;
      else if (code === RegionOperation.read) status = RegionStatus.revoked;
    }
    if (status === RegionStatus.done && grant !== undefined && region !== undefined) {
      if (code === RegionOperation.read) {
        data = region.memory.bytes.subarray(offset, offset + length);
        this.#host.statistics.add('regionBytesServed', length);
      } else if (code === RegionCode.open) {
        const abilities = Number(value);
        if ((abilities & RegionAbility.hasMemory) === 0) moved = this.#cloneFor(region);
        if (moved !== undefined) data = this.#describe(moved);
        else if ((abilities & RegionAbility.oneSided) !== 0) data = this.#expose(grant);
        offset = grant.number;
        length = region.lengthBytes;
        value = BigInt(region.mask);
      }
    }
    body.writeInt32LE(status, regionField.status);
    body.writeInt32LE(offset, regionField.offset);
    body.writeInt32LE(length, regionField.length);
    body.writeBigInt64LE(value, regionField.value);
    if (this.#placer.place(RecordKind.regionAnswer, code, reference, body, data, false)) return true;
    // It is taken anew when there is room.
    if (moved?.undoMove()) moved.release();
    if (code === RegionCode.open) grant?.exposed?.release();
    return false;
  }

  /**
   * Lets the peer's wire reach the memory of a region, which is held for that until the peer has closed it, or its link is
   * gone: what is under way may arrive that long. Operations with numbers it asks for by records nonetheless, since a network
   * card's are not atomic with those of this machine's threads.
   */
  #expose(grant: Grant): Buffer | undefined {
    const { oneSided } = this.#placer.wire.link;
    if (oneSided === undefined) return undefined;
    let buffer: SharedBuffer;
    try {
      buffer = grant.region.cloneBuffer();
    } catch {
      return undefined;
    }
    grant.exposed = oneSided.expose(buffer.bytes, () => {
      grant.exposed = undefined;
      buffer.release();
    });
    if (grant.exposed === undefined) {
      buffer.release();
      return undefined;
    }
    const address = Buffer.alloc(8);
    address.writeBigUInt64LE(grant.exposed.address);
    return Buffer.concat([address, grant.exposed.key]);
  }

  /** A handle of the memory for the peer, where it can use one and there is one left. Without, it asks by records. */
  #cloneFor(region: Region): SharedBuffer | undefined {
    if (!this.#placer.wire.link.sharesMemory) return undefined;
    try {
      return region.cloneBuffer();
    } catch {
      return undefined;
    }
  }

  /** Moves the buffer to the peer, and says where it lies. */
  #describe(buffer: SharedBuffer): Buffer {
    const { link } = this.#placer.wire;
    const { control } = this.#host.regions;
    link.shareSlab(control.slabId, control.memory);
    const descriptor = buffer.moveTo(link.peerContextId);
    link.shareSlab(descriptor.slabId, descriptor.memory);
    const data = Buffer.alloc(regionMemoryBytes);
    data.writeInt32LE(descriptor.lengthBytes, 0);
    data.writeInt32LE(descriptor.slabId, 4);
    data.writeInt32LE(descriptor.slot, 8);
    data.writeInt32LE(descriptor.handle, 12);
    data.writeInt32LE(descriptor.byteOffset, 16);
    data.writeInt32LE(control.slabId, 24);
    return data;
  }

  /** The link was lost: who asked knows it. */
  interrupt(): void {
    this.#answers = [];
    this.#asked = 0;
  }

  /** The connection has ended. */
  end(): void {
    this.interrupt();
    // What the peer's wire reaches stays until the link is gone.
    for (const grant of this.#grants.values()) grant.region.close(grant);
    this.#grants.clear();
    this.#ending.clear();
  }
}

function malformed(what: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_MALFORMED', `a record about a region does not parse: ${what}`);
}
