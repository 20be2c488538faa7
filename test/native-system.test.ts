import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { createNode, type HeddleError } from '../src/index.js';
import { adviseHugePages, preferNumaNode } from '../src/native-system.js';
import { runProgram } from './support/run-program.js';

/** How many mappings of this process the kernel may back with huge pages. */
function mappingsWithHugePages(): number {
  return readFileSync('/proc/self/smaps', 'utf8').match(/^VmFlags:.* hg\b/gm)?.length ?? 0;
}

test('slabs of a context with hugePages are marked for the kernel', (t) => {
  const before = mappingsWithHugePages();
  const node = createNode({ contextOptions: { hugePages: true } });
  t.teardown(() => node.close());
  const reports: HeddleError[] = [];
  node.context.on('report', (error) => reports.push(error));
  node.context.allocate(4 * 1024 * 1024).release();
  t.deepEqual(reports, []);
  t.true(mappingsWithHugePages() > before);
});

test('what the operating system refuses is reported once, with its reason, and everything works without it', async (t) => {
  const node = createNode({ contextOptions: { numaNode: 1023 } });
  t.teardown(() => node.close());
  const reports: HeddleError[] = [];
  node.context.on('report', (error) => reports.push(error));
  for (const lengthBytes of [10, 100_000]) node.context.allocate(lengthBytes).release();
  t.is(reports.length, 1);
  t.is(reports[0].code, 'ERR_HEDDLE_OPTION_NOT_HONOURED');
  t.regex(reports[0].message, /^numaNode=1023 has no effect: the operating system refuses it \(E[A-Z]+\)$/);
});

test('memory of no whole page is left alone', (t) => {
  t.is(adviseHugePages(new SharedArrayBuffer(10)), undefined);
});

test('a NUMA node that there is can be preferred', (t) => {
  const nodes = readFileSync('/proc/self/status', 'utf8');
  const failure = preferNumaNode(new SharedArrayBuffer(1024 * 1024), 0);
  // A kernel without NUMA support has no such call.
  if (/^Mems_allowed_list:/m.test(nodes)) t.is(failure, undefined);
  else t.regex(failure!.message, /ENOSYS/);
});

for (const [host, field] of Object.entries({ '127.0.0.1': 'tos', '[::1]': 'tclass' })) {
  test(`both ends of a tcp link to ${host} send with the type of service that their contexts have`, async (t) => {
    const node = createNode({ contextOptions: { typeOfService: 0xb8 } });
    t.teardown(() => node.close());
    node.context.on('report', (error) => t.fail(error.message));
    const server = await node.context.listen(`tcp://${host}:0`, { onRequest: () => 'yes' });
    const connection = await node.context.connect(server.uri);
    using _ = await connection.request('there?');
    const port = server.uri.split(':').pop();
    const sockets = execFileSync('ss', ['-Htn', '--tos', `( sport = :${port} or dport = :${port} )`], {
      encoding: 'utf8',
    });
    t.is(sockets.split(`${field}:0xb8`).length - 1, 2, sockets);
  });
}

test('without the native part the options are said to be without effect', async (t) => {
  const { stdout, stderr, exitCode } = await runProgram('dist/test/native-system-process.js');
  t.is(stderr, '');
  t.regex(stdout, /^hugePages=true has no effect: it needs heddle's native part: npm run build:native/);
  t.is(exitCode, 0);
});
