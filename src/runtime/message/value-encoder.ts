import { HeddleError } from '../../errors.js';
import { copyBytes } from '../../transports/copy-bytes.js';
import { SharedBuffer } from '../memory/shared-buffer.js';
import { numberOf } from './companions.js';
import { type KeptTexts, keptStringLength } from './kept-texts.js';
import { noLayout, type ObjectLayout, ObjectLayouts } from './object-layouts.js';
import { viewOf } from './target-views.js';
import {
  arrayBufferKind,
  asReference,
  dataViewKind,
  floatScratch,
  floatScratchBytes,
  maximumDepth,
  type NativeStrings,
  tag,
  typedArrayKinds,
} from './value-format.js';

/**
 * Every function here writes at `position`, never at or past `end`, and returns where it stopped, or -1 when it does
 * not fit. Position and end travel as arguments, so that a getter or toJSON that encodes something else meanwhile
 * does no harm.
 */

/** Strings up to this length are written by a loop, longer ones by native code: its call costs more than the loop. */
const loopedStringLength = 24;
const hasOwn = Object.prototype.hasOwnProperty;
/** Of this thread. They are about speed alone: what is written does not depend on what was written before. */
const layouts = new ObjectLayouts({ writeText, writeValue });

/** Writes a value; see value-format.ts. Throws what cannot be sent, and what getters throw. */
export function writeValue(value: unknown, target: Buffer, position: number, end: number, depth: number): number {
  switch (typeof value) {
    case 'string':
      return writeString(value, target, position, end);
    case 'number':
      return writeNumber(value, target, position, end);
    case 'boolean':
      if (position >= end) return -1;
      target[position] = value ? 0xc3 : 0xc2;
      return position + 1;
    case 'object':
      if (value === null) {
        if (position >= end) return -1;
        target[position] = 0xc0;
        return position + 1;
      }
      return writeObject(value, target, position, end, depth);
    case 'undefined':
      return writeTag(tag.undefined, target, position, end);
    case 'bigint':
      return writeBigInt(value, target, position, end);
    default:
      throw unsendable(`a ${typeof value} cannot be sent`);
  }
}

/** The reason why a value cannot be encoded; the codec adds where it was found. */
export function unsendable(reason: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_CODEC', reason);
}

function writeNumber(value: number, target: Buffer, position: number, end: number): number {
  if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
    if (position + 5 > end) return writeNumberAtEnd(value, target, position, end);
    if (value >= 0) {
      if (value < 0x80) {
        target[position] = value;
        return position + 1;
      }
      if (value < 0x100) {
        target[position] = 0xcc;
        target[position + 1] = value;
        return position + 2;
      }
    } else if (value >= -0x20) {
      target[position] = value + 0x100;
      return position + 1;
    }
    if (value >= -0x8000 && value < 0x8000) {
      target[position] = 0xd1;
      target[position + 1] = value >> 8;
      target[position + 2] = value;
      return position + 3;
    }
    target[position] = 0xd2;
    return writeUint32(value, target, position + 1);
  }
  if (position + 9 > end) return -1;
  target[position] = 0xcb;
  floatScratch[0] = value;
  return writeFloatScratch(target, position + 1);
}

/** An integer where fewer than 5 bytes are left: small ones still fit. */
function writeNumberAtEnd(value: number, target: Buffer, position: number, end: number): number {
  const lengthBytes = value >= -0x20 && value < 0x80 ? 1 : value >= 0 && value < 0x100 ? 2 : 3;
  if (value < -0x8000 || value >= 0x8000 || position + lengthBytes > end) return -1;
  if (lengthBytes === 1) {
    target[position] = value;
  } else if (lengthBytes === 2) {
    target[position] = 0xcc;
    target[position + 1] = value;
  } else {
    target[position] = 0xd1;
    target[position + 1] = value >> 8;
    target[position + 2] = value;
  }
  return position + lengthBytes;
}

function writeUint32(value: number, target: Buffer, position: number): number {
  target[position] = value >>> 24;
  target[position + 1] = value >>> 16;
  target[position + 2] = value >>> 8;
  target[position + 3] = value;
  return position + 4;
}

function writeFloatScratch(target: Buffer, position: number): number {
  const bytes = floatScratchBytes;
  target[position] = bytes[7]!;
  target[position + 1] = bytes[6]!;
  target[position + 2] = bytes[5]!;
  target[position + 3] = bytes[4]!;
  target[position + 4] = bytes[3]!;
  target[position + 5] = bytes[2]!;
  target[position + 6] = bytes[1]!;
  target[position + 7] = bytes[0]!;
  return position + 8;
}

function writeTag(type: number, target: Buffer, position: number, end: number): number {
  if (position + 3 > end) return -1;
  target[position] = 0xd4;
  target[position + 1] = type;
  target[position + 2] = 0;
  return position + 3;
}

