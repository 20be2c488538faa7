import { HeddleError, requireInteger, requireKnownOptions } from '../../errors.js';
import { requireSignal, requireWaitMs } from '../../time-limits.js';
import type { RegionHandle, RegionRight } from '../memory/region-handle.js';
import { regionRights } from '../memory/region-handle.js';
import { atomicBytes, RegionOperation, rightFor } from '../memory/region-memory.js';
import { SharedBuffer } from '../memory/shared-buffer.js';

/** What an operation on a remote region can be told beside what it does. */
export interface RegionOperationOptions {
  /** How long it may take, in milliseconds; the connection's `requestTimeoutMs` where nothing is said. */
  readonly timeoutMs?: number;
  /** Gives the operation up when it is aborted: it may have been done or not. */
  readonly signal?: AbortSignal;
  /** For the program's own use: comes with the event `region-operation`. */
  readonly context?: unknown;
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `call` can be told that. */
export function requireRegionOptions(call: string, options: RegionOperationOptions): void {
  requireKnownOptions(call, options, ['timeoutMs', 'signal', 'context']);
  if (options.timeoutMs !== undefined) requireWaitMs('timeoutMs', options.timeoutMs);
  requireSignal(options.signal);
}

/** What was done to a remote region. */
export type RegionOperationName =
  | 'read'
  | 'write'
  | 'fetch-add'
  | 'compare-and-swap'
  | 'fetch-add-32'
  | 'compare-and-swap-32';

/** The names of operations, in the order of their codes. */
export const operationNames: readonly RegionOperationName[] = [
  'read',
  'write',
  'fetch-add',
  'compare-and-swap',
  'fetch-add-32',
  'compare-and-swap-32',
];

/**
 * How the memory of a region is reached: `memory`, by this thread itself, as the owner is a thread of this process;
 * `rdma`, by the wire, without the owner's code (numbers by the owner's thread nonetheless); `records`, carried out by the owner's thread in its turn.
 */
export type RegionWay = 'memory' | 'rdma' | 'records';

/** One operation, checked against what is known of the region. */
export interface RegionTask {
  readonly code: number;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly bytes: Uint8Array | undefined;
  readonly operand: bigint;
  readonly expected: bigint;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly context: unknown;
}

/** Carries out operations on one region that was opened. */
export interface RegionAccess {
  readonly way: RegionWay;
  readonly lengthBytes: number;
  readonly mask: number;
  /** Why nothing can be done with it any more; undefined while something can. */
  readonly endError: HeddleError | undefined;
  /** Settles once, with the number that was there, or a coded error. */
  run(task: RegionTask): Promise<bigint>;
  /** Gives it back; harmless when it has ended. */
  close(): void;
}

/**
 * A region of another context (or of this one) that was opened by its handle: read, written and counted in without any
 * code of the owner being called. Every promise settles: by the operation's end, its deadline, its signal, the region's
 * revocation or the connection's end.
 *
 * Operations under way at the same time may be carried out in any order, and reads and writes are not atomic: await one
 * before the other where the order matters, and use the atomic operations for what several sides change. The bytes that
 * are written, and those that are read into, belong to the operation until its promise settles.
 *
 * @example
 * using counter = await connection.openRegion(message.value.counter);
 * const ticket = await counter.fetchAdd(0, 1n);
 */
export class RemoteRegion {
  /** What it was opened by. */
  readonly handle: RegionHandle;
  readonly #access: RegionAccess;
  /** @internal Called when it is closed. */
  onClosed: () => void = () => {};

  /** @internal Regions are opened by `connection.openRegion` and `context.openRegion`. */
  constructor(handle: RegionHandle, access: RegionAccess) {
    this.handle = handle;
    this.#access = access;
  }

  /** How many bytes the region has. */
  get lengthBytes(): number {
    return this.#access.lengthBytes;
  }

