import test from 'ava';
import { createNode } from '../../../src/index.js';

for (const uri of ['shm://answer-batches', 'tcp://127.0.0.1:0']) {
  test(`the answers to a batch of requests are a batch, over ${uri.slice(0, 3)}`, async (t) => {
    const node = createNode();
    t.teardown(() => node.close());
    const { context } = node;
    const server = await context.listen(uri, { onRequest: (message) => message.value });
    const connection = await context.connect(server.uri);
    const seen: [number, boolean][] = [];
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        onResponse: (message: { readonly value: number; readonly more: boolean }) => {
          seen.push([message.value, message.more]);
          if (seen.length === 3) resolve();
        },
        onError: reject,
      };
      connection.requestWith(1, waiter, { more: true });
      connection.requestWith(2, waiter, { more: true });
      connection.requestWith(3, waiter);
    });
    t.deepEqual(seen, [
      [1, true],
      [2, true],
      [3, false],
    ]);
  });
}

test('an answer whose batch is never completed leaves when the turn ends', async (t) => {
  const node = createNode();
  t.teardown(() => node.close());
  const { context } = node;
  await context.listen('shm://incomplete-batches', { onRequest: (message) => message.value });
  const connection = await context.connect('shm://incomplete-batches');
  const response = await connection.request('alone', { more: true });
  t.is(response.value, 'alone');
});
