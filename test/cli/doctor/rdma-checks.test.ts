import test from 'ava';
import type { Machine } from '../../../src/cli/doctor/machine.js';
import { thisMachine } from '../../../src/cli/doctor/machine.js';
import { checkPeer, checkRdma, type RdmaDevice } from '../../../src/cli/doctor/rdma-checks.js';
import { createNode } from '../../../src/index.js';
import { runProgram } from '../../support/run-program.js';

const active: RdmaDevice = { name: 'mlx5_0', port: '1', state: 'ACTIVE', linkLayer: 'Ethernet', rate: '100 Gb/sec' };
const locked = (limit: string): Machine => ({
  ...thisMachine,
  readTextFile: () => `Max locked memory         ${limit}              ${limit}              bytes     `,
});
const find = (id: string, machine: Machine, devices: readonly RdmaDevice[]) =>
  checkRdma(machine, devices).find((finding) => finding.id === id);

test('UCX is there, with its version and what it can use', (t) => {
  t.regex(find('transport-rdma', thisMachine, [])?.summary ?? '', /^rdma can run, on UCX 1\.\d+/);
  const resources = (find('ucx-transports', thisMachine, [])?.facts.resources ?? []) as string[];
  t.true(resources.some((name) => name.startsWith('tcp/')));
});

test('a device that is not active is named, with what to do', (t) => {
  t.is(find('rdma-devices', thisMachine, [])?.status, 'ok');
  t.is(find('rdma-devices', thisMachine, [active])?.status, 'ok');
  const down = find('rdma-devices', thisMachine, [active, { ...active, port: '2', state: 'DOWN' }]);
  t.is(down?.status, 'advice');
  t.regex(down?.action ?? '', /bring up mlx5_0:2/);
});

test('little lockable memory matters where there is a device', (t) => {
  t.is(find('rdma-memory', locked('65536'), [])?.status, 'ok');
  t.is(find('rdma-memory', locked('unlimited'), [active])?.status, 'ok');
  const little = find('rdma-memory', locked('65536'), [active]);
  t.is(little?.status, 'advice');
  t.regex(little?.action ?? '', /ulimit -l/);
});

test('the wire to a peer is told, and a peer that is not there too', async (t) => {
  const node = createNode();
  const server = await node.context.listen('rdma://127.0.0.1:0');
  const found = await checkPeer(server.uri);
  t.not(found.status, 'problem');
  t.true((found.facts.transports as string[]).length > 0);

  const { exitCode, stdout } = await runProgram('dist/src/cli/heddle.js', ['doctor', '--json', '--peer', server.uri]);
  t.is(exitCode, 0);
  const { findings } = JSON.parse(stdout) as { findings: { id: string; facts: { uri?: string } }[] };
  t.is(findings.find(({ id }) => id === 'peer')?.facts.uri, server.uri);

  await node.close();
  t.is((await checkPeer(server.uri)).status, 'problem');
  t.is((await checkPeer('rdma://nowhere')).facts.code, 'ERR_HEDDLE_INVALID_URI');
});
