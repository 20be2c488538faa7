import { KeptTexts, keptStringLength, touchedTextBytes } from './kept-texts.js';
import { keyBytes, wordStarts } from './key-words.js';

/**
 * Objects of one kind are sent again and again with the same keys in the same order. Once such a layout has been seen
 * often enough it gets a writer of its own: generated code in which the keys are numbers that are stored four bytes at a
 * time, and each field is read by its name, where writing them one by one asks a string for each character and looks
 * each field up.
 */
/** A layout is made once so many more objects had it than others with the same first key. */
const sightingsBeforeLayout = 8;
/** A layout makes room for another first key that falls into its slot once that came so often and it never. */
const missesBeforeReplacement = 64;
/** Slots for first keys: those that fall into one take turns. A power of two. */
const slotCount = 256;
/** Layouts with one first key, as the kinds of a message have that begin with their type. */
const maximumSiblings = 4;
/** Once so many objects were looked at for their keys and gained no place, only one of so many is looked at. */
const looksBeforeSampling = 1024;
const lookOneOf = 512;
/** Once a layout was searched for so often in a row and not found, it is searched for only once in so many times. */
const searchesBeforeSampling = 64;
const searchOneOf = 16;
const maximumKeys = 32;
/** Layouts that one thread makes at the most, however many kinds it sends: each is some code. */
const maximumLayouts = 512;

/** What the writers of layouts call for a field's value: returns where it stopped, or -1 when it does not fit before `end`. */
export interface FieldWriters {
  /** A string that is not the one that the field had last; `texts` may keep it for the field with that number. */
  writeText(text: string, texts: KeptTexts, number: number, target: Buffer, position: number, end: number): number;
  /** Anything else. */
  writeValue(value: unknown, target: Buffer, position: number, end: number, depth: number): number;
}

/** Writes an object that has a layout's keys in its order: `view` is of `target`. Returns as {@link FieldWriters} do. */
type LayoutWriter = (value: object, target: Buffer, view: DataView, position: number, end: number) => number;

/**
 * The keys of objects of one kind. What is written is what is written without a layout, but for fields that a getter of
 * the object removes while it is written: these are sent as undefined.
 */
export class ObjectLayout {
  readonly names: readonly string[];
  readonly write: LayoutWriter;
  /** All layouts with the same first key, this one included. */
  siblings: readonly ObjectLayout[] = [];
  /** Objects of another first key that wanted its slot since it was found last. */
  misses = 0;

  constructor(names: readonly string[], write: LayoutWriter) {
    this.names = names;
    this.write = write;
  }

