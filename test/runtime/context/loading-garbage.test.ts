import test from 'ava';
import { createNode } from '../../../src/index.js';
import { LoadingGarbage } from '../../../src/runtime/context/loading-garbage.js';
import { ManualClock } from '../../../src/testkit/manual-clock.js';
import type youngGeneration from './fixtures/young-generation.js';

function makeThread() {
  const clock = new ManualClock();
  const thread = { clock, activity: 0, isBusy: false, collected: 0 };
  const garbage = new LoadingGarbage({
    clock,
    activity: () => thread.activity,
    isBusy: () => thread.isBusy,
    collect: () => void thread.collected++,
  });
  return { thread, garbage };
}

test('a thread that is quiet after it has loaded modules collects their garbage, once', (t) => {
  const { thread, garbage } = makeThread();
  garbage.onLoaded();
  thread.clock.advance(60);
  garbage.onLoaded();
  thread.clock.advance(60);
  t.is(thread.collected, 0, 'the last load was a moment ago');
  thread.clock.advance(60);
  t.is(thread.collected, 1);
  t.is(thread.clock.timerCount, 0);
  garbage.onLoaded();
  thread.clock.advance(100);
  t.is(thread.collected, 2);
});

test('one that works does so when it is quiet', (t) => {
  const { thread, garbage } = makeThread();
  garbage.onLoaded();
  thread.clock.advance(50);
  thread.activity++;
  thread.clock.advance(50);
  t.is(thread.collected, 0, 'it has done something');
  thread.isBusy = true;
  thread.clock.advance(100);
  t.is(thread.collected, 0, 'somebody waits');
  thread.isBusy = false;
  thread.clock.advance(100);
  t.is(thread.collected, 1);
});

test('one that never is quiet is left alone after a while', (t) => {
  const { thread, garbage } = makeThread();
  thread.isBusy = true;
  garbage.onLoaded();
  thread.clock.advance(30_000);
  t.is(thread.clock.timerCount, 0);
  t.is(thread.collected, 0);
});

test('a context gives back the young generation that its modules have filled', async (t) => {
  const node = createNode();
  // Contexts do not keep the process alive, and ava ends a test when nothing else does.
  const hold = setInterval(() => {}, 60_000);
  t.teardown(async () => {
    await node.close();
    clearInterval(hold);
  });
  const url = new URL('./fixtures/young-generation.js', import.meta.url);
  const { value: loadedBytes } = await node.startContext<typeof youngGeneration>(url, { data: 'shm://young' });
  const connection = await node.context.connect('shm://young');
  let bytes = loadedBytes;
  // Asking is something to do for the context: the questions come seldom enough for it to be quiet in between.
  while (bytes > loadedBytes / 2) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    bytes = (await connection.request(undefined)).value as number;
  }
  t.pass(`${loadedBytes} bytes have become ${bytes}`);
  await connection.session.close();
});
