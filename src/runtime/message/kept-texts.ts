import type { NativeStrings } from './value-format.js';

/** Strings up to this length are kept, so that their header is one byte. */
export const keptStringLength = 24;
/** V8 may keep a string of this length or more by reference to a longer one that it is a part of. */
const slicedStringLength = 13;
/** A field whose strings so often in a row differed from the one before has strings that do not come again. */
const missesBeforeGivingUp = 16;
/** No string that is kept has its length. */
const neverSent = '-'.repeat(keptStringLength + 1);
/** Words of four bytes that a kept string takes with its header, and the bytes that writing it may touch. */
const textWords = keptStringLength / 4 + 1;
export const touchedTextBytes = textWords * 4;
/** Words are kept, and written, in the order of this machine's bytes. */
const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The short strings that came last in the fields of objects of one kind, as they lie in a message: they come again. */
export class KeptTexts {
  readonly #texts: string[];
  readonly #words: Int32Array;
  /** The same memory. */
  readonly #bytes: Uint8Array;
  readonly #misses: Uint8Array;

  constructor(fields: number) {
    this.#texts = new Array<string>(fields).fill('');
    this.#words = new Int32Array(fields * textWords);
    this.#bytes = new Uint8Array(this.#words.buffer);
    this.#misses = new Uint8Array(fields);
    for (let field = 0; field < fields; field++) this.#bytes[field * touchedTextBytes] = 0xa0;
  }

  /**
   * Writes `text` if it is what came in that field last, and returns its end; -1 otherwise. Room for
   * {@link touchedTextBytes} is needed.
   */
  write(field: number, text: string, target: DataView, position: number): number {
    if (text !== this.#texts[field]) return -1;
    if (this.#misses[field]! > 0) this.#misses[field] = 0;
    const words = this.#words;
    const first = field * textWords;
    const { length } = text;
    // What is written behind the end is overwritten, by the next field or message.
    for (let i = 0; i <= length; i += 4) target.setInt32(position + i, words[first + (i >> 2)]!, isLittleEndian);
    return position + 1 + length;
  }

  /** Keeps the string whose characters were written at `start`. */
  keep(field: number, text: string, source: Buffer, start: number): void {
    const misses = this.#misses[field]!;
    if (misses === missesBeforeGivingUp) return;
    this.#misses[field] = misses + 1;
    if (misses + 1 === missesBeforeGivingUp) {
      // What comes as a string of its own each time is compared with one that is never sent.
      this.#texts[field] = neverSent;
      return;
    }
    const { length } = text;
    const first = field * touchedTextBytes;
    this.#bytes[first] = 0xa0 | length;
    for (let i = 0; i < length; i++) this.#bytes[first + 1 + i] = source[start + i]!;
    this.#texts[field] =
      length < slicedStringLength ? text : (source as unknown as NativeStrings).latin1Slice(start, start + length);
  }
}
