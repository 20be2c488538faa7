/** Whoever asked the binding for something that ends later. */
export interface OperationOwner<S> {
  /** It has ended: with 0, or a negative status of UCX. The memory that it worked on is free again. */
  onOperationDone(subject: S, status: number): void;
}

/** What is under way, by the tag under which its completion comes. Tags are used again: nothing is allocated for them. */
export class Operations {
  readonly #owners: (OperationOwner<unknown> | undefined)[] = [];
  readonly #subjects: unknown[] = [];
  readonly #free: number[] = [];

  /** How many are under way. */
  get count(): number {
    return this.#owners.length - this.#free.length;
  }

  add<S>(owner: OperationOwner<S>, subject: S): number {
    const tag = this.#free.length > 0 ? this.#free.pop()! : this.#owners.length;
    this.#owners[tag] = owner as OperationOwner<unknown>;
    this.#subjects[tag] = subject;
    return tag;
  }

  /** The operation of that tag has ended. */
  end(tag: number, status: number): void {
    const owner = this.#owners[tag];
    if (owner === undefined) return;
    const subject = this.#subjects[tag];
    this.#owners[tag] = undefined;
    this.#subjects[tag] = undefined;
    this.#free.push(tag);
    owner.onOperationDone(subject, status);
  }

  /** Ends all that are under way: UCX has let go of everything. */
  endAll(status: number): void {
    for (let tag = 0; tag < this.#owners.length; tag++) this.end(tag, status);
  }
}
