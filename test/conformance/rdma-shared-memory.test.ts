import test from 'ava';
import { Bench } from './bench.js';
import { hostOfPeers } from './host-of-peers.js';
import { registerSuite } from './suite.js';
import { transports } from './transports.js';

// Before UCX is loaded, here and in the process of the peers. UCX makes its connections by tcp, whatever carries the data.
process.env.UCX_TLS = 'sm,tcp,self';
delete process.env.UCX_NET_DEVICES;

const transport = { ...transports.rdma, name: 'UCX shared memory between processes', peersAt: hostOfPeers() };

test('UCX carries the data of these tests through shared memory', async (t) => {
  const bench = new Bench(t, transport);
  const { uri } = await bench.echo();
  const { wire } = await bench.context.connect(uri);
  t.log(JSON.stringify(wire));
  t.regex(wire?.transports[0] ?? '', /^(sysv|posix)$/);
  t.false(wire?.usesRdmaDevice);
});

registerSuite(transport);
