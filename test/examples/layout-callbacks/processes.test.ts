import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { StoreProcess } from './store-process.js';

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'layouts-processes-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

for (const portal of ['tcp://127.0.0.1:0', 'rdma://127.0.0.1:0']) {
  const over = `over ${portal.slice(0, portal.indexOf(':'))}`;

  async function three(t: ExecutionContext, leaseMs: number) {
    const folder = await folderOf(t);
    const [server, one, other] = [new StoreProcess(t), new StoreProcess(t), new StoreProcess(t)];
    const uri = await server.call<string>('serve', { folder, uri: portal, leaseMs });
    await one.call('connect', { uri, clientId: 'one' });
    await other.call('connect', { uri, clientId: 'other' });
    return { folder, uri, server, one, other };
  }

  test(`processes share files ${over}`, async (t) => {
    const { folder, server, one, other } = await three(t, 10_000);
    await one.call('write', { file: 'f', start: 0, text: 'from one' });
    t.is(await other.call<string>('read', { file: 'f', start: 0, length: 8 }), 'from one');
    await other.call('write', { file: 'f', start: 5, text: 'two' });
    t.is(await one.call<string>('read', { file: 'f', start: 0, length: 8 }), 'from two');
    t.is((await readFile(join(folder, 'f'), 'utf8')).slice(0, 8), 'from two');
    t.like(await server.call('counts'), { recalled: 2, revoked: 0 });
  });

  test(`a client process that is killed keeps its layout for its lease and not longer ${over}`, async (t) => {
    const { server, one, other } = await three(t, 200);
    await one.call('write', { file: 'f', start: 0, text: 'synced' });
    await one.call('sync');
    await one.call('write', { file: 'f', start: 0, text: 'cached' });
    await one.kill('SIGKILL');
    t.is(await other.call<string>('read', { file: 'f', start: 0, length: 6 }), 'synced');
    t.like(await server.call('counts'), { expiredClients: 1 });
  });

  test(`a client process that stands still is revoked, and does not use what it had when it goes on ${over}`, async (t) => {
    const { server, one, other } = await three(t, 200);
    await one.call('write', { file: 'f', start: 0, text: 'standing' });
    await one.kill('SIGSTOP');
    await other.call('write', { file: 'f', start: 0, text: 'meantime' });
    t.like(await server.call('counts'), { revoked: 1 });
    const read = one.call<string>('read', { file: 'f', start: 0, length: 8 });
    await one.kill('SIGCONT');
    t.is(await read, 'meantime');
    await t.throwsAsync(one.call('sync'), { message: /WritesLostError: .*f\[0, 8\)/ });
    await one.call('sync');
  });

  test(`a server process that is killed and started again: what was synced is there, the rest is known to be lost ${over}`, async (t) => {
    const { folder, uri, server, one, other } = await three(t, 300);
    await one.call('write', { file: 'f', start: 0, text: 'synced' });
    await one.call('sync');
    await one.call('write', { file: 'f', start: 0, text: 'cached' });
    await server.kill('SIGKILL');
    const again = new StoreProcess(t);
    await again.call('serve', { folder, uri, leaseMs: 300 });
    await t.throwsAsync(one.call('sync'), { message: /WritesLostError/ });
    t.is(await one.call<string>('read', { file: 'f', start: 0, length: 6 }), 'synced');
    await other.call('write', { file: 'f', start: 0, text: 'others' });
    t.is(await one.call<string>('read', { file: 'f', start: 0, length: 6 }), 'others');
  });
}
