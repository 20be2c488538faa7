import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { RemotePager } from '../../../examples/cluster-memory/remote-pager.js';
import { createNode } from '../../../src/index.js';
import { isStored, pageBytes, portalsOf, shouldBeOneSided, store, turn, until } from './support.js';

/** A child that is gone after the test, whatever happened. */
function forkFor(t: ExecutionContext, script: URL, argument: unknown): ChildProcess {
  const child = fork(script, [JSON.stringify(argument)], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return child;
}

async function serverProcess(t: ExecutionContext, uri: string, path: string) {
  const child = forkFor(t, new URL('../../../examples/cluster-memory/server-process.js', import.meta.url), {
    uri,
    controlUri: uri.replace(/\d+$/, '0'),
    path,
    pageBytes,
    cachePages: 8,
  });
  const [started] = (await once(child, 'message')) as [{ uri: string }];
  const counts = async () => {
    child.send('counts');
    const [counts] = await once(child, 'message');
    return counts as Record<string, number>;
  };
  return { child, uri: started.uri, counts };
}

for (const transport of ['tcp', 'rdma'] as const) {
  const { uri: portal } = portalsOf(transport);
  const over = `over ${transport}`;

  test(`a server in another process; when it is killed its clients learn of it, and a new one knows nothing ${over}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'memory-processes-'));
    const node = createNode({ contextOptions: { rdmaOneSided: true } });
    t.teardown(async () => {
      await node.close();
      await rm(folder, { recursive: true });
    });
    const leaks: unknown[] = [];
    node.context.on('leak', (leak) => leaks.push(leak));
    const path = join(folder, 'pages');
    const server = await serverProcess(t, portal, path);
    const pager = await RemotePager.open(node.context, server.uri, { clientId: 1, pageBytes, timeoutMs: 60_000 });
    t.is(pager.isOneSided, shouldBeOneSided(pager));
    for (let number = 0; number < 40; number++) await store(pager, number);
    for (let number = 0; number < 40; number++) t.true(await isStored(pager, number));
    t.true((await server.counts()).loads! > 0);

    const waiting = Array.from({ length: 20 }, (_, number) => isStored(pager, number).catch((error) => error.code));
    server.child.kill('SIGKILL');
    for (const result of await Promise.all(waiting)) t.true(result === true || result === 'closed', String(result));
    await t.throwsAsync(pager.pageIn(1, Buffer.alloc(pageBytes)), { code: 'closed' });
    t.false(await pager.pageOut(1, Buffer.alloc(pageBytes)).catch(() => false));
    await pager.close();

    const again = await serverProcess(t, portal, path);
    const second = await RemotePager.open(node.context, again.uri, { clientId: 1, pageBytes, timeoutMs: 300 });
    await t.throwsAsync(second.pageIn(1, Buffer.alloc(pageBytes)), { code: 'timeout' }, 'of an earlier life');
    t.is((await again.counts()).unknown, 1);
    await second.close();
    // Memory that a wire reached is held until its link is closed.
    await until(() => node.context.memory.buffersHeld === 0);
    t.deepEqual(leaks, []);
  });

  test(`when a client process is killed, its pages are forgotten, and others find room ${over}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'memory-processes-'));
    const node = createNode({ contextOptions: { rdmaOneSided: true } });
    t.teardown(async () => {
      await node.close();
      await rm(folder, { recursive: true });
    });
    const server = await serverProcess(t, portal, join(folder, 'pages'));
    const client = forkFor(t, new URL('./fixtures/client-process.js', import.meta.url), {
      uri: server.uri,
      clientId: 1,
      pages: 30,
    });
    await once(client, 'message');
    t.is((await server.counts()).pages, 30);
    client.kill('SIGKILL');
    while ((await server.counts()).pages !== 0) await turn();
    const pager = await RemotePager.open(node.context, server.uri, { clientId: 1, pageBytes, timeoutMs: 60_000 });
    await store(pager, 5, 1);
    t.true(await isStored(pager, 5, 1));
    await pager.close();
  });
}
