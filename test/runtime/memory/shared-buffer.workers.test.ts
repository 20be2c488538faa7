import { once } from 'node:events';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import test from 'ava';
import type { SharedBufferDescriptor } from '../../../src/runtime/memory/shared-buffer.js';
import { createSlabMemory } from '../../../src/runtime/memory/slab-layout.js';
import { createSlabCounter, SlabPool } from '../../../src/runtime/memory/slab-pool.js';
import { adoptDescriptor } from './adopt-descriptor.js';
import type { MovingWorkerData } from './moving-worker.js';
import type { SlabWorkerData } from './slab-worker.js';

function start(workerData: MovingWorkerData): Worker {
  return new Worker(new URL('./moving-worker.js', import.meta.url), { workerData, transferList: [workerData.peer] });
}

async function nextMessage<T>(worker: Worker): Promise<T> {
  const [message] = await Promise.race([
    once(worker, 'message'),
    once(worker, 'exit').then(() => Promise.reject(new Error('the worker exited early'))),
  ]);
  return message as T;
}

test('two threads move and release the same slots at the same time: nothing is lost, given twice or overwritten', async (t) => {
  const slabCounter = createSlabCounter();
  const { port1, port2 } = new MessageChannel();
  const rounds = 4000;
  const workers = [
    start({ contextId: 1, peerContextId: 2, slabCounter, peer: port1, rounds, hold: false }),
    start({ contextId: 2, peerContextId: 1, slabCounter, peer: port2, rounds, hold: false }),
  ];
  const results = await Promise.all(workers.map((worker) => nextMessage<{ received: number; leaks: number }>(worker)));
  for (const result of results) t.deepEqual(result, { received: rounds * 2, leaks: 0 });
  const ends = workers.map((worker) => once(worker, 'exit'));
  const slots = workers.map((worker) => nextMessage<{ slots: number; regained: number }>(worker));
  for (const worker of workers) worker.postMessage('count');
  for (const { slots: made, regained } of await Promise.all(slots)) {
    t.true(made > 0);
    t.is(regained, made);
  }
  await Promise.all(ends);
});

test('when a worker is terminated, its handles in the slabs of another context come back', async (t) => {
  const slabCounter = createSlabCounter();
  const { port1, port2 } = new MessageChannel();
  const pool = new SlabPool({ contextId: 1, slabCounter });
  const toWorker = Array.from({ length: 20 }, (_, i) => {
    const buffer = pool.allocate(64);
    buffer.bytes.writeInt32LE(i + 1, 0);
    buffer.bytes.writeInt32LE(i + 1, 60);
    return buffer;
  });
  const own = toWorker.map((buffer) => buffer.clone());
  for (const buffer of toWorker) port1.postMessage(buffer.moveTo(2));
  const worker = start({ contextId: 2, peerContextId: 1, slabCounter, peer: port2, rounds: 30, hold: true });
  const { held } = await nextMessage<{ held: number }>(worker);
  t.true(held > 0);
  const fromWorker: SharedBufferDescriptor[] = [];
  for (;;) {
    const message = receiveMessageOnPort(port1)?.message as SharedBufferDescriptor | undefined;
    if (message === undefined) break;
    fromWorker.push(message);
  }
  t.is(fromWorker.length, 60);
  await worker.terminate();
  port1.close();

  const reclaimed = pool.reclaimContext(2);
  t.true(reclaimed > 0 && reclaimed <= 20);
  t.is(pool.reclaimContext(2), 0);
  t.is(pool.statistics().slotsInUse, 20);
  for (const [i, buffer] of own.entries()) {
    t.is(buffer.bytes.readInt32LE(0), i + 1);
    buffer.release();
  }
  pool.allocate(1).release();
  // What the dead worker sent before its end is here and can still be used.
  for (const descriptor of fromWorker) {
    const buffer = adoptDescriptor(pool, descriptor);
    t.not(buffer.bytes.readInt32LE(0), 0);
    buffer.release();
  }
  t.is(pool.statistics().buffersHeld, 0);
  pool.reclaimContext(2);
  t.is(pool.statistics().foreignSlabs, 0);
});

test('two threads that clone and release the same slots within nanoseconds: every slot is freed exactly once', async (t) => {
  const memory = createSlabMemory(0, 9, 0);
  const barrier = new SharedArrayBuffer(4);
  const rounds = 4000;
  const results = await Promise.all(
    [0, 1].map((index) => {
      const workerData: SlabWorkerData = { memory, barrier, index, rounds };
      const worker = new Worker(new URL('./slab-worker.js', import.meta.url), { workerData });
      return nextMessage<{ lasts: number; wrongCounts: number; handlesTaken: number }>(worker);
    }),
  );
  t.is(results[0]!.lasts + results[1]!.lasts, rounds * 64);
  for (const { wrongCounts, handlesTaken } of results) {
    t.is(wrongCounts, 0);
    t.is(handlesTaken, rounds * 64 * 3);
  }
});
