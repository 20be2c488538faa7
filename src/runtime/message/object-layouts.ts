import type { NativeStrings } from './value-format.js';

/**
 * Objects of one kind are sent again and again with the same keys in the same order, and with short strings that come
 * again, too. Once such a layout has been seen often enough its keys are kept as they lie in a message, and beside each
 * the string that followed it last: they are copied by words, where writing them goes character by character.
 */

/** Strings up to this length are kept as words: more takes a header of two bytes. */
export const keptStringLength = 24;
const wordsOfString = keptStringLength / 4;
/** The most bytes that writing a kept key or string touches from its start on: the last word may go past its end. */
export const keptStringRoomBytes = 1 + keptStringLength + 3;
/** V8 may keep a shorter one by reference to a longer one that it is a part of, from this length on. */
const slicedStringLength = 13;
/** A layout is made once so many more objects had it than others with the same first key. */
const sightingsBeforeLayout = 8;
/** A layout makes room for another first key that falls into its slot once that has been looked at so often. */
const missesBeforeReplacement = 64;
/** A key before which so many strings in a row differed from the one before has strings that do not come again. */
const textMissesBeforeGivingUp = 16;
/** Slots for first keys: those that fall into one take turns. A power of two. */
const slotCount = 256;
/** Layouts with one first key, as the kinds of a message have that begin with their type. */
const maximumSiblings = 4;
/** Once so many objects were looked at for their keys and no layout was made, only one of so many is looked at. */
const vainLooksBeforeSampling = 1024;
const sampleOneOf = 512;
/** Once a layout was searched for so often in a row and not found, it is searched for only once in so many times. */
const vainSearchesBeforeSampling = 64;
const searchOneOf = 16;
const maximumKeys = 32;
/** Keys that are shorter altogether are written as fast by their characters. */
const minimumKeyBytes = 20;
/** No string that is kept has its length. */
const neverSent = '-'.repeat(keptStringLength + 1);

/** The keys of objects of one kind, as they lie in a message. */
export class ObjectLayout {
  readonly names: readonly string[];
  /** The keys, each with its header and filled up to whole words. */
  readonly keyWords: Int32Array;
  /** Where in `keyWords` each key begins, and the end of the last. */
  readonly keyStarts: Int32Array;
  /** Bytes of each key with its header. */
  readonly keyLengths: Int32Array;
  /** The string that came last behind each key, and its characters filled up to whole words. */
  readonly texts: string[];
  readonly textWords: Int32Array;
  readonly #textMisses: Uint8Array;
  /** All layouts with the same first key, this one included. */
  siblings: readonly ObjectLayout[] = [];
  /** Objects of another first key that were looked at for its slot. */
  misses = 0;

  constructor(names: readonly string[]) {
    const words: number[] = [];
    const starts = [0];
    for (const name of names) {
      const bytes = [0xa0 | name.length, ...Buffer.from(name, 'latin1'), 0, 0, 0];
      for (let at = 0; at <= name.length; at += 4) {
        words.push(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
      }
      starts.push(words.length);
    }
    this.names = names;
    this.keyWords = Int32Array.from(words);
    this.keyStarts = Int32Array.from(starts);
    this.keyLengths = Int32Array.from(names, (name) => name.length + 1);
    this.texts = names.map(() => '');
    this.textWords = new Int32Array(names.length * wordsOfString);
    this.#textMisses = new Uint8Array(names.length);
  }

  /** Writes key number `index`, for which there must be {@link keptStringRoomBytes}, and returns its end. */
  writeKey(index: number, view: DataView, position: number): number {
    const words = this.keyWords;
    const end = this.keyStarts[index + 1]!;
    for (let word = this.keyStarts[index]!, at = position; word < end; word++, at += 4) {
      view.setInt32(at, words[word]!, true);
    }
    return position + this.keyLengths[index]!;
  }

  /** A layout with the same first key that has this one as number `index`; {@link noLayout} if none is known. */
  branch(index: number, key: string): ObjectLayout {
    for (const sibling of this.siblings) if (sibling.names[index] === key) return sibling;
    return noLayout;
  }

  /**
   * Writes `text` behind key number `index`, if it is the string that came there last, and returns its end; -1 when
   * it is not. There must be {@link keptStringRoomBytes}.
   */
  writeText(index: number, text: string, view: DataView, position: number): number {
    if (text !== this.texts[index]) return -1;
    if (this.#textMisses[index]! > 0) this.#textMisses[index] = 0;
    const words = this.textWords;
    const start = position + 1;
    const end = start + text.length;
    view.setUint8(position, 0xa0 | text.length);
    for (let word = index * wordsOfString, at = start; at < end; word++, at += 4) view.setInt32(at, words[word]!, true);
    return end;
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
    const words = this.textWords;
    const first = index * wordsOfString;
    // What lies behind it is another message's: the last word is filled up with zeros.
    for (let i = 0; i < length; i++) {
      const bits = source[start + i]! << ((i & 3) << 3);
      if ((i & 3) === 0) words[first + (i >> 2)] = bits;
      else words[first + (i >> 2)]! |= bits;
    }
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

  /** A layout of objects whose first key this is, or {@link noLayout}. Where there is none for long it mostly does not look. */
  of(firstKey: string): ObjectLayout {
    if (this.#vainSearches > vainSearchesBeforeSampling && ++this.#vainSearches % searchOneOf !== 0) return noLayout;
    const slot = this.#slotOf(firstKey);
    const layout = slot.firstKey === firstKey ? slot.layout : noLayout;
    if (layout === noLayout) this.#vainSearches++;
    else this.#vainSearches = 0;
    return layout;
  }

  #slotOf(key: string): Slot {
    const { length } = key;
    // An empty key has no characters: NaN counts as 0.
    const hash = length * 67 + key.charCodeAt(0) * 29 + key.charCodeAt(length - 1) * 5;
    return this.#slots[hash & (slotCount - 1)]!;
  }

  /** An object was written that is of no layout that was found: it may get one of its own. */
  learn(object: object): void {
    if (this.#vainLooks >= vainLooksBeforeSampling && ++this.#vainLooks % sampleOneOf !== 0) return;
    this.#vainLooks++;
    const names = Object.keys(object);
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
      // It may have one, and was not searched for.
      if (slot.layout.siblings.some((sibling) => haveSame(sibling.names, names))) return;
      this.#vainLooks = 0;
      const siblings = [new ObjectLayout(names), ...slot.layout.siblings].slice(0, maximumSiblings);
      for (const sibling of siblings) sibling.siblings = siblings;
      slot.layout = siblings[0]!;
    }
  }
}

function haveSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name, i) => name === others[i]);
}

/** Whether a key lies in a message as one byte of length and its characters. */
function isPlain(name: string): boolean {
  return name.length <= keptStringLength && /^[\0-\x7f]*$/.test(name);
}