function writeString(text: string, target: Buffer, position: number, end: number): number {
  const { length } = text;
  if (length <= loopedStringLength) {
    if (position + 1 + length > end) return -1;
    target[position] = 0xa0 | length;
    const start = position + 1;
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) break;
      target[start + i] = unit;
    }
    if (i === length) return start + length;
  }
  return writeLongString(text, target, position, end);
}

function writeLongString(text: string, target: Buffer, position: number, end: number): number {
  // A UTF-16 unit takes 3 bytes of UTF-8 at the most, so these headers are wide enough whatever comes out.
  const mostBytes = text.length * 3;
  const headerBytes = mostBytes < 0x100 ? 2 : mostBytes < 0x10000 ? 3 : 5;
  const start = position + headerBytes;
  if (start + text.length > end) return -1;
  // utf8Write stops at the last whole character that fits; near the end the exact length must be known first.
  if (start + mostBytes > end && start + Buffer.byteLength(text) > end) return -1;
  const written = (target as unknown as NativeStrings).utf8Write(text, start, end - start);
  if (headerBytes === 2) {
    target[position] = 0xd9;
    target[position + 1] = written;
  } else if (headerBytes === 3) {
    target[position] = 0xda;
    target[position + 1] = written >> 8;
    target[position + 2] = written;
  } else {
    target[position] = 0xdb;
    writeUint32(written, target, position + 1);
  }
  return start + written;
}

function writeBigInt(value: bigint, target: Buffer, position: number, end: number): number {
  if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) {
    if (position + 9 > end) return -1;
    target[position] = BigInt.asIntN(64, value) === value ? 0xd3 : 0xcf;
    const bits = BigInt.asUintN(64, value);
    writeUint32(Number(bits >> 32n), target, position + 1);
    return writeUint32(Number(bits & 0xffff_ffffn), target, position + 5);
  }
  let hex = (value < 0n ? -value : value).toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  const lengthBytes = 1 + hex.length / 2;
  if (position + 6 + lengthBytes > end) return -1;
  target[position] = 0xc9;
  writeUint32(lengthBytes, target, position + 1);
  target[position + 5] = tag.bigint;
  target[position + 6] = value < 0n ? 1 : 0;
  target.write(hex, position + 7, 'hex');
  return position + 6 + lengthBytes;
}

function writeObject(value: object, target: Buffer, position: number, end: number, depth: number): number {
  if (depth >= maximumDepth) throw unsendable(`it is nested more than ${maximumDepth} levels deep, or contains itself`);
  if (value.constructor === Object) return writeFields(value, target, position, end, depth);
  if (Array.isArray(value)) return writeArray(value, target, position, end, depth);
  return writeSpecial(value, target, position, end, depth);
}

function writeFields(value: object, target: Buffer, position: number, end: number, depth: number): number {
  let cursor = position + 3;
  if (cursor > end) return -1;
  let count = 0;
  for (const key in value) {
    if (!hasOwn.call(value, key)) continue;
    cursor = writeString(key, target, cursor, end);
    if (cursor < 0) return -1;
    cursor = writeValue((value as Record<string, unknown>)[key], target, cursor, end, depth + 1);
    if (cursor < 0) return -1;
    count += 1;
  }
  if (count > 0xffff) return writeManyFields(value, target, position, end, depth);
  target[position] = 0xde;
  target[position + 1] = count >> 8;
  target[position + 2] = count;
  return cursor;
}

/**
 * Writes a value that is a message by itself: as {@link writeValue} does, and faster where objects of the same layout come
 * again and again.
 */
export function writeMessage(value: unknown, target: Buffer, position: number, end: number): number {
  if (typeof value !== 'object' || value === null || value.constructor !== Object) {
    return writeValue(value, target, position, end, 0);
  }
  const layout = layoutOf(value);
  if (layout !== noLayout) return layout.write(value, target, viewOf(target), position, end);
  const cursor = writeFields(value, target, position, end, 0);
  layouts.learn(value);
  return cursor;
}

/** The layout of an object that has just those keys in that order, of its own; {@link noLayout} if there is none. */
function layoutOf(value: object): ObjectLayout {
  let count = 0;
  let layout = noLayout;
  for (const key in value) {
    if (count === 0) layout = layouts.of(key);
    else if (layout.names[count] !== key) layout = layout.branch(count, key);
    if (layout === noLayout || !hasOwn.call(value, key)) return noLayout;
    count++;
  }
  return layout.names.length === count ? layout : layout.ending(count);
}

/** Writes a string of an object that has a layout. */
function writeText(
  text: string,
  texts: KeptTexts,
  number: number,
  target: Buffer,
  position: number,
  end: number,
): number {
  const cursor = writeString(text, target, position, end);
  const { length } = text;
  // As many bytes as characters: the characters are single bytes.
  if (length <= keptStringLength && cursor === position + 1 + length) texts.keep(number, text, target, position + 1);
  return cursor;
}

