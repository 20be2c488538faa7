import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { createNode, type HeddleError } from '../../../src/index.js';

const echoPath = fileURLToPath(new URL('./fixtures/echo-process.js', import.meta.url));

async function startEcho(t: ExecutionContext, uri: string): Promise<{ process: ChildProcess; uri: string }> {
  const child = spawn(process.execPath, [echoPath, uri], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [said] = await once(child.stdout!, 'data');
  return { process: child, uri: String(said).trim() };
}

test('a connection that may come back learns that its peer is another process now, and one made anew works', async (t) => {
  const first = await startEcho(t, 'tcp://127.0.0.1:0');
  const node = createNode();
  t.teardown(() => node.close());
  const options = { reconnectTimeoutMs: 120_000, reconnectDelayMs: 20 };
  const connection = await node.context.connect(first.uri, { options });
  t.is((await connection.request('before')).value, 'before');
  first.process.kill('SIGKILL');
  await once(first.process, 'close');
  const unanswered = t.throwsAsync<HeddleError>(connection.request('meanwhile'), { code: 'ERR_HEDDLE_FLUSHED' });
  await startEcho(t, first.uri);
  const { cause } = await unanswered;
  t.like(cause, { code: 'ERR_HEDDLE_REFUSED' });
  t.regex((cause as HeddleError).message, /another process answers at tcp:/);
  await connection.ended;
  const anew = await node.context.connect(first.uri, { options });
  t.is((await anew.request('after')).value, 'after');
});
