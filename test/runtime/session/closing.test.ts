import test from 'ava';
import { type Connection, createNode, HeddleError, type HeddleNode } from '../../../src/index.js';

function nodeFor(t: { teardown(end: () => Promise<void>): void }): HeddleNode {
  const node = createNode();
  t.teardown(() => node.close());
  return node;
}

test('a connection whose peer finds the link full acknowledges its fin when there is room', async (t) => {
  const { context } = nodeFor(t);
  // Nothing but the acknowledgement may end it: no probe, and no limit to closing.
  const options = {
    receiveDepthMessages: 1_000_000,
    receiveDepthBytes: 2 ** 28,
    keepaliveProbes: 0,
    closeTimeoutMs: 2 ** 31 - 1,
  };
  const ends: string[] = [];
  const server = await context.listen('shm://full-link', {
    options,
    onMessage: (message, connection) => {
      if (message.value === 'fill') connection.send('now');
    },
    onEvent: (event) => void ends.push(event.type),
  });
  let other: Connection | undefined;
  // The other connection of the link leaves no room in it, in the turn in which the fin arrives.
  const fill = () => {
    while (other !== undefined && other.queuedMessages < 10) other.send(Buffer.alloc(8));
  };
  const closing = await context.connect(server.uri, { options, onMessage: fill });
  other = await context.connect(server.uri, { options });
  t.is(closing.link, other.link);
  closing.send('fill', { more: true });
  const [served] = server.sessions[0]?.connections ?? [];
  t.truthy(served);
  await closing.close();
  await served?.ended;
  t.deepEqual(
    ends.filter((type) => /^connection-(closed|disconnected|error)$/.test(type)),
    ['connection-closed'],
  );
});

test('a reason given to destroy() is what is told, also of a connection that is closing', async (t) => {
  const { context } = nodeFor(t);
  const told: (HeddleError | undefined)[] = [];
  const server = await context.listen('shm://reason', { onMessage: () => {} });
  const connection = await context.connect(server.uri, {
    onEvent: (event) => {
      if (event.type === 'connection-disconnected') told.push(event.error);
    },
  });
  const reason = new HeddleError('ERR_HEDDLE_PEER_SILENT', 'it has taken too long');
  const closing = connection.close();
  connection.destroy(reason);
  await closing;
  t.deepEqual(told, [reason]);
});
