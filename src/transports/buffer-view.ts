/**
 * The class of all Buffers. `Buffer.from(memory, ...)` makes one, too, and `subarray`, after questions to native code that take two
 * or three times as long as the view.
 */
const BufferClass = (Buffer as unknown as { readonly [Symbol.species]: unknown })[Symbol.species] as new (
  memory: ArrayBufferLike,
  byteOffset: number,
  lengthBytes: number,
) => Buffer;

/** A view of a piece of memory. Nothing is copied. */
export function bufferView(memory: ArrayBufferLike, byteOffset: number, lengthBytes: number): Buffer {
  return new BufferClass(memory, byteOffset, lengthBytes);
}
