import { describe, HeddleError } from '../../errors.js';
import { copyBytes, copyOf } from '../../transports/copy-bytes.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { BufferCarrier, Link } from '../../transports/transport.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import type { SlabPool } from '../memory/slab-pool.js';
import type { Message } from '../message/message.js';
import { dataOffset, descriptorBytes, descriptorOfTransfer } from '../message/message-layout.js';
import type { StatisticsBlock } from '../observe/statistics.js';

/** Whether data can land in what a user gave for it, which may have been released or sent on meanwhile. */
export function isTarget(given: unknown): given is SharedBuffer | Uint8Array {
  return given instanceof SharedBuffer ? given.isHeld : given instanceof Uint8Array;
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT`, with the target's name, unless data can land in it. */
export function requireTarget(name: string, given: unknown): void {
  if (isTarget(given)) return;
  const found = given instanceof SharedBuffer ? 'one that was released or sent' : describe(given);
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name} must be a SharedBuffer or a Uint8Array, not ${found}`);
}

/**
 * Where in what a requester offered the data of its response lands; undefined when it cannot. A SharedBuffer is cloned: its
 * memory must not be given to another use while data lands in it, whatever becomes of the requester and its buffer.
 */
export function borrow(
  message: Message,
  offered: SharedBuffer | Uint8Array,
  lengthBytes: number,
): SharedBuffer | Uint8Array | undefined {
  if (!isTarget(offered) || offered.length < lengthBytes) return undefined;
  if (offered instanceof Uint8Array) return offered;
  try {
    const clone = offered.clone(0, lengthBytes);
    message.lender = offered;
    return clone;
  } catch {
    // As many have clones of it as there can be.
    return undefined;
  }
}

/** The data has landed: what was lent for it is the requester's alone again, who may have released it meanwhile. */
export function giveBackLent(message: Message): void {
  const { large, lender } = message;
  if (lender === undefined || !(large instanceof SharedBuffer)) return;
  message.large = lender.isHeld ? lender : copyOf(large.bytes);
  large.release();
}

/** Lets go of the memory that the message holds for its data; what is lent stays the requester's. */
export function releaseLarge(message: Message): void {
  const { large, lender } = message;
  if (large === undefined) return;
  message.forgetLarge();
  if (large instanceof SharedBuffer && large !== lender && large.isHeld) large.release();
}

/**
 * Receives a transfer into a SharedBuffer, or into any memory of the user's: what is not shared memory cannot be reached
 * from outside, so its data lands in the pool and is copied once, and counted.
 */
export function receiveIntoAny(
  buffers: BufferCarrier,
  transfer: number,
  landing: SharedBuffer | Uint8Array,
  lengthBytes: number,
  host: { readonly pool: SlabPool; readonly statistics: StatisticsBlock },
  onDone: (error: HeddleError | undefined) => void,
): void {
  const bytes = landing instanceof SharedBuffer ? landing.bytes : landing;
  if (bytes.buffer instanceof SharedArrayBuffer) {
    buffers.receive(transfer, bytes.subarray(0, lengthBytes), onDone);
    return;
  }
  const between = host.pool.allocate(lengthBytes);
  buffers.receive(transfer, between.bytes, (error) => {
    if (error === undefined) {
      copyBytes(bytes, 0, between.bytes);
      host.statistics.add('largeBytesCopied', lengthBytes);
    }
    between.release();
    onDone(error);
  });
}

/** The number under which the data of a large message's record goes beside the records; undefined when it does not. */
export function announcedTransfer(
  kindAndFlags: number,
  block: MemoryBlock,
  start: number,
  length: number,
): number | undefined {
  const offset = dataOffset(kindAndFlags);
  if (offset + descriptorBytes > length) return undefined;
  const at = start + offset;
  return (block.bytes.readInt32LE(at + 20) & descriptorOfTransfer) === 0 ? undefined : block.bytes.readInt32LE(at + 4);
}

/** Takes over a buffer that the peer moved here. */
export function adoptMoved(link: Link, pool: SlabPool, bytes: Buffer, at: number): SharedBuffer {
  const slabId = bytes.readInt32LE(at + 4);
  const memory = link.sharedSlab(slabId);
  if (memory === undefined) {
    throw new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer named slabId=${slabId}, which it never handed over`);
  }
  return pool.adopt(
    slabId,
    memory,
    bytes.readInt32LE(at + 8),
    bytes.readInt32LE(at + 12),
    bytes.readInt32LE(at + 16),
    bytes.readInt32LE(at),
  );
}
