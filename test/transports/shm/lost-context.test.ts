import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { HeddleError } from '../../../src/errors.js';
import { createRingPair } from '../../../src/transports/shm/ring-pair.js';
import { TestDirectory } from './harness.js';

test('a thread that only has a link left ends; what it had published, slabs included, still arrives', async (t) => {
  const directory = new TestDirectory();
  const { transport, host } = directory.context(0);
  const { forA, forB } = createRingPair(0, 1, 4096);
  transport.attach({ ...forA, initiator: false });
  const worker = new Worker(new URL('./exiting-worker.js', import.meta.url), {
    workerData: { pair: forB, table: directory.table },
    transferList: [forB.doorbell],
  });
  const [code] = (await once(worker, 'exit')) as [number];
  t.is(code, 0);
  let slab: SharedArrayBuffer | undefined;
  host.onRecord = (link, text) => {
    if (text === '9') slab = link.sharedSlab(9);
  };
  const error = new HeddleError('ERR_HEDDLE_CONTEXT_LOST', 'context=1 exited');
  transport.detach(1, error);
  t.deepEqual(host.texts, ['first', '9', 'last']);
  t.is(slab?.byteLength, 32);
  t.deepEqual(host.closed, [{ link: host.links[0]!, error }]);
  await directory.close();
});
