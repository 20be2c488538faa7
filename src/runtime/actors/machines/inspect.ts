import type { InspectionEvent, Observer } from 'xstate';
import { HeddleError } from '../../../errors.js';
import type { FeedBatch } from '../bounded-feed.js';
import type { ActorHost } from '../host.js';
import { internalDefinition, refOf, spawnInternal } from '../internal-definition.js';
import type { Ref } from '../ref.js';
import type { AnyActorRef } from '../types.js';
import {
  type InspectedDescription,
  type InspectedItem,
  type InspectedParcel,
  inspectedMessage,
  inspectorGroup,
} from './inspection.js';

/** What XState's option `inspect` takes: a function, or an observer, as the Stately inspectors have it. */
export type MachineInspector = ((event: InspectionEvent) => void) | Partial<Observer<InspectionEvent>>;

/** What inspectors know of an XState actor of another context: what they look at is there, under the same names. */
class InspectedActor {
  readonly id: string;
  readonly sessionId: string;
  readonly systemId: string | undefined;
  readonly src: string;
  readonly logic: { readonly config: unknown };
  readonly _parent: InspectedActor | undefined;
  readonly #ref: Ref;
  snapshot: unknown;

  constructor(description: InspectedDescription, parent: InspectedActor | undefined, ref: Ref) {
    const { id, sessionId, systemId, src, config, snapshot } = description;
    this.id = id;
    this.sessionId = sessionId;
    this.systemId = systemId;
    this.src = src;
    this.logic = { config };
    this._parent = parent;
    this.#ref = ref;
    this.snapshot = snapshot;
  }

  /** What it was when the last event came. */
  getSnapshot(): unknown {
    return this.snapshot;
  }

  /** Sends an event to the machine, as a message of its actor. */
  send({ type, ...payload }: { readonly type: string }): void {
    if (this._parent !== undefined) {
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `${this.sessionId} takes events of its parent only`);
    }
    this.#ref.tell(type, payload);
  }

  toJSON(): object {
    return { xstate$$type: 1, id: this.id };
  }
}

interface InspectedEntry {
  readonly actor: InspectedActor;
  readonly ref: Ref;
}

/** XState actors that an inspector remembers; of more it forgets the oldest. */
const maximumActors = 65_536;

/** Forgets one XState actor; with `ref`, all of that actor's machine. */
function forget(actors: Map<string, InspectedEntry>, ref: Ref | undefined, sessionId = ''): void {
  actors.delete(sessionId);
  if (ref === undefined) return;
  for (const [id, entry] of actors) if (entry.ref.equals(ref)) actors.delete(id);
}

interface InspectorArguments {
  readonly inspector: MachineInspector;
}

const inspectorDefinition = internalDefinition({
  name: 'heddle.inspector',
  state: ({ inspector }: InspectorArguments) => ({
    inspector,
    actors: new Map<string, InspectedEntry>(),
  }),
  handlers: {
    [inspectedMessage]: ({ inspector, actors }, { items }: FeedBatch, actor) => {
      for (const { json, ref } of items as readonly InspectedParcel[]) {
        const item = JSON.parse(json) as InspectedItem;
        if (item.actor !== undefined) {
          const parent = actors.get(item.actor.parentId ?? '')?.actor;
          actors.set(item.sessionId, { actor: new InspectedActor(item.actor, parent, ref), ref });
          if (actors.size > maximumActors) actors.delete(actors.keys().next().value as string);
          if (parent === undefined) actor.watch(ref as AnyActorRef);
        }
        const inspected = actors.get(item.sessionId)?.actor;
        // Its introduction was among what was left out.
        if (inspected === undefined) continue;
        const { snapshot } = item.fields as { snapshot?: { status?: string } };
        if (snapshot !== undefined) inspected.snapshot = snapshot;
        const { type, rootId, sourceId, fields } = item;
        const sourceRef = sourceId === undefined ? undefined : actors.get(sourceId)?.actor;
        const event = { type, rootId, actorRef: inspected, ...(type === '@xstate.event' && { sourceRef }), ...fields };
        try {
          if (typeof inspector === 'function') inspector(event as unknown as InspectionEvent);
          else inspector.next?.(event as unknown as InspectionEvent);
        } catch (error) {
          actor.cell.host.reportFailure(refOf(actor), error, 'resume');
        }
        const hasEnded = type === '@xstate.snapshot' && snapshot?.status !== 'active';
        if (hasEnded) forget(actors, inspected._parent === undefined ? ref : undefined, item.sessionId);
      }
    },
  },
  onTerminated: ({ actors }, { ref, reason }) => {
    // Of others their last snapshot tells, which may be on its way still.
    if (reason === 'context-lost') forget(actors, ref as unknown as Ref);
  },
});

/** Has an inspector told of all machines of the system. Returns what ends it. */
export function inspectMachines(host: ActorHost, inspector: MachineInspector): () => void {
  if (typeof inspector !== 'function' && typeof inspector?.next !== 'function') {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      'an inspector is a function, or an object with a function next',
    );
  }
  const ref = spawnInternal(host, inspectorDefinition, { inspector } satisfies InspectorArguments);
  void host.registry.join(inspectorGroup, ref);
  return () => ref.cell?.stop('stopped');
}
