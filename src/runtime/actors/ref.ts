import { asReference } from '../message/value-format.js';
import type { Cell } from './cell.js';
import type { ActorHost } from './host.js';
import type { Lane } from './lane.js';
import type { AskOptions } from './types.js';

/** An actor's address, as it travels. `generation` tells an actor from the one that had its slot before. */
export interface Address {
  readonly place: number;
  readonly slot: number;
  readonly generation: number;
  readonly type: string;
}

/** The one implementation of ActorRef: to an actor of this context, or of another. */
export class Ref implements Address {
  /** @internal */
  readonly host: ActorHost;
  /** @internal Number of the context in its system. */
  readonly place: number;
  /** @internal */
  readonly slot: number;
  /** @internal */
  readonly generation: number;
  readonly type: string;
  /** @internal The actor, where it is of this context. */
  readonly cell: Cell | undefined;
  /** @internal What is on its way to the actor, where it is of another context. */
  lane: Lane | undefined;

  constructor(
    host: ActorHost,
    place: number,
    slot: number,
    generation: number,
    type: string,
    cell: Cell | undefined,
    lane: Lane | undefined = undefined,
  ) {
    this.host = host;
    this.place = place;
    this.slot = slot;
    this.generation = generation;
    this.type = type;
    this.cell = cell;
    this.lane = lane;
  }

  get contextName(): string {
    return this.host.places.nameOf(this.place);
  }

  tell(name: string, payload?: unknown): boolean {
    const cell = this.cell;
    if (cell !== undefined) return cell.tell(name, payload);
    return this.host.links.tell(this, name, payload);
  }

  ask(name: string, payload?: unknown, options?: AskOptions): Promise<unknown> {
    return this.host.ask(this, name, payload, options);
  }

  ready(): Promise<void> {
    if (this.cell !== undefined) return this.cell.ready();
    return this.host.links.peer(this.place).ready(this);
  }

  equals(other: unknown): boolean {
    return (
      this === other ||
      (other instanceof Ref &&
        other.place === this.place &&
        other.slot === this.slot &&
        other.generation === this.generation &&
        other.host.systemId === this.host.systemId)
    );
  }

  toString(): string {
    return `${this.type}@${this.contextName}/${this.slot}.${this.generation}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [asReference](): readonly unknown[] {
    return [this.place, this.slot, this.generation, this.type];
  }
}
