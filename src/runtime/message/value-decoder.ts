import { HeddleError } from '../../errors.js';
import type { CompanionReader } from './companions.js';
import { canHaveShape, type FieldReader, ObjectShapes, type Shape } from './object-shapes.js';
import { keptViewBytes, makeView } from './target-views.js';
import {
  arrayBufferKind,
  dataViewKind,
  errorClasses,
  maximumDepth,
  type NativeStrings,
  type ReferenceReader,
  tag,
  typedArrayKinds,
} from './value-format.js';

/** Short strings, keys above all, repeat from message to message: the last one of each hash is kept. */
const cachedStringBytes = 24;
const cacheEntries = 2048;
const cachedStringWords = cachedStringBytes / 4;
const noSource = Buffer.alloc(0);
/** Arrays up to this length are made at once; longer ones grow, so that a false length costs a peer its bytes. */
const preallocatedLength = 256;

/**
 * Reads values; see value-format.ts. Nothing that it returns refers to the memory that it read from. Everything is
 * checked: bytes from a hostile peer make it throw, and cost no more than in proportion to their number.
 */
export class ValueDecoder implements FieldReader {
  /** @internal The bytes that are read. */
  source: Buffer = noSource;
  /** @internal The same bytes, for reading several at once. */
  view: DataView = makeView(noSource);
  /** @internal Where the next token lies. */
  position = 0;
  /** @internal Where the value must end. */
  end = 0;
  #viewed: Buffer = noSource;
  #readReference: ReferenceReader | undefined;
  #readCompanion: CompanionReader | undefined;
  readonly #strings = new Array<string>(cacheEntries).fill('');
  /** The bytes of those strings, so that they are compared four at a time. */
  readonly #stringWords = new Int32Array(cacheEntries * cachedStringWords);
  readonly #shapes = new ObjectShapes();

  /**
   * Reads the one value that lies from `start` to `end`. Throws `ERR_HEDDLE_CODEC` or what constructors throw, and
   * refuses references, and buffers that travel beside the value, unless there is someone to read them.
   */
  decode(
    source: Buffer,
    start: number,
    end: number,
    readReference?: ReferenceReader,
    readCompanion?: CompanionReader,
  ): unknown {
    // No user code runs while reading, except for Error.prepareStackTrace: what that decodes is another decoder's.
    if (this.source !== noSource) {
      return new ValueDecoder().decode(source, start, end, readReference, readCompanion);
    }
    if (source !== this.#viewed) this.#lookAt(source);
    this.source = source;
    this.position = start;
    this.end = end;
    this.#readReference = readReference;
    this.#readCompanion = readCompanion;
    try {
      const value = this.#read(0);
      if (this.position !== end) throw this.#malformed('bytes are left over');
      return value;
    } finally {
      this.source = noSource;
      this.#readReference = undefined;
      this.#readCompanion = undefined;
      if (source.length > keptViewBytes) this.#lookAt(noSource);
    }
  }

  /** The view is kept for the next message, which often lies in the same place: a ring. */
  #lookAt(source: Buffer): void {
    this.view = makeView(source);
    this.#viewed = source;
  }

