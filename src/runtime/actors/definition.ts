import { AsyncLocalStorage } from 'node:async_hooks';
import { HeddleError, thrownText } from '../../errors.js';
import { importModule } from '../context/import-module.js';
import type { ActorContext } from './actor-context.js';
import type { Cell } from './cell.js';
import { checkSpecification } from './check-specification.js';
import { HandlerTable } from './handler-table.js';
import type { MailboxOptions } from './mailbox-options.js';
import type { SupervisionOptions } from './supervision.js';
import type { ActorRef, Protocol, Termination } from './types.js';

/** A handler as the runtime sees it. */
// biome-ignore lint/suspicious/noExplicitAny: payloads are checked where handlers are defined and refs are used
export type Handler<S = any> = (state: S, payload: any, actor: ActorContext) => unknown;

/** The handlers of an actor, by the names of the messages. */
export type Handlers<S> = { readonly [name: string]: Handler<S> };

/**
 * The protocol that handlers make up: what a ref to their actor can be told and asked. A promise's value is the reply. A
 * payload that can only be undefined, as a handler writes it that needs no payload but the actor, counts as none.
 */
export type MessagesOf<H> = {
  [K in keyof H]: H[K] extends () => infer R
    ? () => Awaited<R>
    : H[K] extends (state: never) => infer R
      ? () => Awaited<R>
      : H[K] extends (state: never, payload: infer P, actor: never) => infer R
        ? // Of any, which extends everything, the first condition alone is true.
          0 extends 1 & P
          ? (payload: P) => Awaited<R>
          : [P] extends [undefined]
            ? () => Awaited<R>
            : (payload: P) => Awaited<R>
        : never;
};

/** What {@link defineActor} takes. `S` is the actor's state, `A` what it is spawned with, `H` its handlers. */
export interface ActorSpecification<S, A, H> {
  /** Unique in its module: by it and the module's URL other contexts find the definition. */
  readonly name: string;
  /** Makes the state: at first, and anew at each restart. The actor takes messages once it has resolved. */
  state(args: A, actor: ActorContext): S | Promise<S>;
  /**
   * One handler for each message. What it returns, or its promise resolves to, is the reply to an ask. An error that it
   * throws goes to who asks, and to the supervisor; a {@link Refusal} only to who asks.
   */
  readonly handlers: H;
  /** How many messages may wait, and what happens then. */
  readonly mailbox?: MailboxOptions | undefined;
  /** What becomes of a child that fails. */
  readonly supervision?: SupervisionOptions | undefined;
  /** Handles the next message while a handler's promise is pending. Default: false, one message at a time. */
  readonly isReentrant?: boolean | undefined;
  /**
   * How long a stop waits for handlers whose promises are pending, in milliseconds; who asked gets ERR_HEDDLE_ACTOR_STOPPED
   * then. A stop after a failure does not wait. As long waits a stop, or a restart, for the promise of {@link onStop}. Default: 5000.
   */
  readonly stopTimeoutMs?: number | undefined;
  /** Without a message for this long, {@link onReceiveTimeout} is called. Settable by `actor.setReceiveTimeout`. */
  readonly receiveTimeoutMs?: number | undefined;
  /** No message came for the receive timeout, and none was handled while this call had to wait. */
  onReceiveTimeout?(state: S, actor: ActorContext): unknown;
  /** An actor that this one watches has gone. */
  onTerminated?(state: S, termination: Termination, actor: ActorContext): unknown;
  /**
   * The actor stops, or is about to restart, and its children have gone: the last chance to let go of what the state holds. What
   * it spawns now is refused: ERR_HEDDLE_INVALID_STATE. A state whose promise resolves after the actor has stopped, or begun
   * anew, is let go of likewise; nothing waits for that, and what it begins then is the new state's.
   */
  onStop?(state: S, reason: 'stopped' | 'restarted' | 'failed', actor: ActorContext): void | Promise<void>;
  /** @internal Takes messages for which there is no handler; returns {@link unhandled} for what it does not take either. */
  receive?(state: S, name: string, payload: unknown, actor: ActorContext): unknown;
}

/**
 * What an actor is: made once by {@link defineActor}, in a module of its own, spawned any number of times. `A` is what it is
 * spawned with, `M` its messages.
 */
