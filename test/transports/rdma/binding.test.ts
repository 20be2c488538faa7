import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

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
