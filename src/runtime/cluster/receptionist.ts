import { HeddleError } from '../../errors.js';
import { defineActor } from '../actors/definition.js';
import { tellAll } from '../actors/group.js';
import type { ActorHost } from '../actors/host.js';
import { Ref } from '../actors/ref.js';
import { describeError, type WireActorError } from '../actors/wire-error.js';
import { checkDescription, type NodeDescription } from './introduction.js';
import type { Registered } from './registered.js';

/** What a receptionist answers: errors travel as values, since an error that a handler throws would fail its actor. */
export type Outcome = { readonly value: unknown } | { readonly error: WireActorError };

/** What other nodes ask a receptionist for. */
export interface ReceptionistMessages {
  lookup(name: string): Promise<Outcome>;
  spawn(request: { definition: string; args: unknown; on: unknown; name: unknown }): Promise<Outcome>;
  register(entry: { name: string; ref: unknown }): Promise<Outcome>;
  unregister(entry: { name: string; ref: unknown }): Promise<Outcome>;
  join(entry: { name: string; ref: unknown }): Promise<Outcome>;
  leave(entry: { name: string; ref: unknown }): Promise<Outcome>;
  members(group: string): Promise<Outcome>;
  publish(publication: { group: string; name: string; payload: unknown }): void;
  /** The contexts of the asking node have changed. */
  describe(description: NodeDescription): Promise<Outcome>;
  /** The asking node has opened all connections. */
  ready(node: string): void;
}

/** What the receptionist serves. */
export interface ReceptionistState {
  readonly host: ActorHost;
  readonly registered: Registered;
  onDescription(description: NodeDescription): Promise<void>;
  onReady(node: string): void;
}

/**
 * Serves the nodes that are connected: the only way for them to bring anything about here beside sending messages to
 * actors whose refs they hold. It lives in the main context, and its arguments stay there.
 */
export const Receptionist = defineActor(import.meta.url, {
  name: 'heddle.receptionist',
  isReentrant: true,
  mailbox: { capacity: 10_000 },
  state: (args: ReceptionistState) => args,
  handlers: {
    lookup: ({ host }, name: string) => outcome(() => host.registry.lookup(text('name', name)) ?? null),
    spawn: ({ registered }, request: Parameters<ReceptionistMessages['spawn']>[0]) =>
      outcome(() => registered.spawn(record(request))),
    register: ({ host }, entry: Entry) =>
      outcome(() => host.registry.register(text('name', entry?.name), refOf(entry))),
    unregister: ({ host }, entry: Entry) =>
      outcome(() => host.registry.unregister(text('name', entry?.name), refOf(entry))),
    join: ({ host }, entry: Entry) => outcome(() => host.registry.join(text('name', entry?.name), refOf(entry))),
    leave: ({ host }, entry: Entry) => outcome(() => host.registry.leave(text('name', entry?.name), refOf(entry))),
    members: ({ host }, group: string) => outcome(() => [...host.registry.members(text('group', group))]),
    publish({ host }, publication: Parameters<ReceptionistMessages['publish']>[0]) {
      const { group, name, payload } = record(publication);
      if (typeof group !== 'string' || typeof name !== 'string') return;
      tellAll(host.registry.members(group), name, payload);
    },
    describe: (state, description: unknown) => outcome(() => state.onDescription(checkDescription(description))),
    ready(state, node: string) {
      if (typeof node === 'string') state.onReady(node);
    },
  },
});

type Entry = { readonly name?: unknown; readonly ref?: unknown } | undefined;

async function outcome(act: () => unknown): Promise<Outcome> {
  try {
    return { value: await act() };
  } catch (error) {
    return { error: describeError(error) };
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'the request of the other node is malformed');
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${name} must be a text, not ${typeof value}`);
}

function refOf(entry: Entry): Ref {
  if (entry?.ref instanceof Ref) return entry.ref;
  throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'only an actor can be registered or join a group');
}
