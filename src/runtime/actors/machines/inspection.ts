import type { AnyActor, AnyActorRef, InspectionEvent } from 'xstate';
import { thrownText } from '../../../errors.js';
import { BoundedFeed } from '../bounded-feed.js';
import type { ActorHost } from '../host.js';
import type { Ref } from '../ref.js';

/** The group of those who inspect the machines of a system. */
export const inspectorGroup = 'heddle.inspectors';
/** What an inspector is told. */
export const inspectedMessage = 'heddle.inspected';
/** Events that may wait for one inspector, or be on their way. */
const feedCapacity = 4096;

/** An XState actor, as an inspector in another context knows it. */
export interface InspectedDescription {
  readonly id: string;
  readonly sessionId: string;
  readonly systemId: string | undefined;
  readonly parentId: string | undefined;
  readonly src: string;
  /** The machine's configuration, where it is a machine. */
  readonly config: unknown;
  readonly snapshot: unknown;
}

/** An inspection event as it travels, in JSON: session ids in place of actors. */
export interface InspectedItem {
  readonly type: InspectionEvent['type'];
  readonly rootId: string;
  readonly sessionId: string;
  readonly sourceId?: string | undefined;
  /** Of `@xstate.actor`. */
  readonly actor?: InspectedDescription;
  /** What else the event has. */
  readonly fields: Record<string, unknown>;
}

/** An item, and the actor that it is of. */
export interface InspectedParcel {
  readonly json: string;
  readonly ref: Ref;
}

interface Inspector {
  readonly feed: BoundedFeed;
  /** The XState actors that it has been told of. */
  readonly known: WeakSet<object>;
}

const byHost = new WeakMap<ActorHost, Inspection>();

/** What inspects the machines of a context. */
export function inspectionOf(host: ActorHost): Inspection {
  let inspection = byHost.get(host);
  if (inspection === undefined) {
    inspection = new Inspection(host);
    byHost.set(host, inspection);
  }
  return inspection;
}

/** Tells the inspectors of the system, wherever they are, what the machines of this context do. */
export class Inspection {
  readonly #host: ActorHost;
  /** The machines that run. */
  readonly #machines = new Map<AnyActor, Ref>();
  #inspectors: Inspector[] = [];

  constructor(host: ActorHost) {
    this.#host = host;
    host.registry.onGroup(inspectorGroup, () => this.#update());
    this.#update();
  }

  add(machine: AnyActor, ref: Ref): void {
    this.#machines.set(machine, ref);
  }

  remove(machine: AnyActor): void {
    this.#machines.delete(machine);
  }

  #update(): void {
    const before = this.#inspectors;
    this.#inspectors = this.#host.registry
      .members(inspectorGroup)
      .map((ref) => before.find(({ feed }) => feed.ref.equals(ref)) ?? makeInspector(ref));
    for (const inspector of this.#inspectors) {
      if (before.includes(inspector)) continue;
      for (const [machine, ref] of this.#machines) introduce(inspector, machine, ref);
    }
  }

  /** Something happened in the machine of that actor, or in what the machine has invoked or spawned. */
  publish(event: InspectionEvent, ref: Ref): void {
    // An actor is introduced with its first event: when it is made it has no snapshot yet.
    if (this.#inspectors.length === 0 || event.type === '@xstate.actor') return;
    const item = itemOf(event, ref);
    for (const inspector of this.#inspectors) {
      introduce(inspector, event.actorRef as AnyActorRef, ref);
      push(inspector, item, ref);
    }
  }
}

function makeInspector(ref: Ref): Inspector {
  return { feed: new BoundedFeed(ref, inspectedMessage, feedCapacity, () => {}), known: new WeakSet() };
}

function push({ feed }: Inspector, item: InspectedItem, ref: Ref): void {
  feed.push({ json: toJson(item), ref } satisfies InspectedParcel);
}

/** Session ids are unique in a thread: the address of the machine's actor makes them so in the system. */
function sessionIdOf(actor: { readonly sessionId: string }, ref: Ref): string {
  return `${ref}:${actor.sessionId}`;
}

function introduce(inspector: Inspector, actor: AnyActorRef, ref: Ref): void {
  if (inspector.known.has(actor)) return;
  inspector.known.add(actor);
  const parent = actor._parent;
  if (parent !== undefined) introduce(inspector, parent, ref);
  const { id, systemId, src, logic } = actor as AnyActor;
  const sessionId = sessionIdOf(actor, ref);
  const description: InspectedDescription = {
    id: id === actor.sessionId ? sessionId : id,
    sessionId,
    systemId,
    parentId: parent === undefined ? undefined : sessionIdOf(parent, ref),
    src: typeof src === 'string' ? src : ref.type,
    config: logic?.config,
    snapshot: actor.getSnapshot(),
  };
  const rootId = sessionIdOf(rootOf(actor), ref);
  push(inspector, { type: '@xstate.actor', rootId, sessionId, actor: description, fields: {} }, ref);
}

function rootOf(actor: AnyActorRef): AnyActorRef {
  return actor._parent === undefined ? actor : rootOf(actor._parent);
}

function itemOf(event: InspectionEvent, ref: Ref): InspectedItem {
  const { type, rootId, actorRef, ...rest } = event as InspectionEvent & Record<string, unknown>;
  const { sourceRef, ...fields } = rest as { sourceRef?: AnyActorRef; [name: string]: unknown };
  return {
    type,
    rootId: `${ref}:${rootId}`,
    sessionId: sessionIdOf(actorRef as AnyActorRef, ref),
    sourceId: sourceRef === undefined ? undefined : sessionIdOf(sourceRef, ref),
    fields,
  };
}

/** As inspectors write it: JSON, with the names of functions in place of what cannot be written. */
function toJson(item: InspectedItem): string {
  try {
    return JSON.stringify(item, (_key, value: unknown) => {
      if (typeof value === 'function') return { type: value.name };
      if (typeof value === 'bigint') return String(value);
      if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack };
      return value;
    });
  } catch (error) {
    const { type, rootId, sessionId, sourceId } = item;
    const event = { type: 'heddle.unwritable', reason: thrownText(error) };
    const fields = type === '@xstate.event' || type === '@xstate.snapshot' ? { event, snapshot: {} } : {};
    const actor = item.actor && { ...item.actor, config: undefined, snapshot: undefined };
    return JSON.stringify({ type, rootId, sessionId, sourceId, actor, fields });
  }
}