  /** The layout that begins with the first `count` keys of this one and goes on with `key`; {@link noLayout} if none is known. */
  branch(count: number, key: string): ObjectLayout {
    for (const sibling of this.siblings) {
      if (sibling.names[count] === key && this.#beginsAs(sibling, count)) return sibling;
    }
    return noLayout;
  }

  /** The layout of the first `count` keys of this one, and no more. */
  ending(count: number): ObjectLayout {
    if (this.names.length === count) return this;
    for (const sibling of this.siblings) {
      if (sibling.names.length === count && this.#beginsAs(sibling, count)) return sibling;
    }
    return noLayout;
  }

  #beginsAs(other: ObjectLayout, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.names[i] !== other.names[i]) return false;
    return true;
  }
}

/** The layout of objects of which nothing is known. It writes nothing. */
export const noLayout = new ObjectLayout([], () => -1);

/** Undefined where code may not be generated. */
function makeLayout(names: readonly string[], fieldWriters: FieldWriters): ObjectLayout | undefined {
  const keys = names.map(keyBytes);
  let keyBytesLeft = keys.reduce((sum, key) => sum + key.length, 0);
  const lines = ['let at = position + 3;', `if (at + ${keyBytesLeft} > end) return -1;`, 'let field; let text;'];
  for (const [number, key] of keys.entries()) {
    keyBytesLeft -= key.length;
    // The room for the keys that follow is taken off the end: they need no look at it.
    const end = `end - ${keyBytesLeft}`;
    lines.push(...storesOf(key, 'at'), `at += ${key.length};`);
    lines.push(
      `field = value[${JSON.stringify(names[number])}];`,
      "if (typeof field === 'string') {",
      `text = at + ${touchedTextBytes} > ${end} ? -1 : texts.write(${number}, field, view, at);`,
      `at = text < 0 ? writeText(field, texts, ${number}, target, at, ${end}) : text;`,
      `} else at = writeValue(field, target, at, ${end}, 1);`,
      'if (at < 0) return -1;',
    );
  }
  lines.push(...storesOf(Buffer.from([0xde, names.length >> 8, names.length]), 'position'), 'return at;');
  try {
    const write = new Function(
      'texts',
      'writeText',
      'writeValue',
      `return (value, target, view, position, end) => { ${lines.join('\n')} };`,
    )(new KeptTexts(names.length), fieldWriters.writeText, fieldWriters.writeValue) as LayoutWriter;
    return new ObjectLayout(names, write);
  } catch {
    return undefined;
  }
}

/** Code that stores these bytes at the position that the variable `at` holds. */
function storesOf(bytes: Buffer, at: string): string[] {
  return (
    wordStarts(bytes)?.map((start) => `view.setInt32(${at} + ${start}, ${bytes.readInt32LE(start)}, true);`) ??
    Array.from(bytes, (byte, i) => `view.setUint8(${at} + ${i}, ${byte});`)
  );
}

interface Slot {
  firstKey: string;
  layout: ObjectLayout;
  /** Keys of objects that have no layout yet, and how many more had these than others. */
  names: readonly string[];
  sightings: number;
}

/** The layouts that a thread knows, found by their first key. */
export class ObjectLayouts {
  readonly #fieldWriters: FieldWriters;
  readonly #slots: Slot[] = Array.from({ length: slotCount }, () => ({
    firstKey: '',
    layout: noLayout,
    names: [],
    sightings: 0,
  }));
  #vainSearches = 0;
  #vainLooks = 0;
  #random = 1;
  #layoutsLeft = maximumLayouts;

  constructor(fieldWriters: FieldWriters) {
    this.#fieldWriters = fieldWriters;
  }

  /** A layout of objects whose first key this is, or {@link noLayout}. Where there is none for long it mostly does not look. */
  of(firstKey: string): ObjectLayout {
    if (this.#vainSearches >= searchesBeforeSampling && !this.#isOneOf(searchOneOf)) return noLayout;
    const slot = this.#slotOf(firstKey);
    const layout = slot.firstKey === firstKey ? slot.layout : noLayout;
    if (layout !== noLayout) {
      this.#vainSearches = 0;
      layout.misses = 0;
    } else if (this.#vainSearches < searchesBeforeSampling) this.#vainSearches++;
    return layout;
  }

  #slotOf(key: string): Slot {
    const { length } = key;
    // An empty key has no characters: NaN counts as 0.
    const hash = length * 67 + key.charCodeAt(0) * 29 + key.charCodeAt(length - 1) * 5;
    return this.#slots[hash & (slotCount - 1)]!;
  }

  /** True for one of `count` calls on average, a power of two: at random, since kinds of messages come in turns. */
  #isOneOf(count: number): boolean {
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
    // The upper bits: the lower ones of this generator repeat soon.
    return ((this.#random >>> 16) & (count - 1)) === 0;
  }

  /** An object was written that is of no layout that was found: it may get one of its own. */
  learn(object: object): void {
    if (this.#vainLooks >= looksBeforeSampling) {
      if (!this.#isOneOf(lookOneOf)) return;
    } else this.#vainLooks++;
    const names = keysOf(object);
    const first = names[0];
    if (first === undefined || names.length > maximumKeys || this.#layoutsLeft === 0) return;
    const slot = this.#slotOf(first);
    if (slot.firstKey !== first) {
      if (slot.layout !== noLayout && ++slot.layout.misses < missesBeforeReplacement) return;
      slot.firstKey = first;
      slot.layout = noLayout;
      slot.sightings = 0;
    }
    if (!haveSame(names, slot.names)) {
      if (--slot.sightings >= 0) return;
      slot.names = names.every(isPlain) ? names : [];
      slot.sightings = 0;
    } else if (++slot.sightings >= sightingsBeforeLayout) {
      slot.sightings = 0;
      const { siblings } = slot.layout;
      // It may have one, and was not searched for.
      if (siblings.some((sibling) => haveSame(sibling.names, names))) return;
      const layout = makeLayout(names, this.#fieldWriters);
      this.#layoutsLeft = layout === undefined ? 0 : this.#layoutsLeft - 1;
      if (layout === undefined) return;
      // One that takes another's place is no gain: more kinds than there are places would take turns at them for ever.
      if (siblings.length < maximumSiblings) this.#vainLooks = 0;
      const all = [layout, ...siblings].slice(0, maximumSiblings);
      for (const sibling of all) sibling.siblings = all;
      slot.layout = all[0]!;
    }
  }
}

/** None where a proxy does not say: it has been written by then. */
function keysOf(object: object): readonly string[] {
  try {
    return Object.keys(object);
  } catch {
    return [];
  }
}

function haveSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name, i) => name === others[i]);
}

/** Whether a key lies in a message as one byte of length and its characters. */
function isPlain(name: string): boolean {
  return name.length <= keptStringLength && /^[\0-\x7f]*$/.test(name);
}
