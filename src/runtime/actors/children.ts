import type { AnyDefinition } from './definition.js';
import type { Ref } from './ref.js';

/**
 * An actor, as its supervisor knows it: enough to make it again. An actor of the supervisor's own context is its own entry,
 * linked to its siblings by its fields: of those there may be hundreds of thousands, and a table of them would cost more than
 * making and stopping them does.
 */
export abstract class Child {
  abstract readonly ref: Ref;
  abstract readonly definition: AnyDefinition;
  abstract readonly args: unknown;
  /** When it was restarted, of late: in µs. */
  restarts: number[] | undefined = undefined;
  /** The child that was made before this one, and the one after it. Only the list changes them. */
  older: Child | undefined = undefined;
  younger: Child | undefined = undefined;
}

/** A child in another context. */
export class RemoteChild extends Child {
  readonly ref: Ref;
  readonly definition: AnyDefinition;
  readonly args: unknown;

  constructor(ref: Ref, definition: AnyDefinition, args: unknown) {
    super();
    this.ref = ref;
    this.definition = definition;
    this.args = args;
  }
}

/** The children of one supervisor, in the order in which they were made. A child is in one list only. */
export class Children {
  size = 0;
  #oldest: Child | undefined;
  #youngest: Child | undefined;

  add(child: Child): void {
    child.older = this.#youngest;
    if (this.#youngest === undefined) this.#oldest = child;
    else this.#youngest.younger = child;
    this.#youngest = child;
    this.size++;
  }

  has(child: Child): boolean {
    return child.older !== undefined || child === this.#oldest;
  }

  /** False when it was not in the list. */
  remove(child: Child): boolean {
    if (!this.has(child)) return false;
    const { older, younger } = child;
    if (older === undefined) this.#oldest = younger;
    else older.younger = younger;
    if (younger === undefined) this.#youngest = older;
    else younger.older = older;
    child.older = undefined;
    child.younger = undefined;
    this.size--;
    return true;
  }

  /** The oldest first. */
  all(): Child[] {
    const all: Child[] = [];
    for (let child = this.#oldest; child !== undefined; child = child.younger) all.push(child);
    return all;
  }
}
