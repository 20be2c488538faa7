import type { NativeStrings } from './value-format.js';

/**
 * Objects of one kind are sent again and again with the same keys in the same order, and with short strings that come
 * again, too. Once such a layout has been seen often enough its keys are kept as they lie in a message, and beside each
 * the string that followed it last: they are copied byte by byte, where writing them asks a string for each character.
 */
/** Strings up to this length are kept: more takes a header of two bytes. */
export const keptStringLength = 24;
/** V8 may keep a string of this length or more by reference to a longer one that it is a part of. */
const slicedStringLength = 13;
/** A layout is made once so many more objects had it than others with the same first key. */
const sightingsBeforeLayout = 8;
/** A layout makes room for another first key that falls into its slot once that came so often and it never. */
const missesBeforeReplacement = 64;
/** A key before which so many strings in a row differed from the one before has strings that do not come again. */
const textMissesBeforeGivingUp = 16;
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
/** Keys that are shorter altogether are written as fast by their characters. */
const minimumKeyBytes = 20;
/** No string that is kept has its length. */
const neverSent = '-'.repeat(keptStringLength + 1);

/** The keys of objects of one kind, as they lie in a message. */
export class ObjectLayout {
  readonly names: readonly string[];
  /** The keys, each with its header. */
  readonly keyBytes: Uint8Array;
  /** Where in `keyBytes` each key begins, and the end of the last. */
  readonly keyStarts: Int32Array;
  /** The string that came last behind each key, and its bytes. */
  readonly texts: string[];
  readonly textBytes: Uint8Array;
  readonly #textMisses: Uint8Array;
  /** All layouts with the same first key, this one included. */
  siblings: readonly ObjectLayout[] = [];
  /** Objects of another first key that wanted its slot since it was found last. */
  misses = 0;

  constructor(names: readonly string[]) {
    const bytes: number[] = [];
    const starts = [0];
    for (const name of names) {
      bytes.push(0xa0 | name.length, ...Buffer.from(name, 'latin1'));
      starts.push(bytes.length);
    }
    this.names = names;
    this.keyBytes = Uint8Array.from(bytes);
    this.keyStarts = Int32Array.from(starts);
    this.texts = names.map(() => '');
    this.textBytes = new Uint8Array(names.length * keptStringLength);
    this.#textMisses = new Uint8Array(names.length);
  }

  /** Writes key number `index` and returns its end; -1 when it does not fit. */
  writeKey(index: number, target: Buffer, position: number, end: number): number {
    const bytes = this.keyBytes;
    const start = this.keyStarts[index]!;
    const length = this.keyStarts[index + 1]! - start;
    if (position + length > end) return -1;
    for (let i = 0; i < length; i++) target[position + i] = bytes[start + i]!;
    return position + length;
  }

  /** A layout with the same first key that has this one as number `index`; {@link noLayout} if none is known. */
  branch(index: number, key: string): ObjectLayout {
    for (const sibling of this.siblings) if (sibling.names[index] === key) return sibling;
    return noLayout;
  }

  /** Writes `text`, which fits with its header, and returns its end; -1 when it is not what came there last. */
  writeText(index: number, text: string, target: Buffer, position: number): number {
    if (text !== this.texts[index]) return -1;
    if (this.#textMisses[index]! > 0) this.#textMisses[index] = 0;
    const bytes = this.textBytes;
    const first = index * keptStringLength;
    const { length } = text;
    target[position] = 0xa0 | length;
    const start = position + 1;
    for (let i = 0; i < length; i++) target[start + i] = bytes[first + i]!;
    return start + length;
  }

  /** Keeps the string whose characters were written at `start`: it may come again. */
  keepText(index: number, text: string, source: Buffer, start: number): void {
    const misses = this.#textMisses[index]!;
    if (misses === textMissesBeforeGivingUp) return;
    this.#textMisses[index] = misses + 1;
    if (misses + 1 === textMissesBeforeGivingUp) {
      // What comes as a string of its own each time is compared with one that is never sent.
      this.texts[index] = neverSent;
      return;
    }
    const { length } = text;
    const first = index * keptStringLength;
    for (let i = 0; i < length; i++) this.textBytes[first + i] = source[start + i]!;
    this.texts[index] =
      length < slicedStringLength ? text : (source as unknown as NativeStrings).latin1Slice(start, start + length);
  }
}

/** The layout of objects of which nothing is known. */
export const noLayout = new ObjectLayout([]);

interface Slot {
  firstKey: string;
  layout: ObjectLayout;
  /** Keys of objects that have no layout yet, and how many more had these than others. */
  names: readonly string[];
  sightings: number;
}

/** The layouts that a thread knows, found by their first key. */
export class ObjectLayouts {
  readonly #slots: Slot[] = Array.from({ length: slotCount }, () => ({
    firstKey: '',
    layout: noLayout,
    names: [],
    sightings: 0,
  }));
  #vainSearches = 0;
  #vainLooks = 0;
  #random = 1;

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
    if (first === undefined || names.length > maximumKeys || names.join('').length < minimumKeyBytes) return;
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
      // One that takes another's place is no gain: more kinds than there are places would take turns at them for ever.
      if (siblings.length < maximumSiblings) this.#vainLooks = 0;
      const all = [new ObjectLayout(names), ...siblings].slice(0, maximumSiblings);
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
