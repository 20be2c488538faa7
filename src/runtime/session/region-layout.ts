/**
 * The records by which the memory of exported regions is reached where the wire cannot do it by itself. They belong to a
 * connection, are not sequenced and take no credits: their number is bounded by a window of the side that asks. In the
 * record's fixed part, *reference* is the operation's id at the side that asks, and the flags' byte is its code.
 *
 * ```
 *   regionRequest                                   regionAnswer
 *   +0   fixed part, 24 bytes                       +0   fixed part, 24 bytes
 *   +24  grant          | offset                    +24  status         | offset
 *   +32  length         | 0                         +32  length         | 0
 *   +40  operand, 64 bits                           +40  the number that was there, 64 bits
 *   +48  expected number, 64 bits                   +48  0
 *   +56  write: the bytes                           +56  read: the bytes
 *
 *   open:                                           its answer:
 *   +24  slot           | generation                +24  status         | grant
 *   +32  0              | what it can do, see below +32  region's length | 0
 *   +40  the region's key, 128 bits                 +40  rights, 64 bits
 *                                                   +48  0
 *        where the contexts share memory, and the   +56  length | slab id | slot | handle | byte offset | 0
 *        one that asks does not have it yet:        +80  slab id of the owner's table of generations | 0
 * ```
 *
 *        where the wire reaches memory by itself,   +56  address, 64 bits | the wire's key, up to the end
 *        and both sides want it:
 *
 * What the side that asks can do is 1 when it has the memory already, plus 2 when its wire reaches memory by itself. A region
 * whose memory was handed over or exposed is closed by the peer also after it was revoked: only then is the memory free.
 *
 * A grant is what the owner gave this connection when it opened the region; it means nothing on another connection. What
 * both sides check: a request lies inside of its region and has the right that it takes; an answer was asked for.
 */

/** The codes beside those of `RegionOperation`. */
export const RegionCode = {
  open: 7,
  /** The asking side is done with a grant: not answered. */
  close: 8,
  /** From the owner: the region of a grant is no more. An answer without a question. */
  revoked: 9,
} as const;

/** Bytes between the fixed part and the data. */
export const regionBodyBytes = 32;
/** What an answer to `open` has behind its body where the memory itself is handed over. */
export const regionMemoryBytes = 32;

/** Byte offsets in the body. */
export const regionField = {
  grant: 0,
  slot: 0,
  status: 0,
  offset: 4,
  generation: 4,
  length: 8,
  abilities: 12,
  operand: 16,
  value: 16,
  key: 16,
  expected: 24,
} as const;

/** What the side that opens a region can do. */
export const RegionAbility = { hasMemory: 1, oneSided: 2 } as const;

/** What became of a request. */
export const RegionStatus = {
  done: 0,
  /** No region has that handle, or none any more. */
  unknown: 1,
  /** The region of this grant was revoked. */
  revoked: 2,
  /** The region does not grant this. */
  denied: 3,
  /** Out of the region's bounds, or not aligned. */
  outOfRange: 4,
  /** The connection has as many regions open as it may. */
  tooMany: 5,
} as const;

/** Data goes in pieces of at most this many bytes, so that other traffic of the wire goes between them. */
export const maximumPieceBytes = 64 * 1024;
/** Pieces that may be under way on one connection; the owner refuses to keep more. */
export const windowRecords = 32;
/** Bytes that may be under way on one connection. One piece may always be. */
export const windowBytes = 512 * 1024;
/** Regions that one connection may have open. */
export const maximumGrants = 4096;
