import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { HeddleError } from '../../errors.js';

/** A place in a distributed trace, in the form of the W3C headers of the same names. */
export interface TraceContext {
  /** Version, trace id, span id and flags: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`. */
  readonly traceparent: string;
  /** What tracing systems added for themselves; heddle passes it on as it is. */
  readonly tracestate?: string | undefined;
}

/** Where the code that runs is in a trace: in a handler, the span of that message. */
export interface CurrentTrace extends TraceContext {
  /** The span id of whoever sent the message; undefined for what {@link withTrace} began or took over. */
  readonly parentSpanId: string | undefined;
}

/**
 * What crosses to the handler with each message. Either an AsyncLocalStorage, whose store travels; or a pair of functions,
 * for contexts that are kept elsewhere.
 */
export type Propagator = {
  /** The same in every thread, and different from all others. */
  readonly name: string;
} & (
  | {
      /** Its store travels: by reference within a thread; to another thread it must be something that can be sent. */
      // biome-ignore lint/suspicious/noExplicitAny: of whatever
      readonly storage: AsyncLocalStorage<any>;
    }
  | {
      /** What is to travel with a message that is sent now; undefined: nothing. */
      capture(): unknown;
      /** Runs `body`, which handles a message, with what travelled; undefined: nothing did. Returns what `body` returns. */
      run<R>(value: unknown, body: () => R): R;
    }
);

/** What travels with one message. */
export interface Carrier {
  readonly trace: TraceContext | undefined;
  /** By the names of the propagators. */
  readonly values: Readonly<Record<string, unknown>> | undefined;
}

/** What a handler has got: its place in the trace, and values whose propagators this thread does not know, to be passed on. */
interface Hop {
  readonly trace: CurrentTrace | undefined;
  readonly unknownValues: Readonly<Record<string, unknown>> | undefined;
}

/** One object for the thread: its fields are looked at for each message. */
export const propagation = {
  /** Whether this thread has anything that could travel with messages. Once it has, it stays so. */
  isOn: false,
  /** What came with the message from another context that is being delivered; null: that message came with nothing. */
  arrived: undefined as Carrier | null | undefined,
};

/** Runs a function with nothing of what the turn has from whoever happened to wake the context. */
const outsideOfTurn = AsyncLocalStorage.snapshot();
const hops = new AsyncLocalStorage<Hop | undefined>();
const propagators = new Map<string, Propagator>();
const traceparentPattern = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
/** As the W3C recommends. */
const maximumTracestateLength = 512;

/**
 * Has something of the sender's travel with every message that this thread's actors, and other code, send from now on:
 * a tenant, a user, a logger's fields, the context of a tracing library. Handlers, and what they call, find it where the
 * sender had it. Call it in the module that has the storage, at its top level, so that every thread that imports the module
 * does so. A thread that does not know the name passes the value on. Returns what ends it in this thread.
 *
 * @example
 * export const tenant = new AsyncLocalStorage<string>();
 * propagate({ name: 'tenant', storage: tenant });
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT when the name is missing, or taken
 */
export function propagate(propagator: Propagator): () => void {
  const { name } = propagator;
  const isUsable = 'storage' in propagator ? propagator.storage instanceof AsyncLocalStorage : 'run' in propagator;
  if (typeof name !== 'string' || name === '' || !isUsable) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      'propagate() takes { name, storage }, with an AsyncLocalStorage, or { name, capture, run }',
    );
  }
  if (propagators.has(name)) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `name=${name} is propagated already in this thread`);
  }
  propagators.set(name, propagator);
  propagation.isOn = true;
  return () => {
    if (propagators.get(name) === propagator) propagators.delete(name);
  };
}

/**
 * Runs `body` as part of a trace: the one that the headers of an incoming request name, or a new one when there are none, or
 * none that are valid. Messages that `body` and whatever it awaits send belong to the trace, and so do those that their handlers send.
 *
 * @example
 * const order = await withTrace({ traceparent: String(request.headers.traceparent) }, () => orders.ask('place', cart));
 */
