import type { HeddleError } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link } from '../../transports/transport.js';
import type { OpenedMemory } from '../memory/opened-memory.js';
import { maximumRegions, type RegionHandle, requireRegionHandle } from '../memory/region-handle.js';
import { RegionOperation } from '../memory/region-memory.js';
import { revokedError } from '../memory/region-table.js';
import type { SlabPool } from '../memory/slab-pool.js';
import { flagsShift, kindWord, messageHeaderBytes } from '../message/message-layout.js';
import type { Connection } from './connection.js';
import { adoptMoved } from './landing.js';
import { RegionClient, type RegionQuestion } from './region-client.js';
import { RegionCode, regionBodyBytes, regionField, regionMemoryBytes } from './region-layout.js';
import { runOnMemory } from './region-memory-access.js';
import { RegionServer } from './region-server.js';
import {
  cancelledError,
  closedError,
  operationNames,
  type RegionAccess,
  type RegionOperationOptions,
  type RegionTask,
  type RegionWay,
  RemoteRegion,
} from './remote-region.js';
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
        return new RemoteRegion(handle, this.#enter(handle, answer, known ?? this.#adopt(handle, answer)));
      });
    } catch (error) {
      known?.release();
      throw error;
    }
  }

  #enter(handle: RegionHandle, answer: Buffer, memory: OpenedMemory | undefined): OpenedRegion {
    const opened = new OpenedRegion(this.#connection, this.#client, handle, answer, memory);
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

/** What is asked, without who waits for it. */
type Question = Omit<RegionQuestion, 'onDone' | 'onError'> & Partial<Pick<RegionTask, 'timeoutMs' | 'signal'>>;

/**
 * Asks the peer; settles by its answer, the deadline, the signal, or the connection's end. `take` makes the result of the
 * answer, and `onFailure` learns of an error, before anything else arrives.
 */
function askPeer<Result>(
  connection: Connection,
  client: RegionClient,
  question: Question,
  take: (before: bigint, answer: Buffer) => Result,
  onFailure: (error: HeddleError) => void = () => {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const { timeoutMs = connection.options.requestTimeoutMs, signal } = question;
    const settle = () => {
      signal?.removeEventListener('abort', onAbort);
      connection.host.endTurnSoon();
    };
    const onAbort = () => client.cancel(id, cancelledError(signal?.reason));
    const onDone = (before: bigint, answer: Buffer) => {
      settle();
      try {
        resolve(take(before, answer));
      } catch (error) {
        reject(error);
      }
    };
    const onError = (error: HeddleError) => {
      settle();
      onFailure(error);
      reject(error);
    };
    const id = client.ask({ ...question, onDone, onError }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A region of the peer that is open here: by its memory where it came along, by records elsewhere. */
class OpenedRegion implements RegionAccess {
  readonly way: RegionWay;
  readonly grant: number;
  readonly lengthBytes: number;
  readonly mask: number;
  #endError: HeddleError | undefined;
  onEnd: () => void = () => {};
  readonly #connection: Connection;
  readonly #client: RegionClient;
  readonly #handle: RegionHandle;
  #memory: OpenedMemory | undefined;

  constructor(
    connection: Connection,
    client: RegionClient,
    handle: RegionHandle,
    answer: Buffer,
    memory: OpenedMemory | undefined,
  ) {
    this.#connection = connection;
    this.#client = client;
    this.#handle = handle;
    this.#memory = memory;
    this.way = memory === undefined ? 'records' : 'memory';
    this.grant = answer.readInt32LE(regionField.offset);
    this.lengthBytes = answer.readInt32LE(regionField.length);
    this.mask = Number(answer.readBigInt64LE(regionField.value));
  }

  get endError(): HeddleError | undefined {
    if (this.#endError !== undefined || this.#memory === undefined || this.#memory.isLive) return this.#endError;
    // The word of the owner's that says so was faster than its record.
    return revokedError(this.#handle);
  }

  run(task: RegionTask): Promise<bigint> {
    return this.way === 'memory' ? this.#runHere(task) : this.#runThere(task);
  }

  async #runHere(task: RegionTask): Promise<bigint> {
    const connection = this.#connection;
    const timeoutMs = task.timeoutMs ?? connection.options.requestTimeoutMs;
    let failure: HeddleError | undefined;
    try {
      return await runOnMemory(() => this.#liveMemory(), task, timeoutMs, connection.host);
    } catch (error) {
      failure = error as HeddleError;
      throw error;
    } finally {
      // No event of a connection follows its teardown, though a long copy may have been under way.
      if (!connection.isOver) this.#announce(task, failure);
    }
  }

  async #runThere(task: RegionTask): Promise<bigint> {
    this.#connection.requireSendable();
    const { code, lengthBytes } = task;
    const { statistics } = this.#connection.host;
    return askPeer(
      this.#connection,
      this.#client,
      { ...task, grant: this.grant },
      (before) => {
        if (code === RegionOperation.read) statistics.add('regionBytesRead', lengthBytes);
        else if (code === RegionOperation.write) statistics.add('regionBytesWritten', lengthBytes);
        this.#announce(task, undefined);
        return before;
      },
      (error) => this.#announce(task, error),
    );
  }

  #liveMemory(): OpenedMemory['memory'] {
    const memory = this.#memory;
    if (memory === undefined || !memory.isLive) throw this.endError ?? revokedError(this.#handle);
    return memory.memory;
  }

  #announce({ code, offset, lengthBytes, context }: RegionTask, error: HeddleError | undefined): void {
    const connection = this.#connection;
    connection.host.statistics.add(error === undefined ? 'regionOperations' : 'regionOperationsFailed');
    const operation = operationNames[code - RegionOperation.read];
    const handle = this.#handle;
    const event = { type: 'region-operation' as const, connection, handle, operation, offset, lengthBytes, context };
    connection.emit(error === undefined ? event : { ...event, error });
  }

  close(): void {
    if (this.#endError !== undefined) return;
    this.end(closedError);
    this.#client.close(this.grant);
  }

  /** Nothing can be done with it any more. */
  end(errorOf: (handle: RegionHandle) => HeddleError): void {
    if (this.#endError !== undefined) return;
    this.#endError = errorOf(this.#handle);
    this.#memory?.release();
    this.#memory = undefined;
    this.#connection.host.statistics.add('remoteRegionsOpen', -1);
    this.onEnd();
  }
}
