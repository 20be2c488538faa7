import type { HeddleError } from '../../errors.js';
import { requireText } from './checks.js';
import type { ActorHost } from './host.js';
import type { Ref } from './ref.js';
import type { ActorRef, MessageName, PayloadArguments, Protocol } from './types.js';

/** A group of actors, wherever they live, that are told things together. The same from every context. */
export class Group<M extends Protocol<M>> {
  /** What {@link ActorSystem.group} was asked for; contexts find the group by it. */
  readonly name: string;
  readonly #host: ActorHost;

  /** @internal */
  constructor(host: ActorHost, name: string) {
    requireText('the name of a group', name);
    this.#host = host;
    this.name = name;
  }

  /** The members as this context knows them now. */
  get members(): readonly ActorRef<M>[] {
    return this.#host.registry.members(this.name) as unknown as readonly ActorRef<M>[];
  }

  /** Takes an actor in; resolves when the system knows. Harmless when it is in. It leaves by itself when it has gone. */
  join(ref: ActorRef<M>): Promise<void> {
    return this.#host.registry.join(this.name, ref as unknown as Ref);
  }

  /** Lets an actor go; resolves when the system knows. Harmless when it is not in. */
  leave(ref: ActorRef<M>): Promise<void> {
    return this.#host.registry.leave(this.name, ref as unknown as Ref);
  }

  /** Tells all members. False when one of them wants the sender to slow down: see {@link ready}. */
  publish<K extends MessageName<M>>(name: K, ...payload: PayloadArguments<M, K>): boolean {
    return tellAll(this.#host.registry.members(this.name), name, payload[0]);
  }

  /** Resolves when all members can be told more, or have gone. */
  async ready(): Promise<void> {
    await Promise.all(this.#host.registry.members(this.name).map((member) => member.ready()));
  }
}

/**
 * Tells all of them. False when one wants the sender to slow down, or refused the message since its mailbox was full: it is a dead
 * letter then, and no reason why the others should not get theirs.
 */
export function tellAll(refs: readonly Ref[], name: string, payload: unknown): boolean {
  let isWelcome = true;
  for (const ref of refs) {
    try {
      if (!ref.tell(name, payload)) isWelcome = false;
    } catch (error) {
      if ((error as Partial<HeddleError>).code !== 'ERR_HEDDLE_MAILBOX_FULL') throw error;
      isWelcome = false;
    }
  }
  return isWelcome;
}
