import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { SharedBuffer, SharedBufferDescriptor } from '../../../src/runtime/memory/shared-buffer.js';
import { SlabPool } from '../../../src/runtime/memory/slab-pool.js';
import { adoptDescriptor } from './adopt-descriptor.js';

/**
 * Allocates, clones, sends to its peer and releases buffers, while its peer does the same. Every buffer carries its
 * maker and number at its start and its end, which must be there until the last handle is released.
 */
export interface MovingWorkerData {
  readonly contextId: number;
  readonly peerContextId: number;
  readonly slabCounter: SharedArrayBuffer;
  readonly peer: MessagePort;
  readonly rounds: number;
  /** Stops in the middle, with buffers in hand, to be terminated. */
  readonly hold: boolean;
}

const { contextId, peerContextId, slabCounter, peer, rounds, hold } = workerData as MovingWorkerData;
const pool = new SlabPool({ contextId, slabCounter });
const held: SharedBuffer[] = [];
const lengths = [64, 16384, 20000, 65536];
let made = 0;
let received = 0;
let peerDone = false;

function stamp(buffer: SharedBuffer): void {
  const { bytes } = buffer;
  const value = contextId * 1_000_000 + ++made;
  bytes.writeInt32LE(value, 0);
  bytes.writeInt32LE(value, bytes.length - 4);
}

function check(buffer: SharedBuffer): void {
  const { bytes } = buffer;
  const first = bytes.readInt32LE(0);
  const last = bytes.readInt32LE(bytes.length - 4);
  if (first !== last || first === 0) throw new Error(`bytes were overwritten: ${first} and ${last}`);
}

function releaseOne(index: number): void {
  const buffer = held[index]!;
  held[index] = held[held.length - 1]!;
  held.pop();
  check(buffer);
  buffer.release();
}

function receive(): void {
  for (;;) {
    const message = receiveMessageOnPort(peer)?.message as SharedBufferDescriptor | 'done' | undefined;
    if (message === undefined) return;
    if (message === 'done') {
      peerDone = true;
      continue;
    }
    received += 1;
    const buffer = adoptDescriptor(pool, message);
    check(buffer);
    held.push(buffer);
  }
}

for (let round = 0; round < rounds; round++) {
  const buffer = pool.allocate(lengths[round % lengths.length]!);
  stamp(buffer);
  // Both threads release handles of the same slot at about the same time.
  const clones = [buffer.clone(), buffer.clone(), buffer.clone()];
  peer.postMessage(clones[0]!.moveTo(peerContextId));
  peer.postMessage(clones[1]!.moveTo(peerContextId));
  held.push(buffer, clones[2]!);
  receive();
  if (hold) {
    if (round < 5) releaseOne(0);
  } else {
    while (held.length > 8) releaseOne((round * 7) % held.length);
  }
}

if (hold) {
  // Its handles: what it holds here. Then it waits to be terminated.
  parentPort!.postMessage({ held: held.length });
  setInterval(() => {}, 1000);
} else {
  peer.postMessage('done');
  const tick = setInterval(() => {
    receive();
    while (held.length > 0) releaseOne(0);
    if (!peerDone) return;
    clearInterval(tick);
    parentPort!.postMessage({ received, leaks: pool.leaks().length });
    parentPort!.once('message', () => {
      // Both sides are done: every slot of this pool must be free, so giving all out again takes no new slab.
      const { slotsInUse, slotsFree } = pool.statistics();
      const taken: SharedBuffer[] = [];
      let regained = 0;
      for (const length of [64, 20000]) {
        const { slabs } = pool.statistics();
        for (;;) {
          taken.push(pool.allocate(length));
          if (pool.statistics().slabs > slabs) break;
          regained += 1;
        }
      }
      for (const buffer of taken) buffer.release();
      parentPort!.postMessage({ slots: slotsInUse + slotsFree, regained });
      peer.close();
      parentPort!.close();
    });
  }, 1);
}