export function withTrace<R>(trace: TraceContext | undefined, body: () => R): R {
  propagation.isOn = true;
  const { traceparent, tracestate } = checkedTrace(trace) ?? { traceparent: newTraceparent(), tracestate: undefined };
  const unknownValues = hops.getStore()?.unknownValues;
  return hops.run({ trace: { traceparent, tracestate, parentSpanId: undefined }, unknownValues }, body);
}

/** The trace that the code which runs belongs to: for the headers of outgoing requests, and for log lines. */
export function currentTrace(): CurrentTrace | undefined {
  return hops.getStore()?.trace;
}

function newTraceparent(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}

function checkedTrace(trace: unknown): TraceContext | undefined {
  const { traceparent, tracestate } = (trace ?? {}) as Partial<TraceContext>;
  if (typeof traceparent !== 'string' || !traceparentPattern.test(traceparent)) return undefined;
  const isUsable = typeof tracestate === 'string' && tracestate.length <= maximumTracestateLength;
  return { traceparent, tracestate: isUsable ? tracestate : undefined };
}

/** What a message that is taken in now has to carry: what came with it, or what its sender in this thread has. */
export function carrierOfDelivery(): Carrier | undefined {
  return propagation.arrived === undefined ? captureCarrier() : (propagation.arrived ?? undefined);
}

/** What a message that is sent now has to carry. */
export function captureCarrier(): Carrier | undefined {
  const hop = hops.getStore();
  let values: Record<string, unknown> | undefined;
  if (hop?.unknownValues !== undefined) values = { ...hop.unknownValues };
  for (const propagator of propagators.values()) {
    const value = 'storage' in propagator ? propagator.storage.getStore() : propagator.capture();
    if (value === undefined) continue;
    values ??= {};
    values[propagator.name] = value;
  }
  if (values === undefined && hop?.trace === undefined) return undefined;
  return { trace: hop?.trace, values };
}

/** The place in the trace of a message that is about to be handled: a span of its own. */
export function spanOf(carrier: Carrier | undefined): CurrentTrace | undefined {
  const trace = carrier?.trace;
  if (trace === undefined) return undefined;
  const { traceparent, tracestate } = trace;
  const spanId = randomBytes(8).toString('hex');
  return {
    traceparent: `${traceparent.slice(0, 36)}${spanId}${traceparent.slice(52)}`,
    tracestate,
    parentSpanId: traceparent.slice(36, 52),
  };
}

/** Runs `body`, which handles a message, with what came with it, and with nothing of what the turn happened to have. */
export function runWithCarrier<R>(carrier: Carrier | undefined, span: CurrentTrace | undefined, body: () => R): R {
  const values = carrier?.values;
  let unknownValues: Record<string, unknown> | undefined;
  for (const name in values) {
    if (propagators.has(name)) continue;
    unknownValues ??= {};
    unknownValues[name] = values[name];
  }
  let run = body;
  for (const propagator of propagators.values()) {
    const value = values?.[propagator.name];
    const inner = run;
    run = 'storage' in propagator ? () => propagator.storage.run(value, inner) : () => propagator.run(value, inner);
  }
  const hop = span === undefined && unknownValues === undefined ? undefined : { trace: span, unknownValues };
  return outsideOfTurn(() => hops.run(hop, run));
}

/** A carrier as it travels. The inverse of {@link readCarrier}. */
export function writeCarrier({ trace, values }: Carrier): readonly unknown[] {
  return [trace?.traceparent, trace?.tracestate, values];
}

/** What another context sent along; what of it makes no sense is left out. */
export function readCarrier(items: unknown): Carrier | undefined {
  if (!Array.isArray(items)) return undefined;
  propagation.isOn = true;
  const [traceparent, tracestate, values] = items as readonly unknown[];
  const trace = checkedTrace({ traceparent, tracestate });
  const isUsable = typeof values === 'object' && values !== null;
  if (trace === undefined && !isUsable) return undefined;
  return { trace, values: isUsable ? (values as Record<string, unknown>) : undefined };
}
