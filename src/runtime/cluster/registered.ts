import { describe, HeddleError } from '../../errors.js';
import { requireDefinition } from '../actors/checks.js';
import type { AnyDefinition } from '../actors/definition.js';
import type { ActorHost } from '../actors/host.js';
import type { Placement } from '../actors/placement.js';
import type { Ref } from '../actors/ref.js';

/** What the option `register` names. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function definitionsByName(register: unknown): ReadonlyMap<string, AnyDefinition> {
  if (!Array.isArray(register)) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `register must be a list of definitions, as defineActor() makes them, not ${describe(register)}`,
    );
  }
  const definitions = new Map<string, AnyDefinition>();
  for (const definition of register) {
    requireDefinition('register', definition);
    const { name } = definition as AnyDefinition;
    if (definitions.has(name)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `register has two definitions with name=${name}: other nodes ask for them by that name`,
      );
    }
    definitions.set(name, definition);
  }
  return definitions;
}

/** The definitions that other nodes may have spawned here: nothing else is loaded, or started, on their word. */
export class Registered {
  readonly #host: ActorHost;
  readonly #definitions: ReadonlyMap<string, AnyDefinition>;

  constructor(host: ActorHost, definitions: ReadonlyMap<string, AnyDefinition>) {
    this.#host = host;
    this.#definitions = definitions;
  }

  get names(): string[] {
    return [...this.#definitions.keys()];
  }

  /** Makes an actor for another node, supervised by this system. */
  spawn({ definition, args, on, name }: Record<string, unknown>): Promise<Ref> {
    const found = this.#definitions.get(String(definition));
    if (found === undefined) {
      throw new HeddleError(
        'ERR_HEDDLE_NOT_REGISTERED',
        `${this.#host.systemId} has registered no definition=${String(definition)}: name it in createSystem({ register: [...] }) ` +
          `there. It has ${this.names.join(', ') || 'none'}`,
      );
    }
    if (name !== undefined && typeof name !== 'string') {
      throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', 'name must be a text');
    }
    const options = { on: (on ?? 'round-robin') as Placement, name };
    return this.#host.spawner.spawn(this.#host.root, found, args, options);
  }
}
