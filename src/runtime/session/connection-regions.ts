import type { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link, RemoteMemory } from '../../transports/transport.js';
import type { OpenedMemory } from '../memory/opened-memory.js';
import { maximumRegions, type RegionHandle, requireRegionHandle } from '../memory/region-handle.js';
import { revokedError } from '../memory/region-table.js';
import type { SlabPool } from '../memory/slab-pool.js';
import { flagsShift, kindWord, messageHeaderBytes } from '../message/message-layout.js';
import type { Connection } from './connection.js';
import { adoptMoved } from './landing.js';
import { OpenedRegion } from './opened-region.js';
import { RegionClient } from './region-client.js';
import { RegionCode, regionBodyBytes, regionField, regionMemoryBytes } from './region-layout.js';
import { askPeer } from './region-questions.js';
import { RegionServer } from './region-server.js';
import { cancelledError, type RegionOperationOptions, RemoteRegion, requireRegionOptions } from './remote-region.js';
import type { SessionHost } from './session-host.js';

/** Pieces that go before the messages that wait, each time there is room: neither can hold up the other for long. */
const recordsBeforeMessages = 2;
const noLimit = Number.MAX_SAFE_INTEGER;

/** What one connection has to do with regions, both ways: those that the peer has opened here, and those opened there. */
export class ConnectionRegions {
  readonly #connection: Connection;
  readonly #host: SessionHost;
  readonly #server: RegionServer;
  readonly #client: RegionClient;
  /** By grant: the regions of the peer that are open here. */
  readonly #opened = new Map<number, OpenedRegion>();

  constructor(connection: Connection) {
    const { host, outbound } = connection;
    this.#connection = connection;
    this.#host = host;
    const onWaiting = () => this.#placeNow();
    this.#server = new RegionServer(host, outbound, onWaiting);
    this.#client = new RegionClient(host, outbound, {
      onWaiting,
      onRevoked: (grant) => this.#opened.get(grant)?.end(revokedError),
      onUnwanted: (answer) => this.#giveBack(answer),
    });
  }

  /** See `Connection.openRegion`. */
  async open(handle: RegionHandle, options: RegionOperationOptions): Promise<RemoteRegion> {
    requireRegionHandle(handle);
    requireRegionOptions('openRegion', options);
    const connection = this.#connection;
    if (options.signal?.aborted) throw cancelledError(options.signal.reason);
    connection.requireSendable();
    const key = Buffer.from(handle.key, 'hex');
    const { slot: grant, generation } = handle;
    const known = this.#host.openedMemories.find(handle);
    const none = { offset: 0, lengthBytes: 0, operand: 0n, expected: 0n };
    const question = { code: RegionCode.open, grant, generation, hasMemory: known !== undefined, bytes: key, ...none };
    const { timeoutMs, signal } = options;
    try {
      // Made as soon as the answer is there: the next record may be about it already.
      return await askPeer(connection, this.#client, { ...question, timeoutMs, signal }, (_before, answer) => {
        const memory = known ?? this.#adopt(handle, answer);
        return new RemoteRegion(handle, this.#enter(handle, answer, memory, this.#attach(answer)));
      });
    } catch (error) {
      known?.release();
      throw error;
    }
  }

  /** Reaches the memory that the owner has exposed to the wire, if it has. */
  #attach(answer: Buffer): RemoteMemory | undefined {
    const { link } = this.#connection;
    const start = regionBodyBytes + 8;
    if (link?.oneSided === undefined || answer.length <= start) return undefined;
    return link.oneSided.attach(answer.readBigUInt64LE(regionBodyBytes), answer.subarray(start));
  }

  #enter(
    handle: RegionHandle,
    answer: Buffer,
    memory: OpenedMemory | undefined,
    remote: RemoteMemory | undefined,
  ): OpenedRegion {
    const opened = new OpenedRegion(this.#connection, this.#client, handle, answer, memory, remote);
    this.#opened.set(opened.grant, opened);
    opened.onEnd = () => this.#opened.delete(opened.grant);
    this.#host.statistics.add('remoteRegionsOpen');
    return opened;
  }

  /** Takes the memory over that came with an answer to an open, if any did. */
  #adopt(handle: RegionHandle, answer: Buffer): OpenedMemory | undefined {
    const { link } = this.#connection;
    if (answer.length < regionBodyBytes + regionMemoryBytes || link === undefined || !link.sharesMemory)
      return undefined;
    const buffer = adoptMoved(link, this.#host.pool, answer, regionBodyBytes);
    const control = link.sharedSlab(answer.readInt32LE(regionBodyBytes + 24));
    if (control === undefined || control.byteLength !== 4 * maximumRegions) {
      buffer.release();
      return undefined;
    }
    return this.#host.openedMemories.add(handle, buffer, new Int32Array(control));
  }

  /** An open succeeded that nobody waits for any more. */
  #giveBack(answer: Buffer): void {
    const { link } = this.#connection;
    if (link !== undefined) releaseMemory(link, this.#host.pool, answer);
    this.#client.close(answer.readInt32LE(regionField.offset));
  }

  onRequest(code: number, reference: number, block: MemoryBlock, start: number, lengthBytes: number): void {
    this.#server.onRequest(code, reference, block, start, lengthBytes);
  }

  onAnswer(code: number, reference: number, block: MemoryBlock, start: number, lengthBytes: number): void {
    this.#client.onAnswer(code, reference, block, start, lengthBytes);
  }

  /** Places a little of what waits: what goes before the messages. */
  placeSome(): boolean {
    return this.#place(recordsBeforeMessages);
  }

  /** Places what waits, as far as there is room. */
  placeAll(): boolean {
    return this.#place(noLimit);
  }

  #place(limit: number): boolean {
    const served = this.#server.place(limit);
    return this.#client.place(limit) || served;
  }

  #placeNow(): void {
    const { outbound } = this.#connection;
    if (!outbound.isOnline || outbound.wire.isBlocked) return;
    if (this.placeAll()) this.#host.wires.batch(outbound.wire);
  }

  /** The link was lost; the connection may come back on another. */
  interrupt(cause: HeddleError): void {
    this.#server.interrupt();
    this.#client.interrupt(cause);
  }

  /** The connection has ended. */
  end(flushed: HeddleError): void {
    this.#server.end();
    this.#client.end(flushed);
    for (const opened of [...this.#opened.values()]) opened.end(() => flushed);
  }
}

/** An answer for a connection that has ended may bring memory along: it must not be lost. */
export function releaseUnwantedMemory(
  link: Link,
  pool: SlabPool,
  { int32, bytes }: MemoryBlock,
  start: number,
  lengthBytes: number,
): void {
  const code = (int32[(start >> 2) + kindWord] >> flagsShift) & 0xff;
  if (code === RegionCode.open)
    releaseMemory(link, pool, bytes.subarray(start + messageHeaderBytes, start + lengthBytes));
}

/** Gives memory back that came with the answer to an open, if any did. */
function releaseMemory(link: Link, pool: SlabPool, answer: Buffer): void {
  if (!link.sharesMemory || answer.length < regionBodyBytes + regionMemoryBytes) return;
  adoptMoved(link, pool, answer, regionBodyBytes).release();
}
