import { longestTimerMs } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import type { RemoteMemory } from '../../transports/transport.js';
import type { OpenedMemory } from '../memory/opened-memory.js';
import type { RegionHandle } from '../memory/region-handle.js';
import { RegionOperation } from '../memory/region-memory.js';
import { revokedError } from '../memory/region-table.js';
import type { Connection } from './connection.js';
import type { RegionClient } from './region-client.js';
import { regionField } from './region-layout.js';
import { runOnMemory } from './region-memory-access.js';
import { askPeer } from './region-questions.js';
import {
  cancelledError,
  closedError,
  operationNames,
  type RegionAccess,
  type RegionTask,
  type RegionWay,
} from './remote-region.js';

/** A region of the peer that is open here: by its memory where it came along, by records elsewhere. */
export class OpenedRegion implements RegionAccess {
  readonly grant: number;
  readonly lengthBytes: number;
  readonly mask: number;
  #endError: HeddleError | undefined;
  onEnd: () => void = () => {};
  readonly #connection: Connection;
  readonly #client: RegionClient;
  readonly #handle: RegionHandle;
  #memory: OpenedMemory | undefined;
  readonly #reachesMemory: boolean;
  readonly #remote: RemoteMemory | undefined;
  /** What the wire works on, and how many of these there are, those that nobody waits for included. */
  readonly #transfers = new Set<(error: HeddleError) => void>();
  #transfersUnderWay = 0;

  constructor(
    connection: Connection,
    client: RegionClient,
    handle: RegionHandle,
    answer: Buffer,
    memory: OpenedMemory | undefined,
    remote: RemoteMemory | undefined,
  ) {
    this.#connection = connection;
    this.#client = client;
    this.#handle = handle;
    this.#memory = memory;
    this.#remote = remote;
    this.#reachesMemory = memory !== undefined;
    this.grant = answer.readInt32LE(regionField.offset);
    this.lengthBytes = answer.readInt32LE(regionField.length);
    this.mask = Number(answer.readBigInt64LE(regionField.value));
  }

  get way(): RegionWay {
    if (this.#reachesMemory) return 'memory';
    // After a loss of the wire the owner carries everything out.
    return this.#remote?.isUsable ? 'rdma' : 'records';
  }

  get endError(): HeddleError | undefined {
    if (this.#endError !== undefined || this.#memory === undefined || this.#memory.isLive) return this.#endError;
    // The word of the owner's that says so was faster than its record.
    return revokedError(this.#handle);
  }

  run(task: RegionTask): Promise<bigint> {
    const { way } = this;
    if (way === 'memory') return this.#runHere(task);
    const isCopy = task.code === RegionOperation.read || task.code === RegionOperation.write;
    return way === 'rdma' && isCopy ? this.#runByWire(task) : this.#runThere(task);
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

  /** By the wire alone: the owner's thread has no part in it. */
  #runByWire(task: RegionTask): Promise<bigint> {
    const connection = this.#connection;
    const { host } = connection;
    const { code, lengthBytes, offset, signal } = task;
    const remote = this.#remote as RemoteMemory;
    const bytes = task.bytes as Uint8Array;
    return new Promise((resolve, reject) => {
      const timeoutMs = Math.min(task.timeoutMs ?? connection.options.requestTimeoutMs, longestTimerMs);
      const settle = (error?: HeddleError) => {
        if (!this.#transfers.delete(settle)) return;
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#announce(task, error);
        if (error === undefined) resolve(0n);
        else {
          transfer.abandon();
          reject(error);
        }
        host.endTurnSoon();
      };
      const onAbort = () => settle(cancelledError(signal?.reason));
      const timer = host.clock.setTimer(timeoutMs, () => settle(timeoutError(timeoutMs)));
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#transfers.add(settle);
      this.#transfersUnderWay++;
      const onEnd = (error?: HeddleError) => {
        this.#transfersUnderWay--;
        if (error === undefined) {
          host.statistics.add(code === RegionOperation.read ? 'regionBytesRead' : 'regionBytesWritten', lengthBytes);
        }
        // Not before this function has returned, where the link is found lost.
        queueMicrotask(() => settle(error));
        this.#letGo();
      };
      const transfer =
        code === RegionOperation.read ? remote.read(offset, bytes, onEnd) : remote.write(offset, bytes, onEnd);
      host.stayAwake();
    });
  }

  /** Tells the owner, when nothing is under way any more, that the wire has done with its memory. */
  #letGo(): void {
    if (this.#endError === undefined || this.#transfersUnderWay > 0 || this.#remote === undefined) return;
    this.#remote.release();
    if (!this.#connection.isOver) this.#client.close(this.grant);
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
    if (this.#remote === undefined) this.#client.close(this.grant);
  }

  /** Nothing can be done with it any more. */
  end(errorOf: (handle: RegionHandle) => HeddleError): void {
    if (this.#endError !== undefined) return;
    this.#endError = errorOf(this.#handle);
    this.#memory?.release();
    this.#memory = undefined;
    this.#connection.host.statistics.add('remoteRegionsOpen', -1);
    this.onEnd();
    for (const settle of [...this.#transfers]) settle(this.#endError);
    this.#letGo();
  }
}

function timeoutError(timeoutMs: number): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_TIMEOUT',
    `the wire has not carried the operation on the region out within timeoutMs=${timeoutMs}`,
  );
}
