import assert from 'node:assert/strict';
import type { Context, RegionHandle } from '../../src/index.js';
import { check, open } from './asking.js';
import { mebibyte, sleeperUri } from './terms.js';

/** Messages and regions between two hosts that both work. */
export async function talk(context: Context): Promise<void> {
  const { connection } = await open(context);
  await check('the wire is an RDMA device', async () => {
    assert.ok(connection.wire?.usesRdmaDevice, JSON.stringify(connection.wire));
    console.log(`    ${connection.wire.transports[0]} on ${connection.wire.devices[0]}`);
  });
  await check('requests and responses from 0 bytes to 4 MiB', async () => {
    for (const size of [0, 1, 100, 8192, 65_536, 300_000, mebibyte, 4 * mebibyte]) {
      const bytes = Buffer.alloc(size, size % 251);
      using response = await connection.request(bytes);
      assert.ok(response.data.equals(bytes), `size=${size}`);
    }
  });
  await check('small and large messages keep their order', async () => {
    const count = 300;
    for (let number = 0; number < count; number++) {
      const bytes = Buffer.alloc(number % 20 === 7 ? 200_000 : 64);
      bytes.writeInt32LE(number);
      if (!connection.send(bytes, { more: number % 8 !== 7 })) await connection.ready();
    }
    assert.deepEqual((await connection.request('order')).value, { received: count, isInOrder: true });
  });
  await check('a region is read and written by the device, and counted in', async () => {
    const handle = (await connection.request('region')).value as RegionHandle;
    const region = await connection.openRegion(handle);
    const bytes = Buffer.alloc(900_000, 7);
    await region.write(64, bytes);
    assert.ok((await region.read(64, bytes.length)).equals(bytes));
    for (let count = 0; count < 20; count++) assert.equal(await region.fetchAdd(8, 1n), BigInt(count));
    assert.equal(await region.compareAndSwap(8, 20n, 5n), 20n);
    assert.equal(await region.fetchAdd(8, 0n), 5n);
    await assert.rejects(connection.openRegion({ ...handle, key: '0'.repeat(32) }), {
      code: 'ERR_HEDDLE_REGION_UNKNOWN',
    });
    assert.equal(region.way, 'rdma');
    region.close();
  });
  await connection.close();
  await check('a context that sleeps is woken by every message, not by the next round of keepalive', async () => {
    const sleeper = await context.connect(sleeperUri, {
      options: { connectTimeoutMs: 30_000, requestTimeoutMs: 30_000 },
      requireRdmaDevice: true,
    });
    for (let number = 0; number < 300; number++) assert.equal((await sleeper.request(number)).value, number);
    await sleeper.close();
  });
}