  /** What may be done with it. */
  get rights(): readonly RegionRight[] {
    return regionRights.filter((_, bit) => (this.#access.mask & (1 << bit)) !== 0);
  }

  /** How its memory is reached. */
  get way(): RegionWay {
    return this.#access.way;
  }

  /** Whether operations can still succeed: it was not closed, and nothing is known of a revocation or a loss. */
  get isOpen(): boolean {
    return this.#access.endError === undefined;
  }

  /**
   * Reads `lengthBytes` from `offset` on, into a new Buffer.
   *
   * @throws ERR_HEDDLE_REGION_REVOKED, ERR_HEDDLE_REGION_DENIED, ERR_HEDDLE_INVALID_ARGUMENT (outside of the region),
   * ERR_HEDDLE_TIMEOUT, ERR_HEDDLE_CANCELLED, ERR_HEDDLE_DISCONNECTED, ERR_HEDDLE_FLUSHED, ERR_HEDDLE_CLOSED
   */
  async read(offset: number, lengthBytes: number, options: RegionOperationOptions = {}): Promise<Buffer> {
    this.#requireRange(offset, lengthBytes);
    const target = Buffer.allocUnsafeSlow(lengthBytes);
    await this.#run(RegionOperation.read, offset, lengthBytes, target, options);
    return target;
  }

  /** Reads as many bytes as `target` has, from `offset` on, into `target`. Rejects as {@link read} does. */
  async readInto(
    target: Uint8Array | SharedBuffer,
    offset: number,
    options: RegionOperationOptions = {},
  ): Promise<void> {
    await this.#transfer(RegionOperation.read, offset, target, options);
  }

  /**
   * Writes all of `data` to the region, from `offset` on. When the promise has resolved, everyone who learns of that sees
   * the bytes. Rejects as {@link read} does; part of the bytes may have been written then.
   */
  async write(offset: number, data: Uint8Array | SharedBuffer, options: RegionOperationOptions = {}): Promise<void> {
    await this.#transfer(RegionOperation.write, offset, data, options);
  }

  /**
   * Adds `delta` to the 64-bit number at `offset`, a multiple of 8, and resolves to the number before. Atomic with all
   * other atomic operations on it, of any side; the sum wraps at 2^64, numbers are signed. Rejects as {@link read} does.
   */
  fetchAdd(offset: number, delta: bigint, options: RegionOperationOptions = {}): Promise<bigint> {
    return this.#change(RegionOperation.fetchAdd, offset, delta, 0n, options);
  }

  /**
   * Puts `desired` in place of the 64-bit number at `offset`, a multiple of 8, if that is `expected`, and resolves to the
   * number before: the swap was made when it equals `expected`. Rejects as {@link read} does.
   */
  compareAndSwap(
    offset: number,
    expected: bigint,
    desired: bigint,
    options: RegionOperationOptions = {},
  ): Promise<bigint> {
    return this.#change(RegionOperation.compareAndSwap, offset, desired, expected, options);
  }

  /** As {@link fetchAdd}, for the 32-bit number at `offset`, a multiple of 4. */
  async fetchAdd32(offset: number, delta: number, options: RegionOperationOptions = {}): Promise<number> {
    const operand = BigInt(requireInteger('delta', delta, -(2 ** 31), 2 ** 32 - 1));
    return Number(await this.#change(RegionOperation.fetchAdd32, offset, operand, 0n, options));
  }

  /** As {@link compareAndSwap}, for the 32-bit number at `offset`, a multiple of 4. */
  async compareAndSwap32(
    offset: number,
    expected: number,
    desired: number,
    options: RegionOperationOptions = {},
  ): Promise<number> {
    const before = BigInt(requireInteger('expected', expected, -(2 ** 31), 2 ** 32 - 1));
    const after = BigInt(requireInteger('desired', desired, -(2 ** 31), 2 ** 32 - 1));
    return Number(await this.#change(RegionOperation.compareAndSwap32, offset, after, before, options));
  }

  /** Gives the region back; operations that begin later fail with ERR_HEDDLE_CLOSED. Harmless when it was closed before. */
  close(): void {
    this.#access.close();
    this.onClosed();
  }

  /** Closes it: for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #transfer(
    code: number,
    offset: number,
    data: Uint8Array | SharedBuffer,
    options: RegionOperationOptions,
  ): Promise<void> {
    if (data instanceof Uint8Array) {
      await this.#run(code, offset, data.length, data, options);
      return;
    }
    if (!(data instanceof SharedBuffer)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        'what is written to a region, or read into, is a Uint8Array, Buffer or SharedBuffer',
      );
    }
    // The memory must not be given to another use while the operation goes on, whatever becomes of the buffer.
    using held = data.clone();
    await this.#run(code, offset, held.length, held.bytes, options);
  }

  async #change(
    code: number,
    offset: number,
    operand: bigint,
    expected: bigint,
    options: RegionOperationOptions,
  ): Promise<bigint> {
    const width = atomicBytes(code);
    if (typeof operand !== 'bigint' || typeof expected !== 'bigint') {
      throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', '64-bit numbers are given as bigint: write 1n, not 1');
    }
    if (Number.isInteger(offset) && offset % width !== 0) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `an atomic operation of ${width} bytes needs an offset that is a multiple of ${width}, not offset=${offset}`,
        { details: { offset } },
      );
    }
    return this.#run(code, offset, width, undefined, options, BigInt.asIntN(64, operand), BigInt.asIntN(64, expected));
  }

  async #run(
    code: number,
    offset: number,
    lengthBytes: number,
    bytes: Uint8Array | undefined,
    options: RegionOperationOptions,
    operand = 0n,
    expected = 0n,
  ): Promise<bigint> {
    this.#requireRange(offset, lengthBytes);
    requireRegionOptions('an operation on a region', options);
    const { timeoutMs, signal, context } = options;
    const access = this.#access;
    if (access.endError !== undefined) throw access.endError;
    if ((access.mask & rightFor(code)) === 0) {
      throw new HeddleError(
        'ERR_HEDDLE_REGION_DENIED',
        `the owner does not grant this: it grants ${this.rights.join(', ')}; it has to export the region with the right for it`,
        { details: { rights: this.rights } },
      );
    }
    if (signal?.aborted) throw cancelledError(signal.reason);
    return access.run({ code, offset, lengthBytes, bytes, operand, expected, timeoutMs, signal, context });
  }

  #requireRange(offset: number, lengthBytes: number): void {
    requireInteger('lengthBytes', lengthBytes, 0, Number.MAX_SAFE_INTEGER);
    requireInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    if (offset + lengthBytes <= this.lengthBytes) return;
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `that lies outside of the region: offset=${offset} lengthBytes=${lengthBytes}, and the region has ` +
        `lengthBytes=${this.lengthBytes}`,
      { details: { offset, lengthBytes, regionBytes: this.lengthBytes } },
    );
  }
}

/** The error of an operation on a region that its user has closed. */
export function closedError(): HeddleError {
  return new HeddleError('ERR_HEDDLE_CLOSED', 'the region was closed by this side: open it again');
}

/** The error of an operation that its signal has ended. */
export function cancelledError(cause: unknown): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_CANCELLED',
    'the operation on the region was given up by its signal: it may have been done or not',
    { cause },
  );
}
