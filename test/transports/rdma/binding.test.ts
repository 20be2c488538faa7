import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { bindingFile } from '../../../src/transports/rdma/binding.js';
import { runProgram } from '../../support/run-program.js';

const run = promisify(execFile);
const indexUrl = new URL('../../../src/index.js', import.meta.url).href;

/** What the first use of rdma:// rejects with in a process with that environment. */
async function firstUse(environment: Record<string, string>): Promise<{ code: string; message: string }> {
  const script = `
    import { createNode } from ${JSON.stringify(indexUrl)};
    const node = createNode();
    const shm = await node.context.listen('shm://works-without');
    try {
      await node.context.listen('rdma://127.0.0.1:0');
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }));
    }
    await node.close();`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, ...environment },
    timeout: 60_000,
  });
  return JSON.parse(stdout);
}

test('without the native part the first use of rdma:// says what is missing, and the command that brings it', async (t) => {
  const { code, message } = await firstUse({ HEDDLE_RDMA_BINDING: '/nowhere/heddle_rdma.node' });
  t.is(code, 'ERR_HEDDLE_TRANSPORT_UNAVAILABLE');
  t.regex(message, /apt-get install libucx-dev.*npm run build:native.*path=\/nowhere/);
});

test('a native part that does not load is named, with how to build it again', async (t) => {
  const { code, message } = await firstUse({ HEDDLE_RDMA_BINDING: fileURLToPath(import.meta.url) });
  t.is(code, 'ERR_HEDDLE_TRANSPORT_UNAVAILABLE');
  t.regex(message, /does not load.*npm run build:native/);
});

/** A native part as it is on a host without UCX: the library that it looks for is nowhere. */
function bindingWithoutUcx(t: ExecutionContext): string {
  const bytes = readFileSync(bindingFile().path);
  const at = bytes.indexOf('libucp.so.0');
  t.true(at > 0);
  bytes.write('libucp.so.X', at);
  const folder = mkdtempSync(join(tmpdir(), 'heddle-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'heddle_rdma.node');
  writeFileSync(path, bytes);
  return path;
}

test('on a host without UCX the first use says so, and names the one command; everything else runs', async (t) => {
  const { code, message } = await firstUse({ HEDDLE_RDMA_BINDING: bindingWithoutUcx(t) });
  t.is(code, 'ERR_HEDDLE_TRANSPORT_UNAVAILABLE');
  t.regex(message, /needs UCX 1\.13 or newer: libucp\.so\.X.*As root: apt-get install libucx0$/);
});

test('on a host without UCX doctor says so, and what to do about it, and finds the machine healthy', async (t) => {
  const environment = { HEDDLE_RDMA_BINDING: bindingWithoutUcx(t) };
  const { exitCode, stdout } = await runProgram('dist/src/cli/heddle.js', ['doctor', '--json'], environment);
  t.is(exitCode, 0);
  const { findings } = JSON.parse(stdout) as { findings: { id: string; status: string; action?: string }[] };
  const rdma = findings.find(({ id }) => id === 'transport-rdma');
  t.is(rdma?.status, 'advice');
  t.regex(rdma?.action ?? '', /As root: apt-get install libucx0/);
});
