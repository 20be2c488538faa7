import { HeddleError } from '../../errors.js';
import { requireSignal, requireWaitMs } from '../../time-limits.js';
import { actorStopped, askCancelled } from './actor-errors.js';
import { AskWaiter, LocalAsk } from './asks.js';
import { releasePayload } from './buffers.js';
import type { Cell } from './cell.js';
import type { ActorHost } from './host.js';
import { hostSlot, type Peer } from './peer.js';
import type { Ref } from './ref.js';

let takenResolve: (value: unknown) => void;
let takenReject: (error: unknown) => void;
/** One function for the promises of all asks: one of its own for each would be allocated with all that it refers to. */
const takeSettlers = (resolve: (value: unknown) => void, reject: (error: unknown) => void): void => {
  takenResolve = resolve;
  takenReject = reject;
};

/** Asks an actor. Everything that is wrong rejects the promise. `asker`: the actor that asks, where that is known. */
export function sendAsk(
  host: ActorHost,
  ref: Ref,
  name: string,
  payload: unknown,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  asker: Cell | undefined,
): Promise<unknown> {
  const promise = new Promise<unknown>(takeSettlers);
  const waiter = new AskWaiter(host, takenResolve, takenReject, ref, name);
  try {
    send(host, waiter, payload, timeoutMs, signal, asker);
  } catch (error) {
    waiter.reject(error);
  }
  return promise;
}

function send(
  host: ActorHost,
  waiter: AskWaiter,
  payload: unknown,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  asker: Cell | undefined,
): void {
  const { ref, name } = waiter;
  requireWaitMs('timeoutMs', timeoutMs);
  requireSignal(signal);
  if (signal?.aborted) {
    releasePayload(payload);
    throw askCancelled(signal);
  }
  const cell = ref.cell;
  if (cell !== undefined && isAskingItself(host, cell, asker)) throw deadlock(cell, name);
  const peer = cell === undefined ? host.links.peer(ref.place) : undefined;
  const id = host.asks.add(peer ?? host.localAsks, waiter, timeoutMs);
  if (signal !== undefined) giveUpOn(signal, host, waiter, peer, id);
  if (peer === undefined) {
    waiter.origin = new LocalAsk(host, id);
    cell!.deliver(name, payload, waiter.origin, cell!.inbox.settings.capacity);
    return;
  }
  host.context.wake();
  try {
    if (ref.lane?.isClosed) throw actorStopped(String(ref));
    peer.ask(ref.slot, ref.generation, name, id, payload);
  } catch (error) {
    host.asks.take(peer, id)?.reject(error);
    // It was given away with the ask, whatever becomes of that; what runtimes ask each other is kept.
    if (ref.slot !== hostSlot) releasePayload(payload);
  }
}

/** Apart, since a function that makes closures allocates for them, even when it makes none. */
function giveUpOn(signal: AbortSignal, host: ActorHost, waiter: AskWaiter, peer: Peer | undefined, id: number): void {
  waiter.listen(signal, () => {
    host.asks.take(peer ?? host.localAsks, id)?.reject(askCancelled(signal));
    waiter.origin?.cancel(false);
    peer?.cancel(id, false);
  });
}

/** Whether an ask to that actor comes from its own handler, which must end before it can be answered. */
function isAskingItself(host: ActorHost, cell: Cell, asker: Cell | undefined): boolean {
  if (cell.definition.specification.isReentrant === true) return false;
  if (cell === host.current) return true;
  if (cell.pendingHandlers === 0) return false;
  return asker === cell || host.asyncHandlers?.isWithin(cell) === true;
}

function deadlock({ ref, lastName }: Cell, name: string): HeddleError {
  return new HeddleError(
    'ERR_HEDDLE_DEADLOCK',
    `${ref} asks itself ${name} in its handler ${String(lastName)}, and handles one message at a time: call a ` +
      'function, tell() instead, or define it with isReentrant',
  );
}
