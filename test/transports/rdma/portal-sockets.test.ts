import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { createNode } from '../../../src/index.js';

/** What UCX's connection manager sends first: how many bytes follow, and a status. */
function firstWords(lengthBytes: number): Buffer {
  const words = Buffer.alloc(16 + lengthBytes);
  words.writeBigUInt64LE(BigInt(lengthBytes));
  return words;
}

test('a peer that has connected and said nothing yet is sent away when its portal closes, and harms nobody by speaking then', async (t) => {
  const node = createNode();
  const other = await node.context.listen('rdma://127.0.0.1:0', { onRequest: (message) => message.value });
  const kept = await connectedNode(other.uri);
  for (let round = 0; round < 5; round++) {
    const server = await node.context.listen('rdma://127.0.0.1:0');
    const port = Number(server.uri.split(':').at(-1));
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    // UCX has accepted it when it has accepted one that came later.
    const later = await connectedNode(server.uri);
    const ended = once(socket, 'end');
    socket.resume();
    await server.close();
    await ended;
    socket.on('error', () => {});
    const closed = once(socket, 'close');
    socket.end(firstWords(64));
    await closed;
    await later.close();
  }
  t.is((await kept.connection.request('as before')).value, 'as before');
  await kept.close();
  await node.close();
});

/** A connection from a context of its own. */
async function connectedNode(uri: string) {
  const node = createNode();
  const connection = await node.context.connect(uri);
  return { connection, close: () => node.close() };
}
