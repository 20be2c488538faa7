import type { ExecutionContext } from 'ava';
import {
  type Connection,
  HeddleError,
  type RegionHandle,
  type RegionRight,
  type RegionWay,
  type SharedBuffer,
} from '../../src/index.js';
import { type Bench, row, slowness, turns } from './bench.js';
import type { Peer } from './peer.js';
import { givenRdmaHost, type TestedTransport } from './transports.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** A peer that exports a region of that size, filled with the numbers of its bytes, and a connection to it. */
async function owner(bench: Bench, lengthBytes: number, rights: readonly RegionRight[] = ['read', 'write', 'atomics']) {
  const { peer, uri } = await bench.echo();
  const { connection, log } = await bench.connect(uri);
  const handle = await exportAt(peer, lengthBytes, rights);
  return { peer, uri, connection, log, handle };
}

function exportAt(peer: Peer, lengthBytes: number, rights: readonly RegionRight[]): Promise<RegionHandle> {
  return peer.run(
    ({ context, state }, argument) => {
      state.buffer = context.allocate(argument.lengthBytes);
      for (let index = 0; index < argument.lengthBytes; index++) state.buffer.bytes[index] = index % 251;
      state.region = context.exportRegion(state.buffer.clone(), { rights: argument.rights });
      return state.region.handle as RegionHandle;
    },
    { lengthBytes, rights },
  );
}

function isPattern(bytes: Uint8Array, first: number): boolean {
  for (let index = 0; index < bytes.length; index++) if (bytes[index] !== (first + index) % 251) return false;
  return true;
}

async function requireBalance(t: ExecutionContext, bench: Bench, peer: Peer, held = 0): Promise<void> {
  t.is(bench.context.memory.buffersHeld, held, 'this side holds no buffers');
  const left = await peer.run(async ({ context, state, delay }) => {
    if (!state.region.isRevoked) state.region.revoke();
    if (state.buffer.isHeld) state.buffer.release();
    // Memory that a wire reaches by itself is held until the peer has said that it is done.
    for (let tries = 0; context.memory.buffersHeld > 0 && tries < 1000; tries++) await delay(5);
    return context.memory.buffersHeld;
  });
  t.is(left, 0, 'the owner holds no buffers');
}

