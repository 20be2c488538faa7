import { type ByteRange, overlaps } from './range-set.js';

/** A `read` layout may be held by many, a `write` layout by one. */
export type LayoutMode = 'read' | 'write';

/** A range of a file that a client asks for, or has. `id` is the client's own number for it. */
export interface Layout<Client> extends ByteRange {
  readonly client: Client;
  readonly id: number;
  readonly file: string;
  readonly mode: LayoutMode;
  /** Whether it was granted. */
  isHeld: boolean;
}

/**
 * Who has which ranges of which files, and who waits for them. Requests that conflict are granted in the order in which
 * they came, so that nobody starves. A client does not conflict with itself.
 */
export class LayoutTable<Client> {
  readonly #held = new Map<string, Set<Layout<Client>>>();
  readonly #waiting = new Map<string, Layout<Client>[]>();

  /** Puts a request in, and returns what was granted thereby: the request itself, or nothing. */
  request(layout: Layout<Client>): Layout<Client>[] {
    const waiting = this.#waiting.get(layout.file) ?? [];
    this.#waiting.set(layout.file, waiting);
    waiting.push(layout);
    return this.#grant(layout.file);
  }

  /** Takes a layout, held or waiting, out, and returns what is granted thereby. Harmless when it is out already. */
  remove(layout: Layout<Client>): Layout<Client>[] {
    layout.isHeld = false;
    this.#held.get(layout.file)?.delete(layout);
    const waiting = this.#waiting.get(layout.file);
    const index = waiting?.indexOf(layout) ?? -1;
    if (index >= 0) waiting!.splice(index, 1);
    const granted = this.#grant(layout.file);
    if (this.#held.get(layout.file)?.size === 0) this.#held.delete(layout.file);
    if (this.#waiting.get(layout.file)?.length === 0) this.#waiting.delete(layout.file);
    return granted;
  }

  #grant(file: string): Layout<Client>[] {
    const granted: Layout<Client>[] = [];
    const passed: Layout<Client>[] = [];
    const held = this.#held.get(file) ?? new Set();
    this.#held.set(file, held);
    for (const request of this.#waiting.get(file) ?? []) {
      const isBlocked = [...held, ...passed].some((other) => conflict(other, request));
      if (isBlocked) passed.push(request);
      else {
        request.isHeld = true;
        held.add(request);
        granted.push(request);
      }
    }
    this.#waiting.set(file, passed);
    return granted;
  }

  /** The layouts that must come back before all that waits for this file can be granted. */
  inTheWay(file: string): Layout<Client>[] {
    const waiting = this.#waiting.get(file) ?? [];
    return [...(this.#held.get(file) ?? [])].filter((layout) => waiting.some((request) => conflict(layout, request)));
  }

  /** Files with layouts or requests. */
  get files(): number {
    return new Set([...this.#held.keys(), ...this.#waiting.keys()]).size;
  }
}

function conflict<Client>(one: Layout<Client>, other: Layout<Client>): boolean {
  if (one.client === other.client || (one.mode === 'read' && other.mode === 'read')) return false;
  return overlaps(one, other);
}
