/**
 * An event loop of one's own: with the option `manualPolling` a context takes and delivers messages when it is polled,
 * and at no other time. A game's frames are such a loop.
 */
import { createNode } from 'heddle';
import type sensor from './external-loop-sensor.js';

const uri = process.argv[2] ?? 'shm://game';
const readings = 1000;

const node = createNode({ contextOptions: { manualPolling: true } });
const { context } = node;

let received = 0;
let sum = 0;
const server = await context.listen(uri, {
  onMessage: ({ value }) => {
    received++;
    sum += value;
  },
});
const started = node.startContext<typeof sensor>(new URL('./external-loop-sensor.js', import.meta.url), {
  data: { uri: server.uri, readings },
});

let frames = 0;
while (received < readings) {
  // Sleeps until there is something to poll, but never longer than a frame.
  await context.waitForWork(16);
  context.poll();
  frames++;
}
await started;
console.log(`${received} readings in ${frames} frames, their sum is ${sum}`);

await node.close();
