import test from 'ava';
import { StorageDaemon } from '../../../examples/cluster-memory/storage-daemon.js';
import { isStored, MemoryBench, store, until } from './support.js';

const options = { cachePages: 8 };

test('the device has one owner: another one is refused while it lives', async (t) => {
  await MemoryBench.run(t, 'shm', options, async ({ server, system }) => {
    const { device } = server;
    t.like(await device.ask('status'), { isOpen: true, opened: 1 });
    await t.throwsAsync(system.spawn(StorageDaemon, { device }), { message: /the device is open/ });
    await t.throwsAsync(device.ask('read', 12345), { message: /does not own the device/ });
    await t.throwsAsync(device.ask('complete', { ownerId: 1, results: [{ id: 1, isOk: true }] }), {
      message: /does not own/,
    });
    t.like(await device.ask('status'), { isOpen: true, opened: 1, staleOwners: 2 });
  });
});

test('an owner that fails is followed by another, and what it had begun is done', async (t) => {
  await MemoryBench.run(t, 'shm', options, async ({ server, system, pager }) => {
    let failures = 0;
    system.on('actorFailure', () => failures++);
    const one = await pager(1);
    for (let number = 0; number < 60; number++) await store(one, number);
    const reads: Promise<boolean>[] = [];
    for (let number = 0; number < 60; number++) {
      reads.push(isStored(one, number));
      if (number === 30) server.daemon.tell('fail');
    }
    t.true((await Promise.all(reads)).every((isRight) => isRight));
    await until(async () => (await server.device.ask('status')).opened === 2);
    t.is(failures, 1);
    t.true(await isStored(one, 0));
  });
});

test('an owner whose thread is gone is followed by another', async (t) => {
  await MemoryBench.run(t, 'shm', options, async ({ server, system, pager }) => {
    const lost = new Promise((resolve) => system.once('contextReplaced', resolve));
    const one = await pager(1);
    for (let number = 0; number < 40; number++) await store(one, number);
    // The system tells of the actor that was lost with its thread.
    system.on('actorFailure', () => {});
    const reads: Promise<boolean>[] = [];
    for (let number = 0; number < 40; number++) reads.push(isStored(one, number));
    void system.contextHandle('disk')!.terminate();
    await lost;
    t.true((await Promise.all(reads)).every((isRight) => isRight));
    t.like(await server.device.ask('status'), { isOpen: true, opened: 2 });
  });
});

test('an owner that closes in order leaves the device to the next one', async (t) => {
  await MemoryBench.run(t, 'shm', options, async ({ server, system }) => {
    await system.stop(server.daemon);
    await until(async () => !(await server.device.ask('status')).isOpen);
    const next = await system.spawn(StorageDaemon, { device: server.device });
    t.like(await server.device.ask('status'), { isOpen: true, opened: 2 });
    await system.stop(next);
    await until(async () => !(await server.device.ask('status')).isOpen);
  });
});
