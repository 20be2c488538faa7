import { HeddleError } from '../../errors.js';
import type { DeadLetterReason } from './dead-letters.js';
import type { ActorHost } from './host.js';
import type { Origin } from './mailbox.js';
import type { Place } from './places.js';
import { firstRemotePlace } from './remote-places.js';
import { signals } from './signals.js';
import type { Directive } from './supervision.js';
import type { TerminationReason } from './types.js';
import { readError, type WireActorError } from './wire-error.js';

export interface Slot {
  readonly slot: number;
  readonly generation: number;
}

/** Asks a context to make an actor. */
export interface SpawnRequest {
  readonly type: 'spawn';
  readonly module: string;
  readonly definition: string;
  readonly args: unknown;
  readonly parent: Slot & { readonly place: number };
  /** The address that it had before its context was lost. */
  readonly address: Slot | undefined;
}

/** What the runtimes of a system's contexts tell and ask each other. */
export type HostPost =
  | SpawnRequest
  | ({ readonly type: 'stop' | 'stop-last' | 'watch' | 'unwatch' } & Slot)
  | ({ readonly type: 'terminated'; readonly reason: TerminationReason } & Slot)
  | ({
      readonly type: 'direct';
      readonly directive: Exclude<Directive, 'escalate'>;
      readonly delayMs: number;
      /** A stop on request, and not for a failure. */
      readonly isOrderly: boolean;
    } & Slot)
  | { readonly type: 'failed'; readonly parent: Slot; readonly child: Slot; readonly error: WireActorError }
  | { readonly type: 'child-gone'; readonly parent: Slot; readonly child: Slot; readonly reason: TerminationReason }
  | { readonly type: 'place'; readonly place: Place }
  | { readonly type: 'restore'; readonly place: Place }
  | {
      readonly type: 'failure';
      readonly ref: unknown;
      readonly error: WireActorError;
      readonly action: Directive | 'onStop';
    }
  | { readonly type: 'dead-letter'; readonly reason: DeadLetterReason; readonly to: unknown; readonly name: string }
  | { readonly type: 'extension'; readonly name: string; readonly payload: unknown };

/** Takes what a part of the runtime that is built on top of hosts posts to its like in other contexts. */
export type HostExtension = (from: number, payload: unknown) => unknown;

/** Carries out what the runtimes of other contexts tell and ask this one. */
export class HostMessages {
  readonly #host: ActorHost;
  readonly #extensions = new Map<string, HostExtension>();
  /** What the main context does about what others report. */
  onReport: ((post: HostPost) => void) | undefined;

  constructor(host: ActorHost) {
    this.#host = host;
  }

  extend(name: string, extension: HostExtension): void {
    this.#extensions.set(name, extension);
  }

  receive(from: number, post: HostPost, origin: Origin | undefined): void {
    let result: unknown;
    try {
      result = this.#carryOut(from, post);
    } catch (error) {
      if (origin !== undefined) origin.replyError(error);
      else this.#host.context.emit('report', error as HeddleError);
      return;
    }
    if (origin === undefined) {
      if (result instanceof Promise) result.catch(() => {});
      return;
    }
    if (!(result instanceof Promise)) {
      origin.reply(result);
      return;
    }
    result.then(
      (value) => origin.reply(value),
      (error: unknown) => origin.replyError(error),
    );
    this.#host.endTurnSoon();
  }

  #carryOut(from: number, post: HostPost): unknown {
    const host = this.#host;
    if (from >= firstRemotePlace) requireOfNodes(post);
    switch (post.type) {
      case 'spawn':
        return host.spawner.spawnFor(post);
      case 'stop':
        host.cellAt(post.slot, post.generation)?.stop('stopped');
        return undefined;
      case 'stop-last':
        host.cellAt(post.slot, post.generation)?.signal(signals.stop);
        return undefined;
      case 'watch':
        this.#watch(from, post);
        return undefined;
      case 'unwatch':
        host.cellAt(post.slot, post.generation)?.watchers?.delete(from);
        return undefined;
      case 'terminated':
        host.watches.onTerminated(from, post.slot, post.generation, post.reason);
        return undefined;
      case 'direct': {
        const cell = host.cellAt(post.slot, post.generation);
        if (post.isOrderly) cell?.stop('stopped');
        else cell?.obey(post.directive, post.delayMs);
        return undefined;
      }
      case 'failed':
        this.#onFailed(from, post.parent, post.child, readError(post.error));
        return undefined;
      case 'child-gone':
        host
          .familyOf(post.parent.slot, post.parent.generation)
          ?.remove(host.childKey(from, post.child.slot, post.child.generation));
        return undefined;
      case 'place':
        host.onPlace(post.place);
        return undefined;
      case 'restore':
        return host.restoreAt(post.place);
      case 'failure':
      case 'dead-letter':
        this.onReport?.(post);
        return undefined;
      case 'extension': {
        const extension = this.#extensions.get(post.name);
        if (extension === undefined) throw new HeddleError('ERR_HEDDLE_PROTOCOL', `there is no extension ${post.name}`);
        return extension(from, post.payload);
      }
      default:
        throw new HeddleError('ERR_HEDDLE_PROTOCOL', `context ${from} posted something unknown`);
    }
  }

  #watch(from: number, { slot, generation }: Slot): void {
    const host = this.#host;
    const cell = host.cellAt(slot, generation);
    if (cell === undefined) {
      host.post(from, { type: 'terminated', slot, generation, reason: 'unknown' });
      return;
    }
    cell.watchers ??= new Map();
    cell.watchers.set(from, {
      onTerminated: ({ reason }) => void host.post(from, { type: 'terminated', slot, generation, reason }),
    });
  }

  #onFailed(from: number, parent: Slot, child: Slot, error: Error): void {
    const host = this.#host;
    const family = host.familyOf(parent.slot, parent.generation);
    if (family !== undefined) family.onFailed(host.childKey(from, child.slot, child.generation), error);
    // Nobody is there to decide.
    else host.post(from, { type: 'stop', ...child });
  }
}

/** What another node may say to a context's runtime. It asks for all else by messages to actors. */
const ofNodes: readonly string[] = ['watch', 'unwatch', 'terminated', 'stop'];
const terminationReasons: readonly string[] = ['stopped', 'failed', 'context-lost', 'node-lost', 'unknown'];

/** Checks what came from another process: nothing else can be brought about here on a peer's word. */
function requireOfNodes(post: unknown): void {
  const { type, slot, generation, reason } = (post ?? {}) as Record<string, unknown>;
  if (
    ofNodes.includes(type as string) &&
    Number.isInteger(slot) &&
    Number.isInteger(generation) &&
    (type !== 'terminated' || terminationReasons.includes(reason as string))
  ) {
    return;
  }
  throw new HeddleError('ERR_HEDDLE_PROTOCOL', `another node may not post type=${String(type)} to this one`);
}
