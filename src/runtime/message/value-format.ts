/**
 * How values lie in a message: MessagePack's layout, with tags for what MessagePack does not have.
 *
 * ```
 *   value            bytes
 *   null             c0
 *   false, true      c2, c3
 *   undefined        d4 'u' 00
 *   integer          MessagePack's fixint, (u)int 8, 16, 32, where it fits in 32 bits
 *   other number     cb, 8 bytes (also -0, NaN and the infinities)
 *   bigint           d3 (int64) or cf (uint64), 8 bytes; else c9, length (4), 'B', sign (0 or 1), magnitude
 *   string           MessagePack's fixstr, str 8, 16, 32, in UTF-8
 *   Buffer           c6, length (4), bytes
 *   typed array      c9, length (4), 't', kind (1), bytes as they lay (little-endian)
 *   Date             d7 'D', milliseconds as a float64
 *   array            MessagePack's fixarray, array 16, 32
 *   object           de, count (2) or df, count (4); then key, value, key, value, ...
 *   Map              d4 'M' 00, then an array: key, value, key, value, ...
 *   Set              d4 's' 00, then an array
 *   RegExp           d4 'x' 00, then an array: source, flags
 *   Error            d4 'e' 00, then an array: name, message, stack, code, cause, errors
 *   SharedBuffer     d4 'b' 00, then an integer: its number among those that travel beside the value
 *   reference        d4 'r' 00, then an array: whatever `asReference` of the object gave
 * ```
 *
 * Numbers of more than one byte are big-endian, as MessagePack has them. Every message stands alone: nothing in it
 * refers to an earlier one, since an earlier one can be lost when a link breaks.
 */
export const tag = {
  undefined: 0x75,
  bigint: 0x42,
  typedArray: 0x74,
  date: 0x44,
  map: 0x4d,
  set: 0x73,
  regExp: 0x78,
  error: 0x65,
  reference: 0x72,
  buffer: 0x62,
} as const;

/**
 * An object with this method travels as a reference: as what the method returns, made into an object again by the
 * receiving side's {@link ReferenceReader}.
 */
export const asReference = Symbol('heddle.asReference');

/** Makes an object of what {@link asReference} returned on the other side. Checks its argument: it is from the wire. */
export type ReferenceReader = (items: readonly unknown[]) => object;

/** How deep values may be nested, both ways: past it lies a cycle, or a peer that wants to exhaust the stack. */
export const maximumDepth = 256;

/** The kinds of typed arrays: the index is the kind byte. Never reorder, only append. */
export const typedArrayKinds = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;
/** Kind bytes of what has bytes and is no typed array. */
export const arrayBufferKind = 0x40;
export const dataViewKind = 0x41;

/** Error classes that are made again on the other side; errors of others become Error, with the name kept. */
export const errorClasses: ReadonlyMap<string, ErrorConstructor> = new Map(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((errorClass) => [
    errorClass.name,
    errorClass as ErrorConstructor,
  ]),
);

/** Where floats are taken apart and put together; used within one statement block, so safe under re-entry. */
export const floatScratch = new Float64Array(1);
/** The bytes of {@link floatScratch}, lowest first. */
export const floatScratchBytes = new Uint8Array(floatScratch.buffer);

/** Methods of Buffer that Node.js has and its types leave out: the fast ways for strings. */
export interface NativeStrings {
  utf8Write(text: string, offset: number, length: number): number;
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
}
