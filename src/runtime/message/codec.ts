import { HeddleError, thrownFacts } from '../../errors.js';
import { findUnsendable } from './unsendable.js';
import { ValueDecoder } from './value-decoder.js';
import { writeMessage } from './value-encoder.js';

/** How values become bytes and values again. One codec serves a whole system: both sides must use the same. */
export interface Codec {
  /** Told to the peer when a link is set up, so that a difference is found then and not in a message. */
  readonly name: string;
  /**
   * Encodes `value` into `target` from byte `start`, never at or past `end`; returns the end offset, or -1 if it does
   * not fit (what lies from `start` to `end` is then undefined). Throws `ERR_HEDDLE_CODEC`, with its cause, when the
   * value cannot be encoded.
   */
  encodeInto(value: unknown, target: Buffer, start: number, end: number): number;
  /** For values that did not fit: encodes to a fresh Buffer. Throws `ERR_HEDDLE_CODEC`. */
  encode(value: unknown): Buffer;
  /**
   * Decodes exactly the bytes from `start` to `end`. Throws `ERR_HEDDLE_CODEC` on malformed input. The result does not
   * refer to the source, which is reused for other messages as soon as the call returns.
   */
  decode(source: Buffer, start: number, end: number): unknown;
}

/** The largest value that can be encoded, in bytes. */
export const maximumEncodedBytes = 2 ** 30;
const firstEncodeBytes = 64 * 1024;

/** One decoder for the thread: it remembers short strings. */
export const valueDecoder = new ValueDecoder();

function encodeFailed(value: unknown, cause: unknown): HeddleError {
  const found = findUnsendable(value);
  const reason = found?.reason ?? thrownFacts(cause).message;
  const path = found?.path ?? 'value';
  return new HeddleError(
    'ERR_HEDDLE_CODEC',
    `a value cannot be encoded: at ${path}, ${reason}. Send data only: primitives, plain objects, arrays, Map, Set, ` +
      'Date, RegExp, Error, typed arrays',
    { cause, details: { path, reason } },
  );
}

function decodeFailed(cause: unknown, codec: string): HeddleError {
  if (cause instanceof HeddleError) return cause;
  const reason = thrownFacts(cause).message;
  return new HeddleError(
    'ERR_HEDDLE_CODEC',
    `a message does not decode with codec=${codec}: ${reason}. Both sides must use the same codec; close the link if ` +
      'the peer is not yours',
    { cause },
  );
}

function requireRange(buffer: Buffer, start: number, end: number): void {
  if (start >= 0 && start <= end && end <= buffer.length) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `a codec works inside of its buffer: 0 <= start <= end <= length, not start=${start} end=${end} ` +
      `length=${buffer.length}`,
    { details: { start, end, length: buffer.length } },
  );
}

/**
 * The codec that is used unless another is given: compact, in place, and every message stands alone.
 *
 * It carries what structured clone does, except for cycles: primitives (bigint, undefined, -0 and NaN too), plain
 * objects, arrays, Map, Set, Date, RegExp, ArrayBuffer and typed arrays (copied), and errors with class name, message,
 * stack, code and cause. An object that occurs twice arrives as two. An instance of any other class arrives as what
 * its `toJSON` returns, or as a plain object of its own fields. Functions, symbols, cycles and what is nested more
 * than 256 levels deep throw. Lone surrogates in strings arrive as U+FFFD.
 */
export const compactCodec: Codec = {
  name: 'compact',

  encodeInto(value, target, start, end) {
    requireRange(target, start, end);
    try {
      return writeMessage(value, target, start, end);
    } catch (cause) {
      throw encodeFailed(value, cause);
    }
  },

  encode(value) {
    for (let sizeBytes = firstEncodeBytes; sizeBytes <= maximumEncodedBytes; sizeBytes *= 4) {
      const target = Buffer.allocUnsafeSlow(sizeBytes);
      const end = compactCodec.encodeInto(value, target, 0, sizeBytes);
      if (end >= 0) return target.subarray(0, end);
    }
    throw new HeddleError(
      'ERR_HEDDLE_CODEC',
      `a value takes more than maximumEncodedBytes=${maximumEncodedBytes} when encoded: send it in parts, or as data`,
      { details: { maximumEncodedBytes } },
    );
  },

  decode(source, start, end) {
    requireRange(source, start, end);
    try {
      return valueDecoder.decode(source, start, end);
    } catch (cause) {
      throw decodeFailed(cause, 'compact');
    }
  },
};

/** JSON as a codec, for peers and tools that must read the messages; it carries what JSON carries. */
export const jsonCodec: Codec = {
  name: 'json',

  encodeInto(value, target, start, end) {
    requireRange(target, start, end);
    const text = jsonText(value);
    if (start + text.length > end || start + Buffer.byteLength(text) > end) return -1;
    return start + target.write(text, start, end - start, 'utf8');
  },

  encode(value) {
    return Buffer.from(jsonText(value), 'utf8');
  },

  decode(source, start, end) {
    requireRange(source, start, end);
    // No bytes stand for undefined, which JSON does not have and every other codec carries.
    if (start === end) return undefined;
    try {
      return JSON.parse(source.toString('utf8', start, end));
    } catch (cause) {
      throw decodeFailed(cause, 'json');
    }
  },
};

function jsonText(value: unknown): string {
  if (value === undefined) return '';
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`a ${typeof value} cannot be sent`);
    return text;
  } catch (cause) {
    throw encodeFailed(value, cause);
  }
}
