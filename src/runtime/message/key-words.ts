/*
 * What generated code for objects of known keys is made of: a key as it lies in a message, and the places at which it is
 * written, or compared, four bytes at a time.
 */

/** A key of up to 31 characters of a byte each, with its header. */
export function keyBytes(name: string): Buffer {
  return Buffer.from([0xa0 | name.length, ...Buffer.from(name, 'latin1')]);
}

/**
 * Where words of four bytes begin that together are these bytes; undefined for fewer than four. The last one overlaps the
 * one before where the length is no multiple of four.
 */
export function wordStarts({ length }: Buffer): readonly number[] | undefined {
  if (length < 4) return undefined;
  const starts = Array.from({ length: length >> 2 }, (_, i) => i * 4);
  if (length % 4 !== 0) starts.push(length - 4);
  return starts;
}
