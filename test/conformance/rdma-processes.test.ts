import { hostOfPeers } from './host-of-peers.js';
import type { PeerAddress } from './remote-peer.js';
import { registerSuite } from './suite.js';
import { transports } from './transports.js';

/** host:port of a host of peers on another machine: the verbs lab has one in its other guest. */
const given = process.env.HEDDLE_TEST_PEERS;

function parse(text: string): PeerAddress {
  const [host, port] = text.split(':') as [string, string];
  return { host, port: Number(port) };
}

registerSuite({
  ...transports.rdma,
  name: 'rdma between processes',
  // Peers on another machine listen at its address, not at this one's.
  portal: given === undefined ? transports.rdma.portal : () => 'rdma://*:0',
  peersAt: given === undefined ? hostOfPeers() : async () => parse(given),
});