export interface ActorDefinition<A, M extends Protocol<M>> {
  /** Unique in its module; the `type` of its actors' refs. */
  readonly name: string;
  /** URL of the module that exports it. */
  readonly module: string;
  /** @internal */
  readonly specification: ActorSpecification<unknown, A, Handlers<unknown>>;
  /** @internal The handlers, without what every object inherits: a message may be called `toString`. */
  readonly handlers: HandlerTable;
  /** @internal What runs actors of this definition, where it is not the usual. */
  readonly cellClass?: typeof Cell;
  /** @internal Only for the compiler. */
  readonly messages?: M;
}

/** Any definition. */
// biome-ignore lint/suspicious/noExplicitAny: the constraint that every definition meets
export type AnyDefinition = ActorDefinition<any, any>;

/** What any definition was made of, as the runtime sees it. */
export type AnySpecification = ActorSpecification<unknown, unknown, Handlers<unknown>>;

/** The type of refs to actors of a definition: `RefOf<typeof Counter>`. */
export type RefOf<D extends AnyDefinition> = D extends ActorDefinition<infer _A, infer M> ? ActorRef<M> : never;

/** What `receive` returns for a message that it does not take. */
export const unhandled = Symbol('unhandled');

/** Throw it to refuse a message: who asks gets the error, and the actor goes on as if nothing had happened. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

const definitions = new Map<string, AnyDefinition>();

/** An import of a module for the sake of what it defines. */
interface DefinitionImport {
  isOver: boolean;
}

/** Known to all that the module does at its top level, past every `await`, and to nobody else in the thread. */
const imports = new AsyncLocalStorage<DefinitionImport>();
let running = 0;

/** Whether the code that runs now is of a module that is imported for the sake of the actors or functions that it defines. */
export function isImportingDefinitions(): boolean {
  return imports.getStore()?.isOver === false;
}

/** Imports a module for the sake of what it defines. */
export async function whileImporting<T>(load: () => Promise<T>): Promise<T> {
  const run: DefinitionImport = { isOver: false };
  running++;
  try {
    return await imports.run(run, load);
  } finally {
    run.isOver = true;
    // One that is in use makes every promise of the thread slower, before Node.js 24.
    if (--running === 0) imports.disable();
  }
}

/**
 * Defines an actor. Call it at the top level of a module of its own, with `import.meta.url`: other contexts import that
 * module to spawn the actor. Where a bundler puts the code into other files, give the URL of the file that defines it in
 * the bundle: `new URL('./counter.js', import.meta.url)`.
 *
 * @example
 * export const Counter = defineActor(import.meta.url, {
 *   name: 'counter',
 *   state: (args: { start: number }) => ({ count: args.start }),
 *   handlers: {
 *     add(state, by: number) { state.count += by; },
 *     get(state) { return state.count; },
 *   },
 * });
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT
 */
export function defineActor<S, A, H extends Handlers<S>>(
  module: string | URL,
  specification: ActorSpecification<S, A, H>,
): ActorDefinition<A, MessagesOf<H>> {
  const url = String(module);
  if (!URL.canParse(url)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `module=${url} is no URL: give import.meta.url`);
  }
  checkSpecification(url, specification);
  const { name } = specification;
  const key = keyOf(url, name);
  if (definitions.has(key)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `module=${url} defines two actors with name=${name}`);
  }
  const handlers = new HandlerTable(specification.handlers);
  const definition = { name, module: url, specification, handlers } as unknown as ActorDefinition<A, MessagesOf<H>>;
  definitions.set(key, definition);
  return definition;
}

function keyOf(module: string, name: string): string {
  return `${module}#${name}`;
}

/** The definition of that name in that module, which is imported when it has not been. */
export async function loadDefinition(module: string, name: string): Promise<AnyDefinition> {
  const key = keyOf(module, name);
  const known = definitions.get(key);
  if (known !== undefined) return known;
  try {
    await whileImporting(() => importModule(module));
  } catch (cause) {
    throw new HeddleError(
      cause instanceof HeddleError && cause.code === 'ERR_HEDDLE_TYPESCRIPT'
        ? 'ERR_HEDDLE_TYPESCRIPT'
        : 'ERR_HEDDLE_UNKNOWN_ACTOR_TYPE',
      `the module that defines actor ${name} cannot be imported here: ${thrownText(cause)} (module=${module})`,
      { cause },
    );
  }
  const definition = definitions.get(key);
  if (definition !== undefined) return definition;
  throw new HeddleError(
    'ERR_HEDDLE_UNKNOWN_ACTOR_TYPE',
    `module=${module} defines no actor with name=${name}: call defineActor at its top level, with the URL of that module`,
  );
}