function writeManyFields(value: object, target: Buffer, position: number, end: number, depth: number): number {
  const keys = Object.keys(value);
  if (position + 5 > end) return -1;
  target[position] = 0xdf;
  let cursor = writeUint32(keys.length, target, position + 1);
  for (const key of keys) {
    cursor = writeString(key, target, cursor, end);
    if (cursor < 0) return -1;
    cursor = writeValue((value as Record<string, unknown>)[key], target, cursor, end, depth + 1);
    if (cursor < 0) return -1;
  }
  return cursor;
}

function writeArrayHeader(length: number, target: Buffer, position: number, end: number): number {
  if (length < 0x10) {
    if (position >= end) return -1;
    target[position] = 0x90 | length;
    return position + 1;
  }
  if (length < 0x10000) {
    if (position + 3 > end) return -1;
    target[position] = 0xdc;
    target[position + 1] = length >> 8;
    target[position + 2] = length;
    return position + 3;
  }
  if (position + 5 > end) return -1;
  target[position] = 0xdd;
  return writeUint32(length, target, position + 1);
}

function writeArray(value: readonly unknown[], target: Buffer, position: number, end: number, depth: number): number {
  // The length is read once: a getter that changes the array must not make the count wrong.
  const { length } = value;
  let cursor = writeArrayHeader(length, target, position, end);
  for (let i = 0; i < length && cursor >= 0; i++) cursor = writeValue(value[i], target, cursor, end, depth + 1);
  return cursor;
}

function writeTaggedArray(
  type: number,
  items: readonly unknown[],
  target: Buffer,
  position: number,
  end: number,
  depth: number,
): number {
  const cursor = writeTag(type, target, position, end);
  return cursor < 0 ? -1 : writeArray(items, target, cursor, end, depth);
}

/** What is neither a plain object nor an array. */
function writeSpecial(value: object, target: Buffer, position: number, end: number, depth: number): number {
  if (ArrayBuffer.isView(value)) return writeView(value, target, position, end);
  const reference = (value as { [asReference]?: () => readonly unknown[] })[asReference];
  if (reference !== undefined) {
    return writeTaggedArray(tag.reference, reference.call(value), target, position, end, depth);
  }
  if (value instanceof Date) {
    if (position + 10 > end) return -1;
    target[position] = 0xd7;
    target[position + 1] = tag.date;
    floatScratch[0] = value.getTime();
    return writeFloatScratch(target, position + 2);
  }
  if (value instanceof Map) {
    return writeTaggedArray(tag.map, [...value].flat(1), target, position, end, depth);
  }
  if (value instanceof Set) return writeTaggedArray(tag.set, [...value], target, position, end, depth);
  if (value instanceof Error) return writeError(value, target, position, end, depth);
  if (value instanceof RegExp) {
    return writeTaggedArray(tag.regExp, [value.source, value.flags], target, position, end, depth);
  }
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) {
    return writeBytes(arrayBufferKind, new Uint8Array(value), target, position, end);
  }
  if (value instanceof SharedBuffer) {
    const cursor = writeTag(tag.buffer, target, position, end);
    return cursor < 0 ? -1 : writeNumber(numberOf(value), target, cursor, end);
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) {
    throw unsendable(`a ${value.constructor.name} cannot be sent`);
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    return writeValue(toJSON.call(value), target, position, end, depth + 1);
  }
  if (value instanceof Number || value instanceof String || value instanceof Boolean) {
    return writeValue(value.valueOf(), target, position, end, depth);
  }
  return writeFields(value, target, position, end, depth);
}

function writeError(error: Error, target: Buffer, position: number, end: number, depth: number): number {
  const { code } = error as { code?: unknown };
  const items = [
    String(error.name),
    String(error.message),
    typeof error.stack === 'string' ? error.stack : undefined,
    typeof code === 'string' || typeof code === 'number' ? code : undefined,
    error.cause,
    error instanceof AggregateError ? [...error.errors] : undefined,
  ];
  return writeTaggedArray(tag.error, items, target, position, end, depth);
}

function writeView(view: ArrayBufferView, target: Buffer, position: number, end: number): number {
  if (Buffer.isBuffer(view)) {
    const { length } = view;
    if (position + 5 + length > end) return -1;
    target[position] = 0xc6;
    writeUint32(length, target, position + 1);
    copyBytes(target, position + 5, view);
    return position + 5 + length;
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  if (view instanceof DataView) return writeBytes(dataViewKind, bytes, target, position, end);
  const kind = typedArrayKinds.findIndex((typedArray) => view instanceof typedArray);
  if (kind < 0) throw unsendable(`a ${view.constructor.name} cannot be sent`);
  return writeBytes(kind, bytes, target, position, end);
}

function writeBytes(kind: number, bytes: Uint8Array, target: Buffer, position: number, end: number): number {
  const { length } = bytes;
  if (position + 7 + length > end) return -1;
  target[position] = 0xc9;
  writeUint32(length + 1, target, position + 1);
  target[position + 5] = tag.typedArray;
  target[position + 6] = kind;
  copyBytes(target, position + 7, bytes);
  return position + 7 + length;
}
