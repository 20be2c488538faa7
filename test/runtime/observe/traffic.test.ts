import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createNode } from '../../../src/index.js';
import type { TrafficPeer } from './traffic-peer.js';

const peerFile = new URL('./traffic-peer.js', import.meta.url);

async function start(t: ExecutionContext, data: TrafficPeer) {
  const node = createNode();
  // Contexts do not keep the process alive, and ava ends a test when nothing else does.
  const hold = setInterval(() => {}, 60_000);
  t.teardown(async () => {
    await node.close();
    clearInterval(hold);
  });
  const peer = await node.startContext(peerFile, { data });
  return { node, peer, uri: peer.value as string };
}

test('a request to a context that sleeps rings its doorbell, and is counted as waking it', async (t) => {
  const { node, peer, uri } = await start(t, { uri: 'shm://asleep' });
  const connection = await node.context.connect(uri);
  await connection.request(1);
  let before = await peer.statistics();
  for (;;) {
    // Reading does not wake it: the counters are in shared memory.
    await pause(20);
    const now = await peer.statistics();
    if (now.polls === before.polls && now.sleeps > 0) break;
    before = now;
  }
  const { doorbellsRung } = node.context.statistics;
  const { wakeUps } = await peer.statistics();
  await connection.request(2);
  t.is(node.context.statistics.doorbellsRung, doorbellsRung + 1);
  const after = await peer.statistics();
  t.is(after.wakeUps, wakeUps + 1);
  t.true(after.emptyPolls > 0);
});

test('messages that no credits were left for come back when the connection ends, and are counted', async (t) => {
  const { node, peer, uri } = await start(t, { uri: 'shm://hoarder', depthMessages: 2 });
  const connection = await node.context.connect(uri);
  for (let index = 0; index < 5; index++) connection.send(index);
  const ended = connection.session.ended;
  await peer.terminate();
  await ended;
  t.is(node.context.statistics.messagesFlushed, 3);
  t.true(node.context.statistics.creditStalls > 0);
});

test('a buffer that nobody released is counted when its context stops', async (t) => {
  const { peer } = await start(t, { uri: 'shm://leaking', leak: true });
  t.is((await peer.statistics()).sharedBuffersLeaked, 0);
  await peer.stop();
  t.is((await peer.statistics()).sharedBuffersLeaked, 1);
});

test('large messages go beside the records over rdma, and what is copied for them is counted', async (t) => {
  const { node, uri } = await start(t, { uri: 'rdma://127.0.0.1:0' });
  const connection = await node.context.connect(uri);
  const lengthBytes = 1 << 20;
  await connection.request(new Uint8Array(lengthBytes));
  const { largeBuffersCarried, largeBytesCopied } = node.context.statistics;
  t.is(largeBuffersCarried, 1);
  t.true(largeBytesCopied >= lengthBytes);
  const buffer = node.context.allocate(lengthBytes);
  await connection.request(buffer, { timeoutMs: 60_000 });
  t.is(node.context.statistics.largeBuffersCarried, 2);
  t.is(node.context.statistics.largeBytesCopied, largeBytesCopied, 'a SharedBuffer is sent from where it lies');
});