/** Behaviour 11: one-sided read, write and atomic operations on memory that the peer exported by key. */
export function registerRegions(transport: TestedTransport): void {
  row(transport, 'Behaviour 11 one-sided: reads and writes of all sizes, anywhere in the region', async (t, bench) => {
    const { peer, connection, handle } = await owner(bench, 5 * mebibyte + 3);
    const region = await connection.openRegion(handle);
    t.is(region.lengthBytes, 5 * mebibyte + 3);
    t.deepEqual(region.rights, ['read', 'write', 'atomics']);
    const sizes = [0, 1, 7, 8192, 64 * kibibyte, 64 * kibibyte + 1, 600_000, 5 * mebibyte];
    for (const size of sizes) {
      for (const offset of [0, 3]) {
        t.true(isPattern(await region.read(offset, size), offset), `read size=${size} offset=${offset}`);
        const target = Buffer.alloc(size);
        await region.readInto(target, offset);
        t.true(isPattern(target, offset), `readInto size=${size} offset=${offset}`);
      }
    }
    using shared = bench.context.allocate(300_000);
    await region.readInto(shared, 11);
    t.true(isPattern(shared.bytes, 11));
    for (const size of sizes) {
      await region.write(3, Buffer.alloc(size, size % 256));
      const seen = await peer.run(({ state }, size) => {
        const { bytes } = state.buffer as SharedBuffer;
        return [bytes[2], bytes.subarray(3, 3 + size).every((byte) => byte === size % 256), bytes.length];
      }, size);
      t.deepEqual(seen.slice(0, 2), [2, true], `written size=${size}`);
    }
    shared.bytes.fill(99);
    await region.write(mebibyte, shared);
    t.true((await region.read(mebibyte, 300_000)).every((byte) => byte === 99));
    region.close();
    await t.throwsAsync(region.read(0, 1), { code: 'ERR_HEDDLE_CLOSED' });
    shared.release();
    await requireBalance(t, bench, peer);
  });

  row(
    transport,
    "Behaviour 11 one-sided: none of the owner's code is called, nor is its thread where memory is shared, or reached by a device",
    async (t, bench) => {
      const { peer, connection, handle } = await owner(bench, mebibyte);
      const region = await connection.openRegion(handle);
      t.is(region.way, wayOf(transport, connection));
      const { messagesReceived } = await statisticsOf(peer);
      const unblock = await peer.block();
      if (transport.sharesMemory) {
        t.true(isPattern(await region.read(100, 500_000), 100));
        await region.write(0, Buffer.alloc(16));
        t.is(await region.fetchAdd(8, 5n), 0n);
        t.is(await region.compareAndSwap(8, 5n, 6n), 5n);
        await unblock();
      } else if (region.way === 'rdma') {
        t.true(isPattern(await region.read(100, 500_000), 100));
        await region.write(8, Buffer.alloc(300_000, 7));
        t.true((await region.read(8, 300_000)).every((byte) => byte === 7));
        await t.throwsAsync(region.fetchAdd(0, 0n, { timeoutMs: 50 }), { code: 'ERR_HEDDLE_TIMEOUT' });
        await unblock();
      } else {
        await t.throwsAsync(region.fetchAdd(0, 0n, { timeoutMs: 50 }), { code: 'ERR_HEDDLE_TIMEOUT' });
        const large = Buffer.alloc(mebibyte);
        const reading = region.readInto(large, 0, { timeoutMs: 50 });
        await t.throwsAsync(reading, { code: 'ERR_HEDDLE_TIMEOUT' });
        large.fill(7);
        await unblock();
        t.true(isPattern(await region.read(100, 500_000), 100), 'the next operation is served');
        t.true(
          large.every((byte) => byte === 7),
          'what comes after the deadline goes nowhere',
        );
      }
      t.is((await statisticsOf(peer)).messagesReceived, messagesReceived, 'no message');
      region.close();
      await requireBalance(t, bench, peer);
    },
  );

  row(
    transport,
    'Behaviour 11 one-sided: atomic operations of many sides and local Atomics add up',
    async (t, bench) => {
      const { peer, uri, connection, handle } = await owner(bench, 64);
      const other = await bench.peer();
      await peer.run(({ state }) => void state.buffer.bytes.fill(0));
      const region = await connection.openRegion(handle);
      const rounds = 500 / slowness;
      const counting = other.run(
        async ({ context, state }, { uri, handle, rounds }) => {
          state.connection = await context.connect(uri);
          const counter = await (state.connection as Connection).openRegion(handle);
          for (let round = 0; round < rounds; round++) {
            await counter.fetchAdd(8, 3n);
            await counter.fetchAdd32(16, -1);
            for (let known = 0n; ; ) {
              const before = await counter.compareAndSwap(24, known, known + 1n);
              if (before === known) break;
              known = before;
            }
          }
        },
        { uri, handle, rounds },
      );
      const owning = peer.run(async ({ state, delay }, rounds) => {
        const { buffer, byteOffset } = state.region.bytes as Buffer;
        const wide = new BigInt64Array(buffer, byteOffset, 8);
        const narrow = new Int32Array(buffer, byteOffset, 16);
        for (let round = 0; round < rounds; round++) {
          Atomics.add(wide, 1, 1000n);
          Atomics.add(narrow, 4, 5);
          for (let known = Atomics.load(wide, 3); ; ) {
            const before = Atomics.compareExchange(wide, 3, known, known + 1n);
            if (before === known) break;
            known = before;
          }
          if (round % 50 === 0) await delay(0);
        }
      }, rounds);
      for (let round = 0; round < rounds; round++) {
        await Promise.all([region.fetchAdd(8, 1n), region.fetchAdd32(16, 2)]);
        for (let known = 0n; ; ) {
          const before = await region.compareAndSwap(24, known, known + 1n);
          if (before === known) break;
          known = before;
        }
      }
      await Promise.all([counting, owning]);
      t.is(await region.fetchAdd(8, 0n), BigInt(rounds) * 1004n);
      t.is(await region.fetchAdd32(16, 0), rounds * 6);
      t.is(await region.fetchAdd(24, 0n), BigInt(rounds) * 3n);
      t.is(await region.fetchAdd(0, 0n), 0n, 'neighbours are as they were');
      t.is(await region.fetchAdd32(20, 0), 0);
      t.is(await region.fetchAdd(32, 0n), 0n);
    },
  );

  row(
    transport,
    'Behaviour 11 one-sided: numbers wrap, keep their sign, and swap only what is expected',
    async (t, bench) => {
      const { connection, handle } = await owner(bench, 64);
      const region = await connection.openRegion(handle);
      await region.write(0, Buffer.alloc(64));
      t.is(await region.fetchAdd(0, -1n), 0n);
      t.is(await region.fetchAdd(0, 2n), -1n);
      t.is(await region.compareAndSwap(0, 5n, 9n), 1n, 'not swapped');
      t.is(await region.compareAndSwap(0, 1n, 2n ** 63n - 1n), 1n);
      t.is(await region.fetchAdd(0, 1n), 2n ** 63n - 1n);
      t.is(await region.compareAndSwap(0, -(2n ** 63n), 0n), -(2n ** 63n));
      t.is(await region.fetchAdd32(4, 2 ** 31 - 1), 0);
      t.is(await region.fetchAdd32(4, 1), 2 ** 31 - 1);
      t.is(await region.compareAndSwap32(4, -(2 ** 31), 7), -(2 ** 31));
      t.is(await region.compareAndSwap32(4, 8, 9), 7, 'not swapped');
      t.deepEqual([...(await region.read(0, 8))], [0, 0, 0, 0, 7, 0, 0, 0]);
    },
  );

  row(
    transport,
    'Behaviour 11 one-sided: rights, bounds and alignment are kept to, with coded errors',
    async (t, bench) => {
      const { peer, connection, handle } = await owner(bench, 100, ['read']);
      const region = await connection.openRegion(handle);
      const denied = { code: 'ERR_HEDDLE_REGION_DENIED' };
      await t.throwsAsync(region.write(0, Buffer.alloc(1)), denied);
      await t.throwsAsync(region.fetchAdd(0, 1n), denied);
      await t.throwsAsync(region.compareAndSwap32(0, 1, 2), denied);
      const invalid = { code: 'ERR_HEDDLE_INVALID_ARGUMENT' };
      for (const [offset, length] of [
        [0, 101],
        [100, 1],
        [101, 0],
        [-1, 1],
        [0.5, 1],
        [0, -1],
        [2 ** 40, 1],
        [Number.NaN, 1],
      ] as const) {
        await t.throwsAsync(region.read(offset, length), invalid, `offset=${offset} length=${length}`);
      }
      t.is((await region.read(100, 0)).length, 0);
      const counted = await connection.openRegion(await exportAt(peer, 20, ['atomics']));
      await t.throwsAsync(counted.read(0, 1), denied);
      await t.throwsAsync(counted.fetchAdd(4, 1n), invalid);
      await t.throwsAsync(counted.fetchAdd32(2, 1), invalid);
      await t.throwsAsync(counted.fetchAdd(16, 1n), invalid, 'half of it lies outside');
      await t.throwsAsync(counted.fetchAdd(0, 1 as unknown as bigint), invalid);
      await t.throwsAsync(counted.fetchAdd32(0, 2 ** 33), invalid);
      await t.throwsAsync(counted.fetchAdd(0, 1n, { timeoutMs: 0 }), invalid);
      t.is(typeof (await counted.fetchAdd32(16, 1)), 'number');
      const buffer = bench.context.allocate(64);
      for (const rights of [[], ['all'], 'read', undefined] as unknown as RegionRight[][]) {
        t.throws(() => bench.context.exportRegion(buffer, { rights }), invalid);
      }
      t.throws(
        () => bench.context.exportRegion(Buffer.alloc(8) as unknown as SharedBuffer, { rights: ['read'] }),
        invalid,
      );
      using odd = buffer.clone(3);
      t.throws(() => bench.context.exportRegion(odd, { rights: ['atomics'] }), invalid);
      bench.context.exportRegion(odd, { rights: ['read', 'write'] }).revoke();
      t.throws(() => odd.bytes, { code: 'ERR_HEDDLE_BUFFER_MOVED' });
      t.throws(() => bench.context.exportRegion(odd, { rights: ['read'] }), { code: 'ERR_HEDDLE_BUFFER_MOVED' });
      buffer.release();
    },
  );

  row(
    transport,
    'Behaviour 11 one-sided: a revoked region is reached no more, whatever takes its memory',
    async (t, bench) => {
      const { peer, connection, handle } = await owner(bench, 16 * kibibyte);
      const region = await connection.openRegion(handle);
      t.is((await region.read(0, 2))[1], 1);
      await peer.run(({ context, state }) => {
        state.region.revoke();
        state.region.revoke();
        state.buffer.release();
        // Of the same size: from the same place, as soon as nobody holds that any more.
        state.others = Array.from({ length: 64 }, () => context.allocate(16 * 1024));
        for (const other of state.others) other.bytes.fill(123);
      });
      // What begins before the news has come may be done by the wire, in memory that is held for that.
      if (region.way === 'rdma') while (region.isOpen) await turns(1);
      const revoked = { code: 'ERR_HEDDLE_REGION_REVOKED' };
      await t.throwsAsync(region.write(0, Buffer.alloc(16 * kibibyte)), revoked);
      await t.throwsAsync(region.read(0, 1), revoked);
      await t.throwsAsync(region.fetchAdd(0, 1n), revoked);
      t.false(region.isOpen);
      await t.throwsAsync(connection.openRegion(handle), { code: 'ERR_HEDDLE_REGION_UNKNOWN' });
      const intact = await peer.run(({ state }) => {
        return (state.others as SharedBuffer[]).every((one) => one.bytes.every((byte) => byte === 123));
      });
      t.true(intact);
      const { slot } = handle;
      const next = await exportAt(peer, 16 * kibibyte, ['read', 'write']);
      t.is(next.slot, slot, 'its place is taken');
      t.not(next.generation, handle.generation);
      await t.throwsAsync(region.read(0, 1), revoked);
      await t.throwsAsync(connection.openRegion({ ...handle, key: next.key }), { code: 'ERR_HEDDLE_REGION_UNKNOWN' });
      await t.throwsAsync(connection.openRegion({ ...next, key: handle.key }), { code: 'ERR_HEDDLE_REGION_UNKNOWN' });
      region.close();
      const fresh = await connection.openRegion(next);
      t.is((await fresh.read(0, 2))[1], 1);
      fresh.close();
      await peer.run(({ state }) => {
        for (const other of state.others) other.release();
      });
      await requireBalance(t, bench, peer);
    },
  );

  row(transport, 'Behaviour 11 one-sided: a forged handle opens nothing', async (t, bench) => {
    const { connection, handle } = await owner(bench, 64);
    const unknown = { code: 'ERR_HEDDLE_REGION_UNKNOWN' };
    const flipped = (handle.key[0] === '0' ? '1' : '0') + handle.key.slice(1);
    await t.throwsAsync(connection.openRegion({ ...handle, key: flipped }), unknown);
    await t.throwsAsync(connection.openRegion({ ...handle, slot: handle.slot + 1 }), unknown);
    await t.throwsAsync(connection.openRegion({ ...handle, slot: 65_535 }), unknown);
    await t.throwsAsync(connection.openRegion({ ...handle, generation: handle.generation + 1 }), unknown);
    for (const forged of [
      undefined,
      null,
      7,
      {},
      { ...handle, key: 'short' },
      { ...handle, slot: -1 },
      { ...handle, slot: 65_536 },
      { ...handle, slot: 0.5 },
      { ...handle, generation: 2 ** 31 },
      { ...handle, owner: 5 },
    ]) {
      await t.throwsAsync(connection.openRegion(forged as RegionHandle), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    }
    const widened = { ...handle, lengthBytes: 1_000_000, rights: ['read' as const] };
    using region = await connection.openRegion(widened);
    t.is(region.lengthBytes, 64, "the owner's word counts, not the handle's");
    await t.throwsAsync(region.read(0, 65), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
    await t.throwsAsync(bench.context.openRegion({ ...handle, owner: 'nobody' }), unknown);
  });

  row(
    transport,
    'Behaviour 11 one-sided: a handle travels in messages, to whoever reaches its owner',
    async (t, bench) => {
      const { uri, handle } = await owner(bench, 64);
      const third = await bench.peer();
      const thirdUri = await third.run(async ({ context, state }, portal) => {
        state.server = await context.listen(portal, {
          onRequest: async (message, connection) => {
            const { theirs, mine } = message.value as { theirs: RegionHandle; mine: RegionHandle };
            // One by the connection that it came by; the other by whatever leads to its owner.
            const ours = await connection.openRegion(mine);
            await ours.write(0, Buffer.from('hello'));
            const far = await context.openRegion(theirs);
            return await far.read(1, 4);
          },
        });
        return state.server.uri as string;
      }, transport.portal());
      await third.run(async ({ context, state }, uri) => {
        state.toOwner = await context.connect(uri);
      }, uri);
      using buffer = bench.context.allocate(5);
      using region = bench.context.exportRegion(buffer.clone(), { rights: ['write'] });
      t.is(region.lengthBytes, 5);
      const { connection } = await bench.connect(thirdUri);
      const { value } = await connection.request({ theirs: handle, mine: region.handle });
      t.deepEqual([...(value as Buffer)], [1, 2, 3, 4]);
      t.is(buffer.bytes.toString(), 'hello');
      using own = await bench.context.openRegion(region.handle);
      t.is(own.way, 'memory');
      await own.write(0, Buffer.from('J'));
      t.is(buffer.bytes.toString(), 'Jello');
      await t.throwsAsync(own.read(0, 1), { code: 'ERR_HEDDLE_REGION_DENIED' });
      region.revoke();
      await t.throwsAsync(own.write(0, Buffer.from('H')), { code: 'ERR_HEDDLE_REGION_REVOKED' });
      await t.throwsAsync(bench.context.openRegion(region.handle), { code: 'ERR_HEDDLE_REGION_UNKNOWN' });
    },
  );

  row(transport, 'Behaviour 11 one-sided: messages go on beside a large read and a large write', async (t, bench) => {
    const { connection, handle } = await owner(bench, 48 * mebibyte);
    using region = await connection.openRegion(handle);
    for (const [name, begin] of [
      ['read', () => region.read(0, 48 * mebibyte)],
      ['write', () => region.write(0, Buffer.alloc(48 * mebibyte, 1))],
    ] as const) {
      let isDone = false;
      const moving = begin().then(() => {
        isDone = true;
      });
      // Over a wire, request and pieces share one stream. A thread that copies by itself lets its other work go on.
      if (transport.sharesMemory) await turns(3);
      else t.is((await connection.request('beside')).value, 'beside');
      t.false(isDone, `something else was done before the ${name} was`);
      await moving;
    }
    const small = region.fetchAdd(0, 1n);
    const large = region.read(0, 48 * mebibyte);
    t.is(await small, 0x0101010101010101n);
    await large;
  });

  row(transport, 'Behaviour 11 one-sided: a signal ends an operation, and the next one is served', async (t, bench) => {
    const { connection, handle } = await owner(bench, 32 * mebibyte);
    using region = await connection.openRegion(handle);
    const abort = new AbortController();
    const reading = region.read(0, 32 * mebibyte, { signal: abort.signal });
    abort.abort('enough');
    const error = await t.throwsAsync(reading, { code: 'ERR_HEDDLE_CANCELLED' });
    t.is(error?.cause, 'enough');
    await t.throwsAsync(region.fetchAdd(0, 1n, { signal: abort.signal }), { code: 'ERR_HEDDLE_CANCELLED' });
    await t.throwsAsync(connection.openRegion(handle, { signal: abort.signal }), { code: 'ERR_HEDDLE_CANCELLED' });
    t.true(isPattern(await region.read(5, 1000), 5));
  });

  row(
    transport,
    'Behaviour 11 one-sided: the end of each operation is an event, before the teardown, and counted',
    async (t, bench) => {
      const { peer, connection, log, handle } = await owner(bench, 1000);
      const region = await connection.openRegion(handle);
      await region.write(0, Buffer.alloc(100), { context: 'first' });
      await region.fetchAdd(8, 1n);
      await region.read(0, 50);
      t.deepEqual(
        log
          .all('region-operation')
          .map(({ operation, offset, lengthBytes, context }) => [operation, offset, lengthBytes, context]),
        [
          ['write', 0, 100, 'first'],
          ['fetch-add', 8, 8, undefined],
          ['read', 0, 50, undefined],
        ],
      );
      const mine = bench.context.statistics;
      t.is(mine.regionOperations, 3);
      t.is(mine.regionBytesRead, 50);
      t.is(mine.regionBytesWritten, 100);
      if (region.way === 'records') {
        const theirs = await statisticsOf(peer);
        t.is(theirs.regionOperationsServed, 4, 'and the open');
        t.is(theirs.regionBytesServed, 150);
      }
      const abort = new AbortController();
      const cancelled = region.write(0, Buffer.alloc(1), { signal: abort.signal, context: 'cancelled' });
      abort.abort();
      // This thread writes to memory at once: there is nothing left to cancel.
      if (region.way === 'memory') await cancelled;
      else {
        await t.throwsAsync(cancelled, { code: 'ERR_HEDDLE_CANCELLED' });
        t.is(log.all('region-operation').at(-1)?.code, 'ERR_HEDDLE_CANCELLED');
        t.is(bench.context.statistics.regionOperationsFailed, 1);
      }
      await peer.run(({ state }) => state.region.revoke());
      while (region.isOpen) await turns(1);
      await t.throwsAsync(region.read(0, 1, { context: 'late' }), { code: 'ERR_HEDDLE_REGION_REVOKED' });
      t.is(log.all('region-operation').length, 4, 'what is refused at once has not begun');
      t.is((await statisticsOf(peer)).regionsExported, 0);
      await connection.close();
      t.is(bench.context.statistics.remoteRegionsOpen, 0);
      t.is(log.all('connection-teardown').length, 1);
    },
  );

  row(
    transport,
    "Behaviour 11 one-sided: the connection's end settles what is under way, and ends its regions",
    async (t, bench) => {
      const { peer, connection, log, handle } = await owner(bench, 32 * mebibyte);
      const region = await connection.openRegion(handle);
      const unblock = await peer.block();
      const results = Promise.allSettled([
        region.read(0, 32 * mebibyte),
        region.fetchAdd(0, 1n),
        connection.openRegion(handle),
      ]);
      await turns(1);
      connection.destroy();
      const ends = await results;
      for (const end of ends) {
        if (end.status === 'rejected') t.is((end.reason as HeddleError).code, 'ERR_HEDDLE_FLUSHED');
      }
      t.is(ends[2].status, 'rejected', 'a thread that is blocked opens nothing');
      t.false(region.isOpen);
      await t.throwsAsync(region.read(0, 1), { code: 'ERR_HEDDLE_FLUSHED' });
      await t.throwsAsync(connection.openRegion(handle), { code: 'ERR_HEDDLE_CLOSED' });
      t.true(log.types.lastIndexOf('region-operation') < log.types.indexOf('connection-teardown'));
      await unblock();
      await requireBalance(t, bench, peer);
      t.is(await peer.run(({ state }) => state.region.openings), 0);
    },
  );

  row(transport, 'Behaviour 11 one-sided: a region dies with the context that owns it', async (t, bench) => {
    const { peer, connection, handle } = await owner(bench, 1000);
    const region = await connection.openRegion(handle);
    t.is((await region.read(0, 2))[1], 1);
    await peer.handle.terminate();
    await connection.ended;
    await t.throwsAsync(region.write(0, Buffer.alloc(1)), { code: 'ERR_HEDDLE_FLUSHED' });
    t.false(region.isOpen);
    t.is(bench.context.memory.buffersHeld, 0);
    const { peer: stopped, connection: second, handle: another } = await owner(bench, 1000);
    const other = await second.openRegion(another);
    await stopped.run(({ state }) => state.buffer.release());
    await stopped.handle.stop();
    await t.throwsAsync(other.fetchAdd(0, 1n), { instanceOf: HeddleError });
    t.deepEqual(stopped.log.all('leak'), [], 'a region is no leak');
    t.is(bench.context.memory.buffersHeld, 0);
  });

  row(
    transport,
    'Behaviour 11 one-sided: more contexts open a region than its memory has handles for',
    async (t, bench) => {
      const { peer, connection, handle } = await owner(bench, 64, ['atomics', 'write']);
      const hogs = await peer.run(({ state }) => {
        state.hogs = [];
        try {
          for (;;) state.hogs.push(state.buffer.clone());
        } catch {
          return state.hogs.length as number;
        }
      });
      t.true(hogs > 10);
      const region = await connection.openRegion(handle);
      t.is(region.way, 'records', 'the owner carries it out');
      await region.write(0, Buffer.alloc(64));
      t.is(await region.fetchAdd(0, 4n), 0n);
      await peer.run(({ state }) => {
        for (const hog of state.hogs) hog.release();
      });
      const again = await connection.openRegion(handle);
      if (transport.sharesMemory) t.is(again.way, 'memory');
      const shared = await connection.openRegion(handle);
      t.is(await shared.fetchAdd(0, 1n), 4n);
      t.is(bench.context.memory.buffersHeld, transport.sharesMemory ? 1 : 0, 'all of a context share one handle');
      again.close();
      again.close();
      t.is(await shared.fetchAdd(0, 1n), 5n);
      shared.close();
      region.close();
      await requireBalance(t, bench, peer);
    },
  );

  const { wire } = transport;
  if (wire === undefined) return;
  row(transport, 'Behaviour 11 one-sided: after a reconnect regions are open still', async (t, bench) => {
    const options = { reconnectTimeoutMs: 10_000 * slowness, reconnectDelayMs: 5 };
    const { peer, uri } = await bench.echo({ connection: options });
    const proxy = await wire(uri);
    t.teardown(() => proxy.close());
    const { connection, log } = await bench.connect(proxy.uri, { options });
    const handle = await exportAt(peer, 16 * mebibyte, ['read', 'write', 'atomics']);
    const region = await connection.openRegion(handle);
    await region.write(0, Buffer.alloc(8));
    // A thread that is blocked answers nothing, so that the cut comes in the midst of it.
    const unblock = await peer.block();
    const reading = region.read(0, 16 * mebibyte);
    reading.catch(() => {});
    await turns(2);
    proxy.cut();
    await t.throwsAsync(reading, { code: 'ERR_HEDDLE_DISCONNECTED' });
    const during = region.fetchAdd(0, 1n);
    await unblock();
    await log.until('connection-reconnected');
    t.is(await during, 0n, 'what was not begun waits for the wire');
    t.true(region.isOpen);
    t.is(await region.fetchAdd(0, 1n), 1n);
    t.is(region.way, 'records', 'what the wire reached it reaches no more');
  });
}

/** How a transport reaches memory: by the wire alone only where there is a device for it. */
export function wayOf({ sharesMemory, contextOptions }: TestedTransport, { wire }: Connection): RegionWay {
  if (sharesMemory) return 'memory';
  const hasDevice = givenRdmaHost !== undefined || wire?.usesRdmaDevice === true;
  return contextOptions?.rdmaOneSided && hasDevice ? 'rdma' : 'records';
}

function statisticsOf(peer: Peer) {
  return peer.handle.statistics();
}
