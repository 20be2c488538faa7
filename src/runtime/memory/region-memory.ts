/** What can be done with the memory of a region. The values are part of the protocol. */
export const RegionOperation = {
  read: 1,
  write: 2,
  /** 64 bits; answers with the number that was there. */
  fetchAdd: 3,
  compareAndSwap: 4,
  /** 32 bits; the same. */
  fetchAdd32: 5,
  compareAndSwap32: 6,
} as const;

/** Bytes that an atomic operation works on; 0 for the others. */
export function atomicBytes(operation: number): number {
  if (operation === RegionOperation.fetchAdd || operation === RegionOperation.compareAndSwap) return 8;
  return operation === RegionOperation.fetchAdd32 || operation === RegionOperation.compareAndSwap32 ? 4 : 0;
}

/** The right that an operation takes, as a bit: see `regionRights`. */
export function rightFor(operation: number): number {
  if (operation === RegionOperation.read) return 1;
  return operation === RegionOperation.write ? 2 : 4;
}

/**
 * The bytes of a region, and the operations on them. Whoever calls has checked offset, length and alignment.
 *
 * All atomic operations, of this thread, of others, and those that the owner carries out for peers, go through `Atomics`
 * on the same memory: they are sequentially consistent among each other and with the program's own `Atomics`.
 */
export class RegionMemory {
  readonly bytes: Buffer;
  #int32: Int32Array | undefined;
  #bigInt64: BigInt64Array | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Whether `Atomics` can reach its numbers: the first byte lies where a 64-bit number can begin. */
  get isAligned(): boolean {
    return this.bytes.byteOffset % 8 === 0;
  }

  /** Carries out an atomic operation and returns the number that was there, a signed one of 64 or 32 bits. */
  change(operation: number, offset: number, operand: bigint, expected: bigint): bigint {
    switch (operation) {
      case RegionOperation.fetchAdd:
        return Atomics.add(this.#wide(), offset >> 3, operand);
      case RegionOperation.compareAndSwap:
        return Atomics.compareExchange(this.#wide(), offset >> 3, expected, operand);
      case RegionOperation.fetchAdd32:
        return BigInt(Atomics.add(this.#narrow(), offset >> 2, Number(BigInt.asIntN(32, operand))));
      default: {
        const words = this.#narrow();
        const before = Number(BigInt.asIntN(32, expected));
        return BigInt(Atomics.compareExchange(words, offset >> 2, before, Number(BigInt.asIntN(32, operand))));
      }
    }
  }

  #wide(): BigInt64Array {
    const { buffer, byteOffset, length } = this.bytes;
    this.#bigInt64 ??= new BigInt64Array(buffer, byteOffset, length >> 3);
    return this.#bigInt64;
  }

  #narrow(): Int32Array {
    const { buffer, byteOffset, length } = this.bytes;
    this.#int32 ??= new Int32Array(buffer, byteOffset, length >> 2);
    return this.#int32;
  }
}
