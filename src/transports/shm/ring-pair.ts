import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { createRing, defaultRingCapacityBytes, isRingClosed } from './ring-layout.js';

/**
 * One end of the link between two contexts: a ring each way and a doorbell. Goes to its context by structured clone
 * with `doorbell` in the transfer list.
 */
export interface RingPair {
  readonly peerContextId: number;
  readonly incoming: SharedArrayBuffer;
  readonly outgoing: SharedArrayBuffer;
  readonly doorbell: MessagePort;
  /** Whether this end asked for the link; the other end learns of it by `host.onLink`. */
  readonly initiator: boolean;
}

/**
 * Makes the link between two contexts; `contextA` is the one that asked. Both may be the same context, which then
 * attaches both ends. `capacityBytes` is that of each of the two rings.
 */
export function createRingPair(
  contextA: number,
  contextB: number,
  capacityBytes: number = defaultRingCapacityBytes,
): { forA: RingPair; forB: RingPair } {
  const fromA = createRing(capacityBytes);
  const fromB = createRing(capacityBytes);
  const { port1, port2 } = new MessageChannel();
  return {
    forA: { peerContextId: contextB, incoming: fromB, outgoing: fromA, doorbell: port1, initiator: true },
    forB: { peerContextId: contextA, incoming: fromA, outgoing: fromB, doorbell: port2, initiator: false },
  };
}

/**
 * Whether either end has closed the link. The directory asks before it answers a connect with a pair that it made
 * earlier; when it is closed, a new pair is due. Each end sets its mark before its peer can see that it closed, so
 * whoever finds its link closed and asks again gets a new one.
 */
export function isRingPairClosed(pair: Pick<RingPair, 'incoming' | 'outgoing'>): boolean {
  return isRingClosed(pair.incoming) || isRingClosed(pair.outgoing);
}