  #malformed(what: string): HeddleError {
    const details = { position: this.position, end: this.end };
    return new HeddleError(
      'ERR_HEDDLE_CODEC',
      `a message does not decode: ${what} (position=${details.position} end=${details.end}). Both sides must use the ` +
        'same codec; close the link if the peer is not yours',
      { details },
    );
  }

  /** Takes `lengthBytes` from what is left and returns where they start. */
  #take(lengthBytes: number): number {
    const start = this.position;
    if (lengthBytes > this.end - start) throw this.#malformed('it ends too early');
    this.position = start + lengthBytes;
    return start;
  }

  #uint16(): number {
    const start = this.#take(2);
    return this.view.getUint16(start);
  }

  #uint32(): number {
    const start = this.#take(4);
    return this.view.getUint32(start);
  }

  #float64(): number {
    const start = this.#take(8);
    return this.view.getFloat64(start);
  }

  #read(depth: number): unknown {
    const token = this.source[this.#take(1)]!;
    if (token < 0x80) return token;
    if (token >= 0xe0) return token - 0x100;
    if (token < 0x90) return this.#object(token & 0x0f, depth);
    if (token < 0xa0) return this.#array(token & 0x0f, depth);
    if (token < 0xc0) return this.#string(token & 0x1f);
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc6:
        return this.#buffer(this.#uint32());
      case 0xc9:
        return this.#extension(this.#uint32());
      case 0xcb:
        return this.#float64();
      case 0xcc:
        return this.source[this.#take(1)]!;
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return (BigInt(this.#uint32()) << 32n) | BigInt(this.#uint32());
      case 0xd0:
        return (this.source[this.#take(1)]! << 24) >> 24;
      case 0xd1:
        return (this.#uint16() << 16) >> 16;
      case 0xd2:
        return this.#uint32() | 0;
      case 0xd3:
        return BigInt.asIntN(64, (BigInt(this.#uint32()) << 32n) | BigInt(this.#uint32()));
      case 0xd4:
        return this.#tagged(depth);
      case 0xd7:
        if (this.source[this.#take(1)]! !== tag.date) throw this.#malformed('an unknown tag');
        return new Date(this.#float64());
      case 0xd9:
        return this.#string(this.source[this.#take(1)]!);
      case 0xda:
        return this.#string(this.#uint16());
      case 0xdb:
        return this.#string(this.#uint32());
      case 0xdc:
        return this.#array(this.#uint16(), depth);
      case 0xdd:
        return this.#array(this.#uint32(), depth);
      case 0xde:
        return this.#object(this.#uint16(), depth);
      case 0xdf:
        return this.#object(this.#uint32(), depth);
      default:
        throw this.#malformed(`an unknown token ${token}`);
    }
  }

  #string(lengthBytes: number): string {
    const start = this.#take(lengthBytes);
    if (lengthBytes > cachedStringBytes || lengthBytes < 4) {
      return lengthBytes < 4 ? this.#shortest(start, lengthBytes) : this.#utf8(start, lengthBytes);
    }
    // The last word overlaps the one before where the length is no multiple of four.
    const view = this.view;
    const last = start + lengthBytes - 4;
    let hash = lengthBytes;
    let allBits = 0;
    for (let at = start; at < last; at += 4) {
      const word = view.getInt32(at, true);
      allBits |= word;
      hash = Math.imul(hash ^ word, 0x9e3779b1);
    }
    const lastWord = view.getInt32(last, true);
    if (((allBits | lastWord) & 0x80808080) !== 0) return this.#utf8(start, lengthBytes);
    hash = Math.imul(hash ^ lastWord, 0x9e3779b1);
    const entry = (hash ^ (hash >>> 15)) & (cacheEntries - 1);
    const cached = this.#strings[entry]!;
    const words = this.#stringWords;
    let word = entry * cachedStringWords;
    if (cached.length === lengthBytes) {
      let at = start;
      while (at < last && view.getInt32(at, true) === words[word]) {
        at += 4;
        word++;
      }
      if (at >= last && lastWord === words[word]) return cached;
      word = entry * cachedStringWords;
    }
    const text = (this.source as unknown as NativeStrings).latin1Slice(start, start + lengthBytes);
    this.#strings[entry] = text;
    for (let at = start; at < last; at += 4) words[word++] = view.getInt32(at, true);
    words[word] = lastWord;
    return text;
  }

  #utf8(start: number, lengthBytes: number): string {
    return (this.source as unknown as NativeStrings).utf8Slice(start, start + lengthBytes);
  }

  /** A string of fewer than four bytes. */
  #shortest(start: number, lengthBytes: number): string {
    if (lengthBytes === 0) return '';
    const source = this.source;
    let word = 0;
    for (let i = 0; i < lengthBytes; i++) word = (word << 8) | source[start + i]!;
    if ((word & 0x808080) !== 0) return this.#utf8(start, lengthBytes);
    const entry = (Math.imul(word, 0x9e3779b1) >>> 15) & (cacheEntries - 1);
    const cached = this.#strings[entry]!;
    if (cached.length === lengthBytes && this.#stringWords[entry * cachedStringWords] === word) return cached;
    const text = (this.source as unknown as NativeStrings).latin1Slice(start, start + lengthBytes);
    this.#strings[entry] = text;
    this.#stringWords[entry * cachedStringWords] = word;
    return text;
  }

  #key(): string {
    const token = this.source[this.#take(1)]!;
    if (token >= 0xa0 && token < 0xc0) return this.#string(token & 0x1f);
    if (token === 0xd9) return this.#string(this.source[this.#take(1)]!);
    if (token === 0xda) return this.#string(this.#uint16());
    if (token === 0xdb) return this.#string(this.#uint32());
    throw this.#malformed('a key is not a string');
  }

  #object(count: number, depth: number): object {
    if (depth >= maximumDepth) throw this.#malformed(`it is nested more than ${maximumDepth} levels deep`);
    const start = this.position;
    if (count > (this.end - start) / 2) throw this.#malformed('it ends too early');
    if (!canHaveShape(count)) return this.#fields({}, 0, count, depth);
    const source = this.source;
    const slot = this.#shapes.slotOf(count, source[start]!, source[start + 1]!, source[start + 2]!);
    const shape = slot.shape;
    if (shape !== undefined && shape.names.length === count) return shape.read(this, shape, depth + 1);
    const object = this.#fields({}, 0, count, depth);
    this.#shapes.learn(slot, object, count);
    return object;
  }

  /** @internal Called by the readers of shapes. */
  readValue(depth: number): unknown {
    // Short strings are what fields mostly hold: the call that finds out what else it is costs as much as reading one.
    const token = this.source[this.position]!;
    if (token >= 0xa0 && token < 0xc0) {
      this.position++;
      return this.#string(token & 0x1f);
    }
    return this.#read(depth);
  }

  /** @internal Called by the readers of shapes: what is left of an object is read field by field. */
  readOtherwise(shape: Shape, values: readonly unknown[], depth: number): object {
    const { names } = shape;
    this.#shapes.miss(shape);
    const other: Record<string, unknown> = {};
    for (let i = 0; i < values.length; i++) other[names[i]!] = values[i];
    return this.#fields(other, values.length, names.length, depth - 1);
  }

  /** Reads the fields from number `from` on into an object. */
  #fields(object: Record<string, unknown>, from: number, count: number, depth: number): object {
    for (let i = from; i < count; i++) {
      const key = this.#key();
      const value = this.#read(depth + 1);
      // As an own property: an assignment would change the object's prototype.
      if (key.length === 9 && key === '__proto__') {
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      } else {
        object[key] = value;
      }
    }
    return object;
  }

  #array(length: number, depth: number): unknown[] {
    if (depth >= maximumDepth) throw this.#malformed(`it is nested more than ${maximumDepth} levels deep`);
    if (length > this.end - this.position) throw this.#malformed('it ends too early');
    if (length > preallocatedLength) {
      const array: unknown[] = [];
      for (let i = 0; i < length; i++) array.push(this.#read(depth + 1));
      return array;
    }
    const array = new Array<unknown>(length);
    for (let i = 0; i < length; i++) array[i] = this.#read(depth + 1);
    return array;
  }

  #buffer(lengthBytes: number): Buffer {
    const start = this.#take(lengthBytes);
    const copy = Buffer.allocUnsafeSlow(lengthBytes);
    this.source.copy(copy, 0, start, start + lengthBytes);
    return copy;
  }

  #extension(lengthBytes: number): unknown {
    const type = this.source[this.#take(1)]!;
    if (lengthBytes < 1) throw this.#malformed('an empty extension');
    const start = this.#take(lengthBytes);
    const first = this.source[start]!;
    if (type === tag.bigint) {
      if (lengthBytes < 2 || first > 1) throw this.#malformed('a bigint without sign or magnitude');
      const magnitude = BigInt(`0x${this.source.toString('hex', start + 1, start + lengthBytes)}`);
      return first === 1 ? -magnitude : magnitude;
    }
    if (type !== tag.typedArray) throw this.#malformed('an unknown extension');
    const bytes = new Uint8Array(lengthBytes - 1);
    this.source.copy(bytes, 0, start + 1, start + lengthBytes);
    if (first === arrayBufferKind) return bytes.buffer;
    if (first === dataViewKind) return new DataView(bytes.buffer);
    const typedArray = typedArrayKinds[first];
    if (typedArray === undefined || bytes.length % typedArray.BYTES_PER_ELEMENT !== 0) {
      throw this.#malformed('a typed array of an unknown kind or a broken length');
    }
    return new typedArray(bytes.buffer);
  }

  #tagged(depth: number): unknown {
    const start = this.#take(2);
    const type = this.source[start]!;
    if (this.source[start + 1] !== 0) throw this.#malformed('an unknown tag');
    switch (type) {
      case tag.undefined:
        return undefined;
      case tag.map: {
        const items = this.#items(depth);
        if (items.length % 2 !== 0) throw this.#malformed('a Map with a key and no value');
        const map = new Map<unknown, unknown>();
        for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
        return map;
      }
      case tag.set:
        return new Set(this.#items(depth));
      case tag.regExp: {
        const [source, flags] = this.#items(depth);
        if (typeof source !== 'string' || typeof flags !== 'string') throw this.#malformed('a broken RegExp');
        return new RegExp(source, flags);
      }
      case tag.error:
        return this.#error(this.#items(depth));
      case tag.reference: {
        const items = this.#items(depth);
        if (this.#readReference === undefined) throw this.#malformed('a reference where none is expected');
        return this.#readReference(items);
      }
      case tag.buffer: {
        const buffer = this.#readCompanion?.(this.#read(depth) as number);
        if (buffer === undefined) throw this.#malformed('a SharedBuffer that has not come along');
        return buffer;
      }
      default:
        throw this.#malformed('an unknown tag');
    }
  }

  #items(depth: number): unknown[] {
    const items = this.#read(depth);
    if (!Array.isArray(items)) throw this.#malformed('a tag without its array');
    return items;
  }

  #error(items: unknown[]): Error {
    const [name, message, stack, code, cause, errors] = items;
    if (items.length !== 6 || typeof name !== 'string' || typeof message !== 'string') {
      throw this.#malformed('a broken Error');
    }
    const error = Array.isArray(errors)
      ? new AggregateError(errors, message)
      : new (errorClasses.get(name) ?? Error)(message);
    if (error.name !== name) defineHidden(error, 'name', name);
    // A string, or whatever reads it later would format the stack of this decoder.
    defineHidden(error, 'stack', typeof stack === 'string' ? stack : `${name}: ${message}`);
    if (cause !== undefined) defineHidden(error, 'cause', cause);
    if (typeof code === 'string' || typeof code === 'number') (error as { code?: unknown }).code = code;
    return error;
  }
}

function defineHidden(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, writable: true, enumerable: false, configurable: true });
}
