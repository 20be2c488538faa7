import { HeddleError } from '../../errors.js';

/** What a peer may do with a region: read it, write it, or change numbers in it by atomic operations. */
export type RegionRight = 'read' | 'write' | 'atomics';

/** All rights; the bit of each in a set of rights is 1 shifted by its index. */
export const regionRights: readonly RegionRight[] = ['read', 'write', 'atomics'];

/**
 * Names an exported region and proves the right to use it. It is a plain value: send it in a message, to one peer or to
 * many; whoever has it and reaches the owner can open the region with `connection.openRegion` or `context.openRegion`.
 * Its key, of 128 random bits, is a secret: treat it as such.
 */
export interface RegionHandle {
  /** The context that owns the region, by a name drawn at random. */
  readonly owner: string;
  /** Where the region stands in its owner's table. */
  readonly slot: number;
  /** Counts the regions that stood there: a handle of an earlier one opens nothing. */
  readonly generation: number;
  /** 128 random bits, as 32 hexadecimal digits. */
  readonly key: string;
  /** How many bytes the region has. */
  readonly lengthBytes: number;
  /** What may be done with it. The owner keeps to what it granted, whatever stands here. */
  readonly rights: readonly RegionRight[];
}

/** The most regions that a context can export at a time. */
export const maximumRegions = 65_536;
/** Bytes of a region's key. */
export const regionKeyBytes = 16;

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` unless `given` looks like a handle: it may have come from anywhere. */
export function requireRegionHandle(given: unknown): asserts given is RegionHandle {
  const handle = given as Partial<RegionHandle> | null | undefined;
  const fits =
    typeof handle === 'object' &&
    handle !== null &&
    typeof handle.owner === 'string' &&
    isInteger(handle.slot, 0, maximumRegions - 1) &&
    isInteger(handle.generation, -(2 ** 31), 2 ** 31 - 1) &&
    typeof handle.key === 'string' &&
    /^[0-9a-f]{32}$/.test(handle.key);
  if (fits) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    'a region is opened by the handle that its owner sent, region.handle, as it is; this is none',
  );
}

function isInteger(value: unknown, minimum: number, maximum: number): boolean {
  return Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
}

/** The bits of a list of rights. Throws `ERR_HEDDLE_INVALID_ARGUMENT` for anything else, and for an empty list. */
export function rightsMask(rights: unknown): number {
  let mask = 0;
  const isList = Array.isArray(rights) && rights.length > 0;
  for (const right of isList ? rights : [undefined]) {
    const bit = regionRights.indexOf(right as RegionRight);
    if (bit < 0) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `the rights of a region are a list of some of ${regionRights.join(', ')}, not ${JSON.stringify(rights)}`,
      );
    }
    mask |= 1 << bit;
  }
  return mask;
}

/** The inverse of {@link rightsMask}. */
export function rightsOf(mask: number): readonly RegionRight[] {
  return regionRights.filter((_, bit) => (mask & (1 << bit)) !== 0);
}
