import { HeddleError } from '../../errors.js';
import { copyBytes } from '../../transports/copy-bytes.js';

/**
 * Several pieces of memory that travel as one message and arrive as the same number of pieces (scatter/gather), without
 * being joined by the sender first.
 *
 * @example
 * connection.send(segments(header, body));
 * // at the receiver: const [header, body] = message.segments;
 */
export class Segments {
  /** The pieces, in order. */
  readonly pieces: readonly Uint8Array[];

  constructor(pieces: readonly Uint8Array[]) {
    for (const piece of pieces) {
      if (!(piece instanceof Uint8Array)) {
        throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'every segment must be a Uint8Array or Buffer');
      }
    }
    this.pieces = pieces;
  }

  /** Bytes of the table and of the pieces together, as they lie in a message's data. */
  get encodedBytes(): number {
    let total = 4 + 4 * this.pieces.length;
    for (const piece of this.pieces) total += piece.length;
    return total;
  }
}

/** Makes one message of several pieces of memory; see {@link Segments}. */
export function segments(...pieces: Uint8Array[]): Segments {
  return new Segments(pieces);
}

/**
 * Writes the pieces as they lie in a message's data: their number, their lengths, their bytes; all numbers 32-bit
 * little-endian. The inverse of {@link readSegments}.
 */
export function writeSegments(value: Segments, target: Buffer, start: number): number {
  const pieces = value.pieces;
  let offset = target.writeUInt32LE(pieces.length, start);
  for (const piece of pieces) offset = target.writeUInt32LE(piece.length, offset);
  for (const piece of pieces) {
    copyBytes(target, offset, piece);
    offset += piece.length;
  }
  return offset;
}

/** Views of the pieces in `source` from `start` to `end`. Throws `ERR_HEDDLE_MALFORMED` when the table does not fit. */
export function readSegments(source: Buffer, start: number, end: number): Buffer[] {
  const count = end - start >= 4 ? source.readUInt32LE(start) : -1;
  let offset = start + 4 + 4 * count;
  if (count < 0 || offset > end) {
    throw new HeddleError('ERR_HEDDLE_MALFORMED', `a segment table of ${count} entries does not fit its message`);
  }
  const pieces: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const next = offset + source.readUInt32LE(start + 4 + 4 * index);
    if (next > end) throw new HeddleError('ERR_HEDDLE_MALFORMED', `segment ${index} reaches past its message`);
    pieces.push(source.subarray(offset, next));
    offset = next;
  }
  return pieces;
}
