import type { RegionHandle } from '../../src/index.js';
import { row } from './bench.js';
import { registerRegions, wayOf } from './regions.js';
import { givenRdmaHost, type TestedTransport, transports } from './transports.js';

const transport: TestedTransport = {
  ...transports.rdma,
  name: 'rdma, one-sided',
  contextOptions: { rdmaOneSided: true },
};

// In a process of its own: the first context that opens rdma decides how UCX is started. Without a device all of these
// rows would go by the same records as those of rdma.test.ts.
if (givenRdmaHost !== undefined) registerRegions(transport);

row(
  transport,
  'Regions go by the wire alone where it has an RDMA device, and by records elsewhere',
  async (t, bench) => {
    const { peer, uri } = await bench.echo();
    const handle = await peer.run(({ context, state }) => {
      state.region = context.exportRegion(context.allocate(200_000), { rights: ['read', 'write', 'atomics'] });
      state.region.bytes.fill(5);
      return state.region.handle as RegionHandle;
    }, undefined);
    const { connection } = await bench.connect(uri);
    const region = await connection.openRegion(handle);
    const way = wayOf(transport, connection);
    t.is(region.way, way);
    t.true((await region.read(0, 200_000)).every((byte) => byte === 5));
    await region.write(8, Buffer.alloc(100_000, 6));
    t.is(await region.fetchAdd(0, 1n), 0x0505050505050505n);
    t.deepEqual([...(await region.read(6, 4))], [5, 5, 6, 6]);
    // What the wire reaches by itself the owner has not served.
    const { regionBytesServed } = await peer.handle.statistics();
    t.is(regionBytesServed, way === 'rdma' ? 0 : 300_004);
    region.close();
    await peer.run(({ state }) => state.region.revoke());
    t.is(bench.context.memory.buffersHeld, 0);
  },
);
