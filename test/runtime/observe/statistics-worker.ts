import { parentPort, workerData } from 'node:worker_threads';
import { StatisticsBlock } from '../../../src/runtime/observe/statistics.js';

/** Records in slices of the event loop until told to stop, then says what it has recorded. */
const statistics = new StatisticsBlock(workerData as SharedArrayBuffer);
const laps = statistics.userCounter('laps');
let running = true;
let recorded = 0;
parentPort!.once('message', () => {
  running = false;
});

function lap(): void {
  for (let i = 0; i < 2000; i++) {
    statistics.recordSent(1, 1, 10);
    statistics.recordQueueingDelay(i);
    recorded += 1;
  }
  laps.add();
  if (running || recorded < 20_000) setImmediate(lap);
  else parentPort!.postMessage(recorded);
}
lap();
