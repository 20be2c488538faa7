import test from 'ava';
import { createNode } from '../../../src/index.js';

/** Turns of the event loop between a call and the close: loading a transport takes some. */
const turns = [0, 1, 2, 4, 8, 16];

for (const uri of ['shm://closing', 'tcp://127.0.0.1:0', 'rdma://127.0.0.1:0']) {
  test(`who waits to listen or to connect when the node is closed learns that, at ${uri}`, async (t) => {
    const server = createNode();
    t.teardown(() => server.close());
    const portal = uri.startsWith('shm') ? uri : (await server.context.listen(uri, {})).uri;
    for (const count of turns) {
      const node = createNode();
      if (uri.startsWith('shm')) await node.context.listen(uri, {});
      const own = uri.startsWith('shm') ? `${uri}/${count}` : uri;
      const waiting = Promise.allSettled([node.context.listen(own, {}), node.context.connect(portal)]);
      for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
      await node.close();
      for (const outcome of await waiting) {
        if (outcome.status === 'rejected') t.is(outcome.reason.code, 'ERR_HEDDLE_CLOSED', String(outcome.reason));
      }
    }
    t.pass();
  });
}
