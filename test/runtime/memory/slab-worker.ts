import { parentPort, workerData } from 'node:worker_threads';
import { Slab } from '../../../src/runtime/memory/slab.js';
import { countIndex, handleIndex, handlesPerSlot } from '../../../src/runtime/memory/slab-layout.js';

/**
 * One of two threads that work on the same slots at the same time: in each round both hold one handle of every slot,
 * both take three more, and both drop all four, all between barriers that let them start together.
 */
export interface SlabWorkerData {
  readonly memory: SharedArrayBuffer;
  readonly barrier: SharedArrayBuffer;
  /** 0 or 1. The slab's owner is neither of the two. */
  readonly index: number;
  readonly rounds: number;
}

const { memory, barrier, index, rounds } = workerData as SlabWorkerData;
const contextId = index + 1;
const slab = new Slab(memory, contextId);
const arrivals = new Int32Array(barrier);
let generation = 0;

/** Returns when both threads have called it as often. Spins first, so that both go on within nanoseconds. */
function meet(): void {
  generation += 2;
  if (Atomics.add(arrivals, 0, 1) + 1 === generation) Atomics.notify(arrivals, 0);
  for (let spins = 0; Atomics.load(arrivals, 0) < generation; spins++) {
    if (spins > 2000) Atomics.wait(arrivals, 0, Atomics.load(arrivals, 0), 1);
  }
}

let lasts = 0;
let wrongCounts = 0;
let handlesTaken = 0;
let seed = 12345;

for (let round = 0; round < rounds; round++) {
  if (index === 0) {
    for (let slot = 0; slot < slab.slotCount; slot++) {
      slab.words[countIndex(slot)] = 2;
      slab.words[handleIndex(slot, 0)] = 2; // context 1
      slab.words[handleIndex(slot, 1)] = 3; // context 2
    }
  }
  meet();
  const taken: number[] = [];
  for (let slot = 0; slot < slab.slotCount; slot++) {
    for (let i = 0; i < 3; i++) taken.push(slab.takeHandle(slot, contextId));
  }
  meet();
  for (let slot = 0; slot < slab.slotCount; slot++) {
    let held = 0;
    for (let handle = 0; handle < handlesPerSlot; handle++) if (slab.handleHolder(slot, handle) !== 0) held += 1;
    if (held !== 8 || slab.words[countIndex(slot)] !== 8) wrongCounts += 1;
  }
  handlesTaken += taken.filter((handle) => handle >= 0).length;
  meet();
  // The threads drift apart by a few instructions each round, so that every interleaving comes up.
  seed = (seed * 1103515245 + 12345) | 0;
  for (let wait = (seed >>> 16) % 50; index === 0 && wait > 0; wait--) Atomics.load(arrivals, 0);
  for (let slot = 0; slot < slab.slotCount; slot++) {
    for (let i = 0; i < 3; i++) if (slab.dropHandle(slot, taken[slot * 3 + i]!, contextId)) lasts += 1;
    if (slab.dropHandle(slot, index, contextId)) lasts += 1;
  }
  meet();
  if (index === 0) {
    let freed = 0;
    for (let word = 0; word << 5 < slab.slotCount; word++) {
      for (let bits = slab.collectFreed(word); bits !== 0; bits &= bits - 1) freed += 1;
    }
    if (freed !== slab.slotCount) wrongCounts += 1;
  }
  meet();
}
parentPort!.postMessage({ lasts, wrongCounts, handlesTaken });
