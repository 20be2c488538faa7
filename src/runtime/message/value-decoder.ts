import { HeddleError } from '../../errors.js';
import {
  arrayBufferKind,
  dataViewKind,
  errorClasses,
  floatScratch,
  floatScratchBytes,
  maximumDepth,
  type NativeStrings,
  type ReferenceReader,
  tag,
  typedArrayKinds,
} from './value-format.js';

/** Short strings, keys above all, repeat from message to message: the last one of each hash is kept. */
const cachedStringBytes = 24;
const cacheEntries = 2048;
/** Arrays up to this length are made at once; longer ones grow, so that a false length costs a peer its bytes. */
const preallocatedLength = 256;

/**
 * Reads values; see value-format.ts. Nothing that it returns refers to the memory that it read from. Everything is
 * checked: bytes from a hostile peer make it throw, and cost no more than in proportion to their number.
 */
export class ValueDecoder {
  #source: Buffer = Buffer.alloc(0);
  #position = 0;
  #end = 0;
  #readReference: ReferenceReader | undefined;
  readonly #strings = new Array<string>(cacheEntries).fill('');

  /**
   * Reads the one value that lies from `start` to `end`. Throws `ERR_HEDDLE_CODEC` or what constructors throw, and
   * refuses references unless there is someone to read them.
   */
  decode(source: Buffer, start: number, end: number, readReference?: ReferenceReader): unknown {
    // No user code runs while reading, except for Error.prepareStackTrace: so the state is put back all the same.
    const outerSource = this.#source;
    const outerPosition = this.#position;
    const outerEnd = this.#end;
    const outerReadReference = this.#readReference;
    this.#source = source;
    this.#position = start;
    this.#end = end;
    this.#readReference = readReference;
    try {
      const value = this.#read(0);
      if (this.#position !== end) throw this.#malformed('bytes are left over');
      return value;
    } finally {
      this.#source = outerSource;
      this.#position = outerPosition;
      this.#end = outerEnd;
      this.#readReference = outerReadReference;
    }
  }

  #malformed(what: string): HeddleError {
    const details = { position: this.#position, end: this.#end };
    return new HeddleError(
      'ERR_HEDDLE_CODEC',
      `a message does not decode: ${what} (position=${details.position} end=${details.end}). Both sides must use the ` +
        'same codec; close the link if the peer is not yours',
      { details },
    );
  }

  /** Takes `lengthBytes` from what is left and returns where they start. */
  #take(lengthBytes: number): number {
    const start = this.#position;
    if (lengthBytes > this.#end - start) throw this.#malformed('it ends too early');
    this.#position = start + lengthBytes;
    return start;
  }

  #uint16(): number {
    const start = this.#take(2);
    return (this.#source[start]! << 8) | this.#source[start + 1]!;
  }

  #uint32(): number {
    const start = this.#take(4);
    const source = this.#source;
    return ((source[start]! << 24) | (source[start + 1]! << 16) | (source[start + 2]! << 8) | source[start + 3]!) >>> 0;
  }

  #float64(): number {
    const start = this.#take(8);
    const source = this.#source;
    for (let i = 0; i < 8; i++) floatScratchBytes[7 - i] = source[start + i]!;
    return floatScratch[0]!;
  }

  #read(depth: number): unknown {
    const token = this.#source[this.#take(1)]!;
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
        return this.#source[this.#take(1)]!;
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return (BigInt(this.#uint32()) << 32n) | BigInt(this.#uint32());
      case 0xd0:
        return (this.#source[this.#take(1)]! << 24) >> 24;
      case 0xd1:
        return (this.#uint16() << 16) >> 16;
      case 0xd2:
        return this.#uint32() | 0;
      case 0xd3:
        return BigInt.asIntN(64, (BigInt(this.#uint32()) << 32n) | BigInt(this.#uint32()));
      case 0xd4:
        return this.#tagged(depth);
      case 0xd7:
        if (this.#source[this.#take(1)]! !== tag.date) throw this.#malformed('an unknown tag');
        return new Date(this.#float64());
      case 0xd9:
        return this.#string(this.#source[this.#take(1)]!);
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
    const source = this.#source;
    if (lengthBytes > cachedStringBytes) {
      return (source as unknown as NativeStrings).utf8Slice(start, start + lengthBytes);
    }
    let hash = lengthBytes;
    let allBits = 0;
    for (let i = 0; i < lengthBytes; i++) {
      const byte = source[start + i]!;
      allBits |= byte;
      hash = (hash * 31 + byte) | 0;
    }
    if (allBits >= 0x80) return (source as unknown as NativeStrings).utf8Slice(start, start + lengthBytes);
    const entry = (hash ^ (hash >>> 11)) & (cacheEntries - 1);
    const cached = this.#strings[entry]!;
    if (cached.length === lengthBytes) {
      let i = 0;
      while (i < lengthBytes && cached.charCodeAt(i) === source[start + i]) i++;
      if (i === lengthBytes) return cached;
    }
    const text = (source as unknown as NativeStrings).latin1Slice(start, start + lengthBytes);
    this.#strings[entry] = text;
    return text;
  }

  #key(): string {
    const token = this.#source[this.#take(1)]!;
    if (token >= 0xa0 && token < 0xc0) return this.#string(token & 0x1f);
    if (token === 0xd9) return this.#string(this.#source[this.#take(1)]!);
    if (token === 0xda) return this.#string(this.#uint16());
    if (token === 0xdb) return this.#string(this.#uint32());
    throw this.#malformed('a key is not a string');
  }

  #object(count: number, depth: number): object {
    if (depth >= maximumDepth) throw this.#malformed(`it is nested more than ${maximumDepth} levels deep`);
    if (count > (this.#end - this.#position) / 2) throw this.#malformed('it ends too early');
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
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
    if (length > this.#end - this.#position) throw this.#malformed('it ends too early');
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
    this.#source.copy(copy, 0, start, start + lengthBytes);
    return copy;
  }

  #extension(lengthBytes: number): unknown {
    const type = this.#source[this.#take(1)]!;
    if (lengthBytes < 1) throw this.#malformed('an empty extension');
    const start = this.#take(lengthBytes);
    const first = this.#source[start]!;
    if (type === tag.bigint) {
      if (lengthBytes < 2 || first > 1) throw this.#malformed('a bigint without sign or magnitude');
      const magnitude = BigInt(`0x${this.#source.toString('hex', start + 1, start + lengthBytes)}`);
      return first === 1 ? -magnitude : magnitude;
    }
    if (type !== tag.typedArray) throw this.#malformed('an unknown extension');
    const bytes = new Uint8Array(lengthBytes - 1);
    this.#source.copy(bytes, 0, start + 1, start + lengthBytes);
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
    const type = this.#source[start]!;
    if (this.#source[start + 1] !== 0) throw this.#malformed('an unknown tag');
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
