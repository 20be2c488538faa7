import { closedIndex, minimumRingCapacityBytes, ringHeaderBytes } from '../../../src/transports/shm/ring-layout.js';
import { createRingPair } from '../../../src/transports/shm/ring-pair.js';

/** A pair of the smallest rings there are. */
export function makeTestPair(contextA: number, contextB: number) {
  return createRingPair(contextA, contextB, minimumRingCapacityBytes);
}

/** Marks a ring as closed, as a link does that ends. */
export function closeRing(ring: SharedArrayBuffer): void {
  Atomics.store(new Int32Array(ring, 0, ringHeaderBytes >> 2), closedIndex, 1);
}
