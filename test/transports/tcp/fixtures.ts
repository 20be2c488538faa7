import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { encodeHello, linkVersion } from '../../../src/transports/hello.js';
import type { TcpLink } from '../../../src/transports/tcp/tcp-link.js';
import type { TransportOptions } from '../../../src/transports/transport.js';
import { RecordingHost, sendRecord, testOptions } from './recording-host.js';

export function newHost(t: ExecutionContext, hastenTimers = 1): RecordingHost {
  const host = new RecordingHost(hastenTimers);
  t.teardown(() => host.transport.close());
  return host;
}

/** Two contexts and a link between them. */
export async function linkedPair(t: ExecutionContext, options: Partial<TransportOptions> = {}) {
  const server = newHost(t);
  const client = newHost(t);
  const portal = await server.transport.listen('tcp://localhost:0', { ...testOptions, ...options });
  const near = await client.transport.connect(portal.uri, { ...testOptions, ...options });
  await server.until(() => server.links.length === 1);
  return { server, client, portal, near, far: server.links[0]! };
}

/** A plain socket to a portal, for peers that do not behave. */
export async function rawSocket(t: ExecutionContext, uri: string): Promise<Socket> {
  const socket = connect(Number(new URL(uri.replace('tcp:', 'http:')).port), '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** A plain listener, for peers that do not behave. */
export async function rawListener(t: ExecutionContext, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export const goodHello = (side: number, version = linkVersion) =>
  encodeHello({ version, side, maximumRecordBytes: 65536, instanceId: 'ab'.repeat(16) });

/** Sends `count` records of the lengths that `lengthOf` says, waiting for room where there is none. */
export async function flood(host: RecordingHost, link: TcpLink, count: number, lengthOf: (serial: number) => number) {
  for (let serial = 0; serial < count; ) {
    const before = host.seen(link).writable;
    if (sendRecord(link, lengthOf(serial), serial)) {
      if (++serial % 500 === 0) link.publish();
    } else {
      link.publish();
      await host.until(() => host.seen(link).writable > before || !link.isOpen);
      if (!link.isOpen) return;
    }
  }
  link.publish();
}
