import { keyBytes, wordStarts } from './key-words.js';

/**
 * Objects of one kind come again and again with the same keys in the same order. Once such a shape has been seen often
 * enough it gets a reader of its own: generated code that compares the keys as numbers, four bytes at a time, and makes
 * the object at once by a literal, where adding one property after another costs several times as much.
 */

/** What the readers of shapes see of the decoder. */
export interface FieldReader {
  /** The bytes that are read. */
  readonly source: Buffer;
  /** The same bytes. */
  readonly view: DataView;
  /** Where the next field begins, and where all must end. */
  position: number;
  readonly end: number;
  /** Reads the value at `position` and moves on behind it. */
  readValue(depth: number): unknown;
  /** The key at `position` is another one, or nothing comes any more: reads on without the shape, whose first `values` these are. */
  readOtherwise(shape: Shape, values: readonly unknown[], depth: number): object;
}

/** Keys that lie in the same order in every object that the shape reads. */
export interface Shape {
  readonly names: readonly string[];
  /** Reads the fields of an object, whose values are at `depth`, and returns the object. */
  readonly read: (decoder: FieldReader, shape: Shape, depth: number) => object;
  /** Where it was found. */
  readonly slot: Slot;
  /** Objects in a row that were of another shape. */
  misses: number;
}

const slotCount = 256;
/** A shape is made once so many objects in a row had it ... */
const sightingsBeforeShape = 8;
/** ... and none at all in a slot where so many objects were looked at in vain: they have no shape. */
const sightingsBeforeGivingUp = 512;
/** A shape that so many objects in a row did not have makes room for another. */
const missesBeforeReplacement = 64;
/** Shapes that one thread makes at the most, whatever a peer sends: each is some code that stays. */
const maximumShapes = 512;
const maximumFields = 32;
const maximumKeyLength = 31;

/** What is known of the objects that fall into one slot. */
export interface Slot {
  shape: Shape | undefined;
  names: readonly string[];
  sightings: number;
  looks: number;
}

/** The shapes that one decoder knows, found by the number of fields and the first key. */
export class ObjectShapes {
  readonly #slots: Slot[] = Array.from({ length: slotCount }, () => ({
    shape: undefined,
    names: [],
    sightings: 0,
    looks: 0,
  }));
  #shapesLeft = maximumShapes;

  /** The slot for objects with so many fields whose first key begins with these bytes. */
  slotOf(fields: number, header: number, first: number, second: number): Slot {
    return this.#slots[(fields * 67 + header * 29 + first * 5 + second) & (slotCount - 1)]!;
  }

  /** An object without a reader was read: notes its shape, and makes a reader when it has come often enough. */
  learn(slot: Slot, object: object, fields: number): void {
    if (slot.looks === sightingsBeforeGivingUp || this.#shapesLeft === 0) return;
    slot.looks++;
    const names = Object.keys(object);
    // A key that came twice leaves fewer.
    if (names.length !== fields) return;
    if (names.length !== slot.names.length || names.some((name, i) => name !== slot.names[i])) {
      slot.names = names.every(isPlain) ? names : [];
      slot.sightings = 0;
      return;
    }
    if (++slot.sightings < sightingsBeforeShape) return;
    this.#shapesLeft--;
    slot.looks = 0;
    slot.shape = makeShape(names, slot);
    // Where code may not be generated nothing changes.
    if (slot.shape === undefined) this.#shapesLeft = 0;
  }

  /** An object whose slot has this shape was of another one. */
  miss(shape: Shape): void {
    if (++shape.misses < missesBeforeReplacement) return;
    const { slot } = shape;
    slot.shape = undefined;
    slot.sightings = 0;
  }
}

/**
 * Whether a key lies in a message as its length and its characters, keeps its place among the others (an index does
 * not), and means nothing else in an object literal.
 */
function isPlain(name: string): boolean {
  return name.length <= maximumKeyLength && name !== '__proto__' && /^[ -/:-~][ -~]*$/.test(name);
}

function makeShape(names: readonly string[], slot: Slot): Shape | undefined {
  const lines = ['const { source, view, end } = decoder; let at = decoder.position; let token;'];
  for (const [number, name] of names.entries()) {
    const key = keyBytes(name);
    const values = names.slice(0, number).map((_, i) => `value${i}`);
    lines.push(
      // A value takes one byte at least.
      `if (at + ${key.length} >= end || ${differencesOf(key).join(' || ')}) {`,
      `decoder.position = at; return decoder.readOtherwise(shape, [${values}], depth); }`,
      `at += ${key.length}; token = source[at]; let value${number};`,
      // A small number is its own token; what else it may be the decoder finds out.
      `if (token < 0x80) { value${number} = token; at++; }`,
      `else { decoder.position = at; value${number} = decoder.readValue(depth); at = decoder.position; }`,
    );
  }
  const fields = names.map((name, i) => `${JSON.stringify(name)}: value${i}`);
  lines.push('decoder.position = at; shape.misses = 0;', `return { ${fields.join(', ')} };`);
  try {
    const read = new Function('decoder', 'shape', 'depth', lines.join('\n')) as Shape['read'];
    return { names, read, slot, misses: 0 };
  } catch {
    return undefined;
  }
}

/** Code that is true where the bytes that begin at `at` are others than these. */
function differencesOf(bytes: Buffer): string[] {
  return (
    wordStarts(bytes)?.map((start) => `view.getInt32(at + ${start}, true) !== ${bytes.readInt32LE(start)}`) ??
    Array.from(bytes, (byte, i) => `source[at + ${i}] !== ${byte}`)
  );
}

/** Whether objects with so many fields can have a reader. */
export function canHaveShape(fields: number): boolean {
  return fields > 0 && fields <= maximumFields;
}
