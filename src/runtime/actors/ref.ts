import { HeddleError } from '../../errors.js';
import { asReference } from '../message/value-format.js';
import type { Cell } from './cell.js';
import type { ActorHost } from './host.js';
import type { Lane } from './lane.js';
import { requireMessageName } from './message-name.js';
import { firstRemotePlace } from './remote-places.js';
import type { AskOptions } from './types.js';

/** The longest id of a node. */
export const maximumNodeIdLength = 128;

/** An actor's address, as it travels. `generation` tells an actor from the one that had its slot before. */
export interface Address {
  readonly place: number;
  readonly slot: number;
  readonly generation: number;
  readonly type: string;
}

/** Whose contexts read what is encoded now; without a host, anybody: another node, for one. */
export const refReader: { host: ActorHost | undefined } = { host: undefined };

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
    if (typeof name !== 'string') requireMessageName(name);
    const cell = this.cell;
    if (cell !== undefined) return cell.deliver(name, payload, undefined, cell.inbox.settings.capacity);
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
    const { host } = this;
    // A ref of another node's actor says whose context it means, and so does one for who is not of its own system: that
    // may be another system of this process.
    if (this.place >= firstRemotePlace) {
      const remote = host.places.remote.get(this.place);
      return [remote?.index ?? 0, this.slot, this.generation, this.type, remote?.node ?? ''];
    }
    if (refReader.host !== host) return [this.place, this.slot, this.generation, this.type, host.systemId];
    return [this.place, this.slot, this.generation, this.type];
  }
}

/** One text for each actor, as a context knows them. */
export function addressKey(place: number, slot: number, generation: number): string {
  return `${place}/${slot}.${generation}`;
}

/** The inverse of a ref's `asReference`. `node` is undefined for a context of the sender's own system. */
export function readAddress(items: readonly unknown[]): {
  index: number;
  slot: number;
  generation: number;
  type: string;
  node: string | undefined;
} {
  const [index, slot, generation, type, node] = items;
  if (
    !isWithin(index, 0, firstRemotePlace - 1) ||
    !isWithin(slot, 0, 2 ** 31 - 1) ||
    !isWithin(generation, 0, 2 ** 31 - 1) ||
    typeof type !== 'string' ||
    !(node === undefined || (typeof node === 'string' && node.length <= maximumNodeIdLength))
  ) {
    throw new HeddleError('ERR_HEDDLE_CODEC', 'a ref in a message is malformed');
  }
  return { index, slot, generation, type, node };
}

function isWithin(value: unknown, minimum: number, maximum: number): value is number {
  return Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
}
