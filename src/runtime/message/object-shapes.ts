/**
 * Objects of one kind come again and again with the same keys in the same order. Once such a shape has been seen often
 * enough it gets a reader of its own: a generated object literal, which makes the object at once, where adding one
 * property after another costs several times as much.
 */

/** What the reader of a shape calls: reads the next field, if its key is the one that lies in `keys`. */
export interface FieldReader {
  readField(keys: DataView, start: number, end: number, depth: number): unknown;
}

/** Keys that lie in the same order in every object that the shape reads. */
export interface Shape {
  readonly names: readonly string[];
  /** All keys as they lie in a message, one behind the other. */
  readonly keys: DataView;
  /** Reads the fields of an object. Those that are missing are undefined, and the decoder knows how many there were. */
  readonly read: (decoder: FieldReader, keys: DataView, depth: number) => Record<string, unknown>;
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
    slot.shape = makeShape(names);
    // Where code may not be generated nothing changes.
    if (slot.shape === undefined) this.#shapesLeft = 0;
  }

  /** An object was not of the slot's shape. */
  miss(slot: Slot, shape: Shape): void {
    if (++shape.misses < missesBeforeReplacement) return;
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

function makeShape(names: readonly string[]): Shape | undefined {
  const keys: number[] = [];
  const fields = names.map((name) => {
    const start = keys.length;
    keys.push(0xa0 | name.length, ...Buffer.from(name, 'latin1'));
    return `${JSON.stringify(name)}: decoder.readField(keys, ${start}, ${keys.length}, depth)`;
  });
  try {
    const read = new Function('decoder', 'keys', 'depth', `return { ${fields.join(', ')} };`) as Shape['read'];
    return { names, keys: new DataView(Uint8Array.from(keys).buffer), read, misses: 0 };
  } catch {
    return undefined;
  }
}

/** Whether objects with so many fields can have a reader. */
export function canHaveShape(fields: number): boolean {
  return fields > 0 && fields <= maximumFields;
}
