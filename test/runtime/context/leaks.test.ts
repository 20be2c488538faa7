import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { createNode, type LeakReport } from '../../../src/index.js';

test('a context that stops tells of the buffers that it still holds, and where they were allocated if asked to', async (t) => {
  const node = createNode({ contextOptions: { traceBuffers: true } });
  const leaks: LeakReport[] = [];
  node.context.on('leak', (leak) => leaks.push(leak));
  node.context.allocate(50).release();
  const lost = node.context.allocate(123);
  await node.close();
  t.like(leaks, { length: 1, 0: { lengthBytes: 123, found: 'stop' } });
  t.regex(leaks[0]!.stack!, /leaks\.test\.ts:/);
  t.false(lost.isHeld);
});

test.serial('where nobody listens a warning tells of it, and how to learn more', async (t) => {
  const node = createNode({ contextName: 'forgetful' });
  const lost = node.context.allocate(321);
  const warnings: (Error & { code?: string })[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  await node.close();
  // Warnings are given out in the next turn.
  await setImmediate();
  const warning = warnings.find(({ code }) => code === 'HEDDLE_BUFFER_LEAK')!;
  t.regex(warning.message, /^context forgetful: a SharedBuffer of 321 bytes was never released .* traceBuffers tells/);
  t.false(lost.isHeld);
});
