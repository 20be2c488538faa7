import { parentPort, workerData } from 'node:worker_threads';
import { loadNativeBells } from '../../../src/transports/shm/native-bell.js';

const bells = loadNativeBells()!;
const { ring, close, open } = workerData as { ring?: number; close?: number; open?: number };

if (ring !== undefined) bells.ring(ring);
if (close !== undefined) {
  try {
    bells.close(close);
  } catch (error) {
    parentPort!.postMessage((error as Error).message);
  }
}
if (open !== undefined) {
  parentPort!.postMessage(Array.from({ length: open }, () => bells.open(() => {})));
  // Ends by itself when it is told to, with its bells open.
  parentPort!.once('message', () => {});
}
