import test from 'ava';
import { renderFindings } from '../../../src/cli/doctor/doctor.js';
import type { Finding } from '../../../src/cli/doctor/finding.js';
import { type Machine, thisMachine } from '../../../src/cli/doctor/machine.js';
import { checkMachine } from '../../../src/cli/doctor/machine-checks.js';

const gibibyte = 1024 ** 3;

const limits = (openFiles: string, lockedBytes: string) =>
  [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    `Max open files            ${openFiles}                 20000                files     `,
    `Max locked memory         ${lockedBytes}              8388608              bytes     `,
  ].join('\n');

const goodFiles: Record<string, string> = {
  '/sys/fs/cgroup/cpu.max': 'max 100000\n',
  '/sys/fs/cgroup/memory.max': 'max\n',
  '/proc/self/limits': limits('20000', '8388608'),
  '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
  '/sys/kernel/mm/transparent_hugepage/shmem_enabled': 'always within_size advise [never] deny force\n',
  '/proc/meminfo': 'MemTotal:       16384 kB\nHugePages_Total:       12\n',
};

/** A machine on which everything is well, but for what is given. */
function machine(changes: Partial<Machine> = {}, files: Record<string, string | undefined> = {}): Machine {
  return {
    nodeVersion: '22.19.0',
    platform: 'linux',
    architecture: 'x64',
    littleEndian: true,
    availableCores: 8,
    totalMemoryBytes: 16 * gibibyte,
    freeMemoryBytes: 12 * gibibyte,
    readTextFile: (path) => (path in files ? files[path] : goodFiles[path]),
    space: () => ({ sizeBytes: 8 * gibibyte, freeBytes: 7 * gibibyte }),
    ...changes,
  };
}

function finding(id: string, on: Machine): Finding {
  const found = checkMachine(on).find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no finding ${id}`);
  return found;
}

test('on a good machine everything is ok', (t) => {
  t.deepEqual(
    checkMachine(machine()).filter(({ status }) => status !== 'ok'),
    [],
  );
});

test('whatever the machine, ids are distinct and only what is ok has no action', (t) => {
  const bare = machine({ space: () => undefined, readTextFile: () => undefined });
  const poor = machine({ nodeVersion: '18.0.0', platform: 'sunos', littleEndian: false, availableCores: 1 });
  for (const findings of [machine(), bare, poor, thisMachine].map(checkMachine)) {
    t.is(new Set(findings.map(({ id }) => id)).size, findings.length);
    for (const { id, status, action } of findings) t.is(action === undefined, status === 'ok', id);
  }
});

const nodeVersions: [string, Finding['status']][] = [
  ['18.20.8', 'problem'],
  ['20.18.3', 'problem'],
  ['20.19.0', 'ok'],
  ['21.7.3', 'advice'],
  ['22.0.0', 'ok'],
  ['23.11.0', 'advice'],
  ['24.9.0', 'ok'],
  ['26.1.0', 'ok'],
  ['27.0.0', 'advice'],
];
for (const [nodeVersion, status] of nodeVersions) {
  test(`Node.js ${nodeVersion}: ${status}`, (t) => {
    t.is(finding('node', machine({ nodeVersion })).status, status);
  });
}

test('a big-endian machine is a problem, another system than Linux is not', (t) => {
  t.is(finding('platform', machine({ littleEndian: false })).status, 'problem');
  t.is(finding('platform', machine({ platform: 'darwin' })).status, 'advice');
});

test('one core is enough to run, with advice', (t) => {
  t.is(finding('cores', machine({ availableCores: 1 })).status, 'advice');
});

test('a quota of processor time counts like cores', (t) => {
  const cores = finding('cores', machine({}, { '/sys/fs/cgroup/cpu.max': '150000 100000\n' }));
  t.is(cores.status, 'advice');
  t.is(cores.facts.quotaCores, 1.5);
  t.is(cores.summary, '8 available, of which a quota leaves the time of 1.5');
  t.is(finding('cores', machine({}, { '/sys/fs/cgroup/cpu.max': '400000 100000\n' })).status, 'ok');
});

test('the memory limit of a control group counts, not the memory of the machine', (t) => {
  const memory = finding('memory', machine({}, { '/sys/fs/cgroup/memory.max': `${256 * 1024 ** 2}\n` }));
  t.is(memory.status, 'advice');
  t.is(memory.summary, '256 MiB, the limit of the control group; 12 GiB free on the machine');
});

test('a low limit of open files is worth advice', (t) => {
  const low = machine({}, { '/proc/self/limits': limits('256', '65536') });
  t.is(finding('open-files', low).status, 'advice');
  t.is(finding('open-files', low).facts.limit, 256);
  t.is(finding('locked-memory', low).facts.limitBytes, 65536);
});

test('no limit at all is said as such', (t) => {
  const free = machine({}, { '/proc/self/limits': limits('unlimited', 'unlimited') });
  t.is(finding('open-files', free).summary, 'no limit');
  t.is(finding('locked-memory', free).facts.limitBytes, null);
});

test('huge pages and /dev/shm are told as they are', (t) => {
  t.deepEqual(finding('huge-pages', machine()).facts, {
    transparent: 'madvise',
    transparentShared: 'never',
    reservedPages: 12,
  });
  t.deepEqual(finding('dev-shm', machine()).facts, { sizeBytes: 8 * gibibyte, freeBytes: 7 * gibibyte });
  t.deepEqual(finding('dev-shm', machine({ space: () => undefined })).facts, { sizeBytes: null, freeBytes: null });
});

test('the table puts what to do below what was found, and counts', (t) => {
  const lines = renderFindings([
    { id: 'node', status: 'ok', summary: 'fine', facts: {} },
    { id: 'cores', status: 'problem', summary: 'none', action: 'buy one', facts: {} },
  ]);
  t.deepEqual(lines, [
    'ok       node   fine',
    'problem  cores  none',
    '                -> buy one',
    '',
    '1 ok, 0 advice, 1 problem',
  ]);
});
