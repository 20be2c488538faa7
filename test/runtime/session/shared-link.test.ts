import test from 'ava';
import { createNode } from '../../../src/index.js';

test("what connections of one link send in turns ends each other's records, and each keeps its own books", async (t) => {
  const node = createNode();
  t.teardown(() => node.close());
  const { context } = node;
  const uris = ['shm://turns/one', 'shm://turns/two'];
  const arrived = uris.map((): unknown[] => []);
  const [one, two] = await Promise.all(
    uris.map(async (uri, index) => {
      await context.listen(uri, { onMessage: (message) => void arrived[index]?.push(message.value) });
      return context.connect(uri);
    }),
  );
  if (one === undefined || two === undefined) throw new Error('there are two');
  t.is(one.link, two.link);
  const free = [one.freeSendMessages, two.freeSendMessages] as const;
  for (let index = 0; index < 300; index++) {
    one.send(index, { more: true });
    one.send(Buffer.of(index & 0xff), { more: true });
    two.send(index, { more: index % 3 > 0 });
    if (index % 7 === 0) one.send('with a header', { more: true, header: Buffer.from('h') });
  }
  t.deepEqual([one.freeSendMessages, two.freeSendMessages], [free[0] - 643, free[1] - 300]);
  await Promise.all([one.close(), two.close()]);
  const sent: unknown[] = [];
  for (let index = 0; index < 300; index++) {
    sent.push(index, Buffer.of(index & 0xff));
    if (index % 7 === 0) sent.push('with a header');
  }
  t.deepEqual(arrived, [sent, Array.from({ length: 300 }, (_, index) => index)]);
});
