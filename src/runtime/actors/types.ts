/**
 * What actors look like to the compiler: a protocol is an interface whose methods are the messages that an actor takes.
 * A message has one payload or none; what the method returns is the reply to an ask.
 *
 * @example
 * interface CounterMessages {
 *   add(by: number): void;
 *   get(): number;
 * }
 */
// biome-ignore lint/suspicious/noExplicitAny: the constraint that every protocol meets
export type Protocol<M> = { [K in keyof M]: (payload: any) => unknown };

/** The names of the messages of a protocol. */
export type MessageName<M> = keyof M & string;

/** The payload of a message, as the rest of an argument list: none, or one. */
export type PayloadArguments<M, K extends keyof M> = M[K] extends (...payload: infer P) => unknown
  ? P extends []
    ? [payload?: undefined]
    : undefined extends P[0]
      ? [payload?: P[0]]
      : [payload: P[0]]
  : never;

/** What an ask for a message resolves to. */
export type ReplyOf<M, K extends keyof M> = M[K] extends (...payload: never[]) => infer R ? Awaited<R> : never;

/** How an ask is made. */
export interface AskOptions {
  /** How long to wait for the reply, in milliseconds. Default: the system's `askTimeoutMs`, 5000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Gives the ask up: its promise rejects with `ERR_HEDDLE_CANCELLED`. A message that waits in the actor's mailbox is not
   * handled then; a handler that is under way learns of it by `actor.signal`. A deadline that passes does the same.
   */
  readonly signal?: AbortSignal | undefined;
}

/** The arguments of an ask behind the message's name. */
export type AskArguments<M, K extends keyof M> =
  PayloadArguments<M, K> extends [payload: infer P]
    ? [payload: P, options?: AskOptions]
    : [payload?: PayloadArguments<M, K>[0], options?: AskOptions];

/**
 * The address of an actor, typed by the messages that it takes: works from any context, and travels in messages.
 * One context has one object for an actor of its own; compare others by {@link equals}.
 */
export interface ActorRef<M extends Protocol<M>> {
  /** Never there, only for the compiler: a ref stands for one to fewer messages, and not for one to others. */
  readonly messages?: M;
  /** The name of the actor's definition. */
  readonly type: string;
  /** The name of the context that the actor lives in. */
  readonly contextName: string;
  /** The actor's address as text, for messages to people: `counter@worker-1/12.3`. */
  toString(): string;
  /**
   * Sends a message, and expects nothing: at most once, and in order for each sender and receiver. Never throws for
   * what becomes of the message: one that cannot be delivered becomes a dead letter. Returns false when the sender
   * should slow down, as a stream's `write` does: then wait for {@link ready}.
   *
   * @throws ERR_HEDDLE_CODEC when the payload cannot be sent to another context; ERR_HEDDLE_MAILBOX_FULL when the actor is
   *   of this context and its mailbox has the policy `fail`.
   */
  tell<K extends MessageName<M>>(name: K, ...payload: PayloadArguments<M, K>): boolean;
  /**
   * Sends a message and resolves with the handler's result. Always settles. Rejects with what the handler threw (a
   * `RemoteError` when it did so in another context), or
   * `ERR_HEDDLE_TIMEOUT`, `ERR_HEDDLE_CANCELLED`, `ERR_HEDDLE_ACTOR_STOPPED`, `ERR_HEDDLE_CONTEXT_LOST`,
   * `ERR_HEDDLE_NODE_LOST`, `ERR_HEDDLE_MAILBOX_FULL`, `ERR_HEDDLE_UNKNOWN_MESSAGE`, `ERR_HEDDLE_DEADLOCK`.
   */
  ask<K extends MessageName<M>>(name: K, ...rest: AskArguments<M, K>): Promise<ReplyOf<M, K>>;
  /** Resolves when the actor can be told more, or is gone. */
  ready(): Promise<void>;
  /** Whether both are addresses of the same actor. */
  equals(other: unknown): boolean;
}

/** A ref of whatever actor: it can be watched, stopped and compared, but told nothing. */
// biome-ignore lint/complexity/noBannedTypes: no messages at all
export type AnyActorRef = Pick<ActorRef<{}>, 'type' | 'contextName' | 'toString' | 'ready' | 'equals'>;

/** Why an actor has gone. */
export type TerminationReason = 'stopped' | 'failed' | 'context-lost' | 'node-lost' | 'unknown';

/** The news that a watched actor has gone. */
export interface Termination {
  /** The actor that has gone. */
  readonly ref: AnyActorRef;
  /** `unknown`: it had gone before it was watched. */
  readonly reason: TerminationReason;
}
