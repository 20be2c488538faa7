import test from 'ava';
import { createNode } from '../../../src/index.js';
import { parseWireDescription } from '../../../src/transports/rdma/wire-description.js';

const tcpLanes = `#
# UCP endpoint
#
#               peer: <no debug data>
#                 lane[0]: cm rdmacm
#                 lane[1]:  1:tcp/lo.0 md[1]                -> md[1]/tcp/sysdev[255] rma_bw#0 am am_bw#0 wireup
#                 lane[2]:  2:tcp/eth0.0 md[1]              -> md[1]/tcp/sysdev[255] rma_bw#1
#
`;
const verbsLanes = `#                 lane[0]:  5:rc_verbs/rxe0:1.0 md[4]       -> md[4]/ib/sysdev[255] rma_bw#0 am am_bw#0
#                 lane[1]:  2:tcp/eth0.0 md[1]              -> md[1]/tcp/sysdev[255] wireup
#                 lane[2]: cm rdmacm
`;
const mixedLanes = `#                 lane[0]:  2:tcp/eth0.0 md[1]              -> md[1]/tcp/sysdev[255] am am_bw#0 wireup
#                 lane[1]:  5:rc_mlx5/mlx5_0:1.0 md[4]      -> md[4]/ib/sysdev[0] rma_bw#0
`;

test('the transports and devices of a wire are read from what UCX says, that of the messages first', (t) => {
  t.deepEqual(parseWireDescription(tcpLanes), { transports: ['tcp'], devices: ['lo', 'eth0'], usesRdmaDevice: false });
  t.deepEqual(parseWireDescription(verbsLanes), {
    transports: ['rc_verbs', 'tcp'],
    devices: ['rxe0:1', 'eth0'],
    usesRdmaDevice: true,
  });
});

test('a device for bulk data alone does not make a wire an RDMA wire: the messages go another way', (t) => {
  t.false(parseWireDescription(mixedLanes).usesRdmaDevice);
  t.deepEqual(parseWireDescription(''), { transports: [], devices: [], usesRdmaDevice: false });
});

test('a connection tells which wire it uses, and a session can require an RDMA device', async (t) => {
  const node = createNode();
  const other = createNode();
  const open = await node.context.listen('rdma://127.0.0.1:0', { onRequest: (message) => message.value });
  const strict = await node.context.listen('rdma://127.0.0.1:0', { requireRdmaDevice: true });

  const connection = await other.context.connect(open.uri);
  const wire = connection.wire;
  t.true(wire !== undefined && wire.transports.length > 0 && wire.devices.length > 0);
  if (wire?.usesRdmaDevice === false) {
    const refused = await t.throwsAsync(other.context.connect(open.uri, { requireRdmaDevice: true }), {
      code: 'ERR_HEDDLE_TRANSPORT_UNAVAILABLE',
    });
    t.regex(refused?.message ?? '', /transports=\w+.*devices=\w+/);
    const rejected = await t.throwsAsync(other.context.connect(strict.uri), { code: 'ERR_HEDDLE_REFUSED' });
    t.regex(rejected?.message ?? '', /requireRdmaDevice/);
  } else {
    await t.notThrowsAsync(other.context.connect(strict.uri, { requireRdmaDevice: true }));
  }
  const shm = await node.context.connect((await node.context.listen('shm://wire-test')).uri);
  t.deepEqual(shm.wire, { transports: ['shm'], devices: [], usesRdmaDevice: false });
  await Promise.all([node.close(), other.close()]);
});
