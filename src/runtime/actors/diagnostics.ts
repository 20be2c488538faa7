import { channel, tracingChannel } from 'node:diagnostics_channel';
import { promiseOf } from '../message/thenable.js';
import type { Cell } from './cell.js';
import type { Handler } from './definition.js';
import { errorOf } from './error-reply.js';
import type { Mailbox } from './mailbox.js';
import { type CurrentTrace, propagation, runWithCarrier, spanOf } from './trace-context.js';
import type { AnyActorRef, TerminationReason } from './types.js';

/** What the channels `heddle:actor:spawn`, `heddle:actor:restart` and `heddle:actor:stop` publish. */
export interface ActorLifeMessage {
  /** The actor; it lives in the thread whose channel published this. */
  readonly ref: AnyActorRef;
  /** Only when it stopped: why. */
  readonly reason?: TerminationReason | undefined;
}

/**
 * What the tracing channel `heddle:message` publishes: one object for each message that is handled, on
 * `tracing:heddle:message:start` and `:end` (around the handler), `:asyncStart` and `:asyncEnd` (when the promise that it
 * returned has settled), and `:error`.
 */
export interface MessageTraceMessage {
  /** The actor that handles the message. */
  readonly ref: AnyActorRef;
  /** The message's name. */
  readonly name: string;
  /** Whether the sender waits for a reply. */
  readonly isAsk: boolean;
  /** The message's place in the trace that its sender was in, if it was in one. */
  readonly trace: CurrentTrace | undefined;
  /** What the handler returned, or its promise resolved to. */
  result?: unknown;
  /** What it threw. */
  error?: unknown;
}

const spawned = channel('heddle:actor:spawn');
const restarted = channel('heddle:actor:restart');
const stopped = channel('heddle:actor:stop');
const { start, end, asyncStart, asyncEnd, error: failed } = tracingChannel('heddle:message');

/** One object for the thread: its field is looked at for each message. */
export const diagnostics = {
  /** Whether messages must be handled with attention: somebody listens, or something travels with messages. */
  isOn: false,
};

/** At the beginning of each turn: a subscription is noticed then. */
export function lookForSubscribers(): void {
  diagnostics.isOn =
    propagation.isOn ||
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    failed.hasSubscribers;
}

export function publishSpawn(ref: AnyActorRef): void {
  if (spawned.hasSubscribers) spawned.publish({ ref } satisfies ActorLifeMessage);
}

export function publishRestart(ref: AnyActorRef): void {
  if (restarted.hasSubscribers) restarted.publish({ ref } satisfies ActorLifeMessage);
}

export function publishStop(ref: AnyActorRef, reason: TerminationReason): void {
  if (stopped.hasSubscribers) stopped.publish({ ref, reason } satisfies ActorLifeMessage);
}

/** Calls a handler with what came with its message, and tells who listens. */
export function handleObserved(cell: Cell, taken: Mailbox, handler: Handler | undefined): unknown {
  const { carrier, name, payload, origin } = taken;
  const span = spanOf(carrier);
  const message: MessageTraceMessage = {
    ref: cell.ref as AnyActorRef,
    name: String(name),
    isAsk: origin?.isAsk === true,
    trace: span,
  };
  const call = () => cell.callHandler(handler, payload, taken);
  return runWithCarrier(carrier, span, () => start.runStores(message, () => callObserved(message, call)));
}

function callObserved(message: MessageTraceMessage, call: () => unknown): unknown {
  let result: unknown;
  try {
    result = call();
    const promise = promiseOf(result);
    if (promise !== undefined) observePromise(message, promise);
    else message.result = result;
  } catch (error) {
    message.error = errorOf(error);
    failed.publish(message);
    throw error;
  } finally {
    end.publish(message);
  }
  return result;
}

function observePromise(message: MessageTraceMessage, promise: Promise<unknown>): void {
  const settle = () => {
    asyncStart.publish(message);
    asyncEnd.publish(message);
  };
  promise.then(
    (value) => {
      message.result = value;
      settle();
    },
    (error: unknown) => {
      message.error = errorOf(error);
      failed.publish(message);
      settle();
    },
  );
}
