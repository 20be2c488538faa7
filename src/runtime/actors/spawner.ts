import type { Timer } from '../../clock.js';
import { HeddleError, requireKnownOptions } from '../../errors.js';
import { actorStopped, systemClosed } from './actor-errors.js';
import type { Cell } from './cell.js';
import { requireDefinition } from './checks.js';
import type { Child } from './children.js';
import { type AnyDefinition, loadDefinition } from './definition.js';
import type { Family, Parent } from './family.js';
import type { ActorHost } from './host.js';
import type { Slot, SpawnRequest } from './host-messages.js';
import type { SpawnOptions } from './placement.js';
import type { Place } from './places.js';
import type { Ref } from './ref.js';

/** How long spawning an actor in another context may take: its module is imported, its state made. */
const spawnTimeoutMs = 30_000;

/** Makes actors: here for a family of this context, in other contexts for one, and here for one of another context. */
export class Spawner {
  readonly #host: ActorHost;

  constructor(host: ActorHost) {
    this.#host = host;
  }

  /** In this context, at once; throws what a synchronous state throws. */
  spawnHere(family: Family, definition: AnyDefinition, args: unknown): Ref {
    requireDefinition('spawnHere()', definition);
    requireOwner(family);
    let failure: { error: unknown } | undefined;
    let isSync = true;
    const cell = this.#host.makeCell(definition, args, family.asParent, (error) => {
      if (error === undefined) return;
      if (isSync) failure = { error };
      else this.#host.reportFailure(cell.ref, error, 'stop');
    });
    isSync = false;
    if (failure !== undefined) throw failure.error;
    return cell.ref;
  }

  /** Wherever the options say; resolves when the actor's state is made. */
  async spawn(family: Family, definition: AnyDefinition, args: unknown, options: SpawnOptions = {}): Promise<Ref> {
    requireDefinition('spawn()', definition);
    requireKnownOptions('spawn', options, ['on', 'name']);
    requireOwner(family);
    const ref = await this.#spawnOrClosed(family, definition, args, options);
    if (options.name === undefined) return ref;
    try {
      await this.#host.registry.register(options.name, ref);
      return ref;
    } catch (error) {
      void this.#host.stop(ref);
      throw error;
    }
  }

  /** Whoever waits while the system closes learns that, whatever became of the actor meanwhile. */
  async #spawnOrClosed(family: Family, definition: AnyDefinition, args: unknown, options: SpawnOptions): Promise<Ref> {
    try {
      return await this.#spawn(family, definition, args, options);
    } catch (error) {
      if (!this.#host.isClosing || (error as Partial<HeddleError>)?.code === 'ERR_HEDDLE_CLOSED') throw error;
      throw systemClosed(error);
    }
  }

  async #spawn(family: Family, definition: AnyDefinition, args: unknown, options: SpawnOptions): Promise<Ref> {
    const host = this.#host;
    const place = host.places.choose(options.on ?? 'here', host.place);
    if (place.place !== host.place) return this.#spawnAt(place, family, definition, args);
    return this.#make(definition, args, family.asParent);
  }

  /** Makes an actor here; resolves when it has its state. One that has none in time is not to have it later, unknown to all. */
  #make(definition: AnyDefinition, args: unknown, parent: Parent, address?: Slot): Promise<Ref> {
    const host = this.#host;
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      let isStarted = false;
      const onStarted = (error: unknown) => {
        isStarted = true;
        timer?.cancel();
        // The cell is not returned yet when its state is made at once.
        if (error === undefined) queueMicrotask(() => resolve(cell.ref));
        else reject(error);
        host.endTurnSoon();
      };
      const cell: Cell = host.makeCell(definition, args, parent, onStarted, address);
      if (isStarted) return;
      timer = host.clock.setTimer(spawnTimeoutMs, () => {
        const text = `${cell.ref} did not start in time: the promise of its state is pending after ${spawnTimeoutMs} ms`;
        reject(new HeddleError('ERR_HEDDLE_TIMEOUT', text));
        cell.stop('failed');
      });
    });
  }

  /** Makes a child again, at its old address in the new thread of its context. */
  async restore(family: Family, child: Child): Promise<void> {
    const place = this.#host.places.get(child.ref.place) as Place;
    await this.#request(place, family, child.definition, child.args, child.ref);
  }

  /** For a parent in another context: imports the definition and makes an actor of it. */
  async spawnFor(request: SpawnRequest): Promise<{ slot: number; generation: number }> {
    const definition = await loadDefinition(request.module, request.definition);
    const { slot, generation } = await this.#make(definition, request.args, request.parent, request.address);
    return { slot, generation };
  }

  async #spawnAt(place: Place, family: Family, definition: AnyDefinition, args: unknown): Promise<Ref> {
    const { owner } = family;
    const incarnation = owner?.incarnation;
    return family.whileSpawning(async () => {
      const { slot, generation } = await this.#request(place, family, definition, args);
      const ref = this.#host.makeRef(place.place, slot, generation, definition.name);
      const isTooLate = this.#host.isClosing || owner?.isGone === true || owner?.incarnation !== incarnation;
      if (!isTooLate) family.addRemote(ref, definition, args);
      else {
        // All children were stopped meanwhile: nobody would stop this one.
        this.#host.post(place.place, { type: 'stop', slot, generation });
        throw owner === undefined ? systemClosed() : spawnedTooLate(owner, ref);
      }
      return ref;
    });
  }

  async #request(
    place: Place,
    family: Family,
    definition: AnyDefinition,
    args: unknown,
    address?: { slot: number; generation: number },
  ): Promise<{ slot: number; generation: number }> {
    const { place: ownPlace, slot, generation } = family.asParent;
    const request: SpawnRequest = {
      type: 'spawn',
      module: definition.module,
      definition: definition.name,
      args,
      parent: { place: ownPlace, slot, generation },
      address: address === undefined ? undefined : { slot: address.slot, generation: address.generation },
    };
    return (await this.#host.request(place.place, request, spawnTimeoutMs)) as { slot: number; generation: number };
  }
}

/** Nobody would stop the child of an actor that has gone, nor one whose siblings have been stopped. */
function requireOwner({ owner }: Family): void {
  if (owner?.status === 'stopped') throw actorStopped(`${owner.ref}, which spawns it,`);
  if (owner?.winding === undefined) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_STATE',
    `${owner.ref} is stopping or restarting, and spawns nothing now: its children go before its onStop is called. Spawn in ` +
      'handlers, or where the state is made',
  );
}

function spawnedTooLate(owner: Cell, ref: Ref): HeddleError {
  if (owner.isGone) return actorStopped(String(owner.ref));
  return new HeddleError(
    'ERR_HEDDLE_ACTOR_STOPPED',
    `${ref} was stopped again: ${owner.ref}, which spawns it, was restarted meanwhile. Spawn it anew where the state is made`,
  );
}
