import type { MemoryBlock } from './record.js';

/** From this length on, in bytes, a copy of aligned shared memory is quicker by {@link Buffer.fill}. */
const longBytes = 2048;
/** The same where source and target lie differently to words of 8 bytes. */
export const longUnalignedBytes = 256;
const { fill } = Buffer.prototype;

/**
 * Copies all of `source` to byte `at` of `target`, as `target.set(source, at)` does.
 *
 * For memory that is shared, `TypedArray.prototype.set` has to copy word by word, and byte by byte where source and target are
 * not aligned alike: 160 ns for 4 KiB, or 1140, and 36 or 290 µs for a mebibyte. `Buffer.fill` with as many bytes as there is
 * room is a plain copy, which takes 112 ns and 22 µs whichever way they lie, some 45 ns of it for the call. That the bytes may
 * arrive in any order is no matter: nobody looks at them before they are published.
 *
 * The two must not overlap.
 */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array): void {
  const length = source.length;
  if (length >= longUnalignedBytes && isSlowToSet(target, at, source, length)) {
    fill.call(target as Buffer, source, at, at + length);
  } else target.set(source, at);
}

/** A copy of `source`, which may be shared memory, in memory that is not. */
export function copyOf(source: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafe(source.length);
  copyBytes(copy, 0, source);
  return copy;
}

/** As {@link copyBytes}, into a block of records. */
export function copyIntoBlock(block: MemoryBlock, at: number, source: Uint8Array): void {
  const target = block.bytes;
  const length = source.length;
  if (
    length >= longUnalignedBytes &&
    block.isShared &&
    (length >= longBytes || ((target.byteOffset + at - source.byteOffset) & 7) !== 0)
  ) {
    fill.call(target, source, at, at + length);
  } else target.set(source, at);
}

function isSlowToSet(target: Uint8Array, at: number, source: Uint8Array, length: number): boolean {
  const isAlignedAlike = ((target.byteOffset + at - source.byteOffset) & 7) === 0;
  if (isAlignedAlike && length < longBytes) return false;
  return isShared(target) || isShared(source);
}

function isShared(bytes: Uint8Array): boolean {
  return (bytes.buffer as ArrayBufferLike) instanceof SharedArrayBuffer;
}
