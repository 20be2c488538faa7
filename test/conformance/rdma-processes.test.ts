import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { PeerAddress } from './remote-peer.js';
import { registerSuite } from './suite.js';
import { transports } from './transports.js';

/** host:port of a host of peers on another machine: the verbs lab has one in its other guest. */
const given = process.env.HEDDLE_TEST_PEERS;
let address: Promise<PeerAddress> | undefined;
let host: ChildProcess | undefined;

test.after.always(() => host?.disconnect());

/** Where the peers are: one process has all of them. */
function peersAt(): Promise<PeerAddress> {
  address ??= given === undefined ? startHost() : Promise.resolve(parse(given));
  return address;
}

async function startHost(): Promise<PeerAddress> {
  host = fork(fileURLToPath(new URL('./fixtures/peer-host.js', import.meta.url)));
  const [port] = await once(host, 'message');
  return { host: '127.0.0.1', port: port as number };
}

function parse(text: string): PeerAddress {
  const [host, port] = text.split(':') as [string, string];
  return { host, port: Number(port) };
}

registerSuite({
  ...transports.rdma,
  name: 'rdma between processes',
  // Peers on another machine listen at its address, not at this one's.
  portal: given === undefined ? transports.rdma.portal : () => 'rdma://*:0',
  peersAt,
});
