import { Cell } from './cell.js';
import type { AnyDefinition } from './definition.js';
import type { Parent } from './family.js';
import type { ActorHost } from './host.js';
import { hostSlot } from './peer.js';

/** Stands behind a ref to an actor of this context that is not there any more: everything it is told is a dead letter. */
export function goneCell(host: ActorHost, slot: number, generation: number, type: string): Cell {
  const definition = { name: type, module: '', specification: { name: type, handlers: {} }, handlers: {} };
  const parent: Parent = { place: host.place, slot: hostSlot, generation: 0 };
  const cell = new Cell(host, definition as unknown as AnyDefinition, undefined, parent, slot, generation);
  cell.status = 'stopped';
  return cell;
}
