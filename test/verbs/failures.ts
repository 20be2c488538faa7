import assert from 'node:assert/strict';
import { type Context, HeddleError, type RegionHandle } from '../../src/index.js';
import { type Control, check, codesOf, endOf, lossEvents, open, openPatiently, untilItFails } from './asking.js';
import { mebibyte } from './terms.js';

/** Failures of the service that its host outlives. */
export async function serviceFailures(context: Context, control: Control): Promise<void> {
  await check('a peer that is killed: all settles, the events come in order, and a new one is reached', async () => {
    const { connection, events } = await open(context);
    const handle = (await connection.request('region')).value as RegionHandle;
    const region = await connection.openRegion(handle);
    assert.equal(region.way, 'rdma');
    const settled = codesOf([connection.request('never'), connection.request('never')]);
    // One of each is under way when the peer dies.
    const cut = codesOf([
      untilItFails(() => region.read(0, mebibyte)),
      untilItFails(() => region.write(0, Buffer.alloc(mebibyte))),
    ]);
    await control.tell('kill');
    assert.deepEqual(await settled, ['ERR_HEDDLE_FLUSHED']);
    await cut;
    await connection.ended;
    assert.equal((await codesOf([region.read(0, 1)])).length, 1);
    assert.deepEqual(endOf(events), lossEvents);
    await control.tell('start');
    const again = await openPatiently(context);
    assert.equal((await again.request('back')).value, 'back');
    await again.close();
  });

  await check('a listener that is started again at its address is reached again', async () => {
    const { connection, events } = await open(context);
    await connection.request('restart');
    await connection.session.ended;
    assert.deepEqual(endOf(events), ['connection-closed', 'connection-teardown', 'session-teardown']);
    const again = await openPatiently(context);
    assert.equal((await again.request('back')).value, 'back');
    await again.close();
  });
}

/** The host cannot be heard for a while, for whatever reason, and then can. */
export async function outage(context: Context, control: Control, command: 'silence' | 'unplug'): Promise<void> {
  const what = command === 'silence' ? 'a host that falls silent' : 'a link that goes down and up again';
  await check(
    `${what}: keepalive ends what waits, a connection that may come back does, new ones are made`,
    async () => {
      const lost = await open(context);
      const kept = await open(context, 120_000);
      assert.equal((await kept.connection.request('before')).value, 'before');
      await control.tell(command);
      assert.deepEqual(await codesOf([lost.connection.request('never')]), ['ERR_HEDDLE_FLUSHED']);
      await lost.connection.ended;
      assert.deepEqual(endOf(lost.events), lossEvents);
      assert.equal((await kept.connection.request('after', { timeoutMs: 120_000 })).value, 'after');
      assert.ok(kept.events.includes('connection-reconnected'), kept.events.join());
      await kept.connection.close();
      const fresh = await openPatiently(context);
      assert.equal((await fresh.request('fresh')).value, 'fresh');
      await fresh.close();
    },
  );
}

/** The host loses its power, and starts again. */
export async function reboot(context: Context, control: Control): Promise<void> {
  const lost = await open(context);
  const kept = await open(context, 20_000);
  await check('a host that loses its power: keepalive ends all that waits, the events come in order', async () => {
    const handle = (await lost.connection.request('region')).value as RegionHandle;
    const region = await lost.connection.openRegion(handle);
    const settled = codesOf([lost.connection.request('never'), kept.connection.request('never')]);
    await control.tell('reset');
    // Some of it will be on its way at that moment.
    const transfers = [region.read(0, mebibyte), lost.connection.request(Buffer.alloc(4 * mebibyte))];
    const ends = await Promise.allSettled<unknown>(transfers);
    await Promise.all([lost.connection.ended, kept.connection.ended]);
    assert.deepEqual(await settled, ['ERR_HEDDLE_FLUSHED']);
    for (const end of ends) assert.ok(end.status === 'fulfilled' || end.reason instanceof HeddleError, String(end));
    for (const { events } of [lost, kept]) assert.deepEqual(endOf(events), lossEvents, events.join());
    assert.ok(kept.events.includes('connection-reconnecting'), kept.events.join());
  });
  await check('the host that has started again is reached by new connections', async () => {
    await control.open();
    await control.tell('start');
    const fresh = await openPatiently(context);
    assert.equal((await fresh.request('fresh')).value, 'fresh');
    await fresh.close();
  });
}
