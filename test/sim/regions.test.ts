import test from 'ava';
import { errorCodes, HeddleError } from '../../src/errors.js';
import type { RegionHandle } from '../../src/runtime/memory/region-handle.js';
import type { Region } from '../../src/runtime/memory/region-table.js';
import { messageHeaderBytes, RecordKind } from '../../src/runtime/message/message-layout.js';
import { readStatistics } from '../../src/runtime/observe/statistics.js';
import type { Connection } from '../../src/runtime/session/connection.js';
import { RegionCode, regionBodyBytes } from '../../src/runtime/session/region-layout.js';
import type { RemoteRegion } from '../../src/runtime/session/remote-region.js';
import { MemoryBlock } from '../../src/transports/record.js';
import type { Random } from './random.js';
import { forSeeds, onlySeed } from './seeds.js';
import { Simulation } from './simulated-clock.js';
import { SimulatedContext } from './simulated-context.js';
import { type NetworkConditions, quietConditions, SimulatedNetwork } from './simulated-network.js';

const dataBytes = 20_000;
const counters = 4;
const clients = 3;

const conditions: NetworkConditions = {
  ...quietConditions,
  frameBytes: 2048,
  windowFrames: 3,
  maximumDelayMicros: 200,
};

/** One side that works with the regions of the service. */
interface Client {
  readonly context: SimulatedContext;
  connection: Connection;
  counting: RemoteRegion | undefined;
  data: RemoteRegion | undefined;
}

/** A service with two regions, clients that use them, and what became of all that they did. */
class RegionWorld {
  readonly random: Random;
  readonly simulation = new Simulation();
  readonly network: SimulatedNetwork;
  readonly service: SimulatedContext;
  readonly clients: Client[] = [];
  readonly problems: string[] = [];
  counting!: Region;
  data!: Region;
  /** Connections that were made. */
  connections = 0;
  begun = 0;
  settled = 0;
  succeeded = 0;
  readonly codes = new Set<string>();
  /** How the regions that were opened are reached. */
  readonly ways = new Set<string>();
  /** By counter: what was added for certain, and what may have been. */
  readonly added = new Array<number>(counters).fill(0);
  readonly perhaps = new Array<number>(counters).fill(0);

  constructor(random: Random) {
    this.random = random;
    const sharesMemory = random.chance(0.3);
    const oneSidedChance = random.pick([0, 0.7, 1]);
    this.network = new SimulatedNetwork(this.simulation, random, { ...conditions, sharesMemory, oneSidedChance });
    const options = {
      requestTimeoutMs: 300,
      closeTimeoutMs: 200,
      connectTimeoutMs: 500,
      keepaliveIdleMs: 100,
      keepaliveIntervalMs: 50,
      reconnectTimeoutMs: random.pick([0, 400]),
      reconnectDelayMs: 5,
    };
    const make = (id: number) => new SimulatedContext(id, this.network, options);
    this.service = make(1);
    for (let id = 2; id < 2 + clients; id++) {
      const context = make(id);
      this.clients.push({ context, connection: undefined as never, counting: undefined, data: undefined });
    }
  }

  async begin(): Promise<void> {
    const { layer, pool } = this.service;
    this.counting = layer.exportRegion(pool.allocate(8 * counters), ['atomics', 'read']);
    this.counting.bytes.fill(0);
    this.data = layer.exportRegion(pool.allocate(dataBytes), ['read', 'write']);
    this.data.bytes.fill(1);
    await layer.listen('sim://owner', { onRequest: () => 'here', onMessage: () => {}, onEvent: () => {} });
    for (const client of this.clients) this.connect(client);
    await this.simulation.run(20_000);
  }

  connect(client: Client): void {
    this.connections++;
    client.connection = client.context.layer.connect('sim://owner', { onEvent: () => {} }).connection;
    client.connection.online.catch(() => {});
    client.counting = undefined;
    client.data = undefined;
    for (const name of ['counting', 'data'] as const) {
      this.#track(client, () => client.connection.openRegion(this[name].handle)).then(
        (region) => {
          if (region === undefined) return;
          client[name] = region;
          this.ways.add(region.way);
        },
        () => {},
      );
    }
  }

  /** Follows a promise: it must settle, with a coded error if with one. Resolves to undefined for an error. */
  async #track<Result>(client: Client, begin: () => Promise<Result>): Promise<Result | undefined> {
    this.begun++;
    try {
      const result = await begin();
      this.succeeded++;
      return result;
    } catch (error) {
      if (!(error instanceof HeddleError) || !(error.code in errorCodes)) this.problems.push(`not coded: ${error}`);
      else this.codes.add(error.code);
      return undefined;
    } finally {
      this.settled++;
      if (client.context.isCrashed) this.begun++;
    }
  }

  /** Does something of what users do. */
  async act(client: Client): Promise<void> {
    const { random } = this;
    const options = {
      ...(random.chance(0.2) ? { timeoutMs: random.integer(1, 20) } : {}),
      ...(random.chance(0.1) ? { signal: this.#signalAfter(random.integer(0, 5000)) } : {}),
    };
    const { counting, data, connection } = client;
    switch (random.integer(0, 5)) {
      case 0:
      case 1: {
        if (counting === undefined) return;
        const counter = random.integer(0, counters - 1);
        const by = random.integer(1, 9);
        const before = await this.#track(client, () => counting.fetchAdd(8 * counter, BigInt(by), options));
        if (before === undefined) this.perhaps[counter]! += by;
        else this.added[counter]! += by;
        return;
      }
      case 2: {
        if (data === undefined) return;
        const offset = random.integer(0, dataBytes);
        const length = random.integer(0, dataBytes - offset);
        await this.#track(client, () => data.write(offset, Buffer.alloc(length, random.integer(1, 9)), options));
        return;
      }
      case 3: {
        if (data === undefined) return;
        const offset = random.integer(0, dataBytes);
        const length = random.integer(0, dataBytes - offset);
        const bytes = await this.#track(client, () => data.read(offset, length, options));
        if (bytes !== undefined && bytes.length !== length) this.problems.push(`${bytes.length} bytes, not ${length}`);
        const odd = bytes?.find((byte) => byte < 1 || byte > 9);
        if (odd !== undefined) this.problems.push(`read ${odd}, which nobody wrote`);
        return;
      }
      case 4:
        // Between all that, messages, so that both have to share the wire.
        await this.#track(client, () => connection.request(Buffer.alloc(random.pick([10, 1500, 30_000]))));
        return;
      default: {
        const opened = await this.#track(client, () => connection.openRegion(this.data.handle, options));
        if (opened === undefined || !random.chance(0.8)) return;
        // What is under way when the region is closed may arrive after that.
        if (random.chance(0.5)) void this.#track(client, () => opened.read(0, dataBytes, options));
        opened.close();
      }
    }
  }

  #signalAfter(delayMicros: number): AbortSignal {
    const controller = new AbortController();
    this.simulation.schedule(delayMicros, () => controller.abort());
    return controller.signal;
  }

  /** Something goes wrong. */
  disturb(client: Client): void {
    const { random } = this;
    const wire = [...this.network.wires].find((one) => one.ends.some((end) => end.node === client.context));
    switch (random.integer(0, 5)) {
      case 0:
      case 1:
        wire?.cut();
        return;
      case 2:
        client.connection.destroy();
        return;
      case 3:
        void client.connection.close();
        return;
      case 4:
        if (random.chance(0.3)) this.network.crash(client.context, random.chance(0.7));
        return;
      default:
        if (!random.chance(0.3)) return;
        this.data.revoke();
        this.data = this.service.layer.exportRegion(this.service.pool.allocate(dataBytes), ['read', 'write']);
        this.data.bytes.fill(1);
    }
  }

  /** What must hold when all has come to rest. */
  async check(): Promise<void> {
    await this.simulation.run(this.simulation.nowMicros + 3_000_000);
    const living = this.clients.filter(({ context }) => !context.isCrashed);
    for (let counter = 0; counter < counters; counter++) {
      const sum = Number(this.counting.bytes.readBigInt64LE(8 * counter));
      const least = this.added[counter]!;
      const most = least + this.perhaps[counter]!;
      if (sum < least || (sum > most && living.length === clients)) {
        this.problems.push(`counter ${counter} is at ${sum}, not from ${least} to ${most}`);
      }
    }
    if (living.length === clients && this.settled !== this.begun) {
      this.problems.push(`of ${this.begun} operations ${this.settled} have settled`);
    }
    this.data.revoke();
    await this.simulation.run(this.simulation.nowMicros + 1_000_000);
    if (!this.network.conditions.sharesMemory && this.connections === clients) {
      // Each side lets go of a revoked region at once. What a connection had open that has ended its wire holds to its own end.
      const { buffersHeld } = this.service.pool.statistics();
      const most = this.counting.openings + 1;
      if (buffersHeld > most)
        this.problems.push(`after a revocation buffersHeld=${buffersHeld} at the owner, not ${most}`);
    }
    for (const { context } of [...living, { context: this.service }]) void context.layer.close();
    await this.simulation.run(this.simulation.nowMicros + 3_000_000);
    for (const { openings } of [this.counting, this.data]) {
      if (openings !== 0) this.problems.push(`a region has openings=${openings}, and no connection is left`);
    }
    this.counting.revoke();
    // What a context that is gone holds its peers give back.
    for (const { context } of this.clients) if (context.isCrashed) this.service.pool.reclaimContext(context.id);
    for (const context of [...living.map((client) => client.context), this.service]) {
      const { remoteRegionsOpen, regionsExported } = readStatistics(context.statistics.memory);
      const { regionOperations } = context.layer;
      const { buffersHeld } = context.pool.statistics();
      const left = { buffersHeld, remoteRegionsOpen, regionsExported, operations: regionOperations.count };
      for (const [name, count] of Object.entries(left)) {
        if (count !== 0) this.problems.push(`context ${context.id} is left with ${name}=${count}`);
      }
      const malformed = context.reports.find((report) => !(report.code in errorCodes));
      if (malformed !== undefined) this.problems.push(String(malformed));
      context.recycle();
    }
    this.problems.push(...this.network.faults);
    if (this.problems.length > 0) throw new Error(this.problems.join('; '));
  }
}

test('regions under lost wires, peers and grants: all settles, nothing is counted twice, nothing is left', async (t) => {
  t.timeout(120_000);
  let succeeded = 0;
  const codes = new Set<string>();
  const ways = new Set<string>();
  await forSeeds(100, async (random) => {
    const world = new RegionWorld(random);
    await world.begin();
    const isRough = random.chance(0.7);
    for (let step = 0; step < 60; step++) {
      const client = random.pick(world.clients);
      if (client.context.isCrashed) continue;
      if (isRough && random.chance(0.1)) world.disturb(client);
      else if (client.connection.isOver) world.connect(client);
      else void world.act(client);
      await world.simulation.run(world.simulation.nowMicros + random.pick([0, 100, 1000, 5000]));
    }
    await world.check();
    succeeded += world.succeeded;
    for (const code of world.codes) codes.add(code);
    for (const way of world.ways) ways.add(way);
  });
  if (onlySeed !== undefined) {
    t.pass();
    return;
  }
  t.true(succeeded > 1500, `${succeeded} operations succeeded`);
  for (const code of ['TIMEOUT', 'CANCELLED', 'FLUSHED', 'DISCONNECTED', 'REGION_REVOKED', 'CLOSED']) {
    t.true(codes.has(`ERR_HEDDLE_${code}`), `${code} was met`);
  }
  t.deepEqual([...ways].sort(), ['memory', 'rdma', 'records']);
});

const oddNumbers = [0, 1, 2, 3, 8, 16, 63, 64, 65, 1000, -1, -8, 65_536, 65_537, 2 ** 31 - 1, -(2 ** 31), 0x7fff_fff8];
const canary = 0xa5;

/** A request about a region with fields that are near to what they should be, or far. */
function makeRequest(random: Random, connection: Connection, handle: RegionHandle): MemoryBlock {
  const code = random.chance(0.9) ? random.integer(1, RegionCode.revoked) : random.integer(0, 255);
  const dataLength = random.pick([0, 0, 1, 8, 16, 64, 100]);
  const length = messageHeaderBytes + (random.chance(0.95) ? regionBodyBytes : random.integer(0, 31)) + dataLength;
  const block = new MemoryBlock(new ArrayBuffer((length + 7) & ~7));
  const field = (near: number) => (random.chance(0.5) ? near : random.pick(oddNumbers));
  const words = [
    length,
    (random.chance(0.8) ? RecordKind.regionRequest : RecordKind.regionAnswer) | (code << 8),
    connection.id,
    0,
    random.pick(oddNumbers),
    0,
    code === RegionCode.open ? field(handle.slot) : random.integer(0, 4),
    code === RegionCode.open ? field(handle.generation) : field(random.integer(0, 64)),
    field(random.pick([dataLength, 4, 8, 16])),
    random.pick([0, 1, -1]),
    ...Array.from({ length: 4 }, () => random.pick(oddNumbers)),
  ];
  for (const [index, word] of words.slice(0, block.int32.length).entries()) block.int32[index] = word;
  if (code === RegionCode.open && length >= messageHeaderBytes + regionBodyBytes && random.chance(0.6)) {
    const key = Buffer.from(handle.key, 'hex');
    if (random.chance(0.5)) key[random.integer(0, 15)]! ^= 1 << random.integer(0, 7);
    block.bytes.set(key, messageHeaderBytes + 16);
  }
  return block;
}

test('forged handles and requests reach no memory but what was granted, and disturb nobody else', async (t) => {
  t.timeout(120_000);
  let refused = 0;
  let closed = 0;
  await forSeeds(120, async (random) => {
    const simulation = new Simulation();
    const network = new SimulatedNetwork(simulation, random, { ...conditions, sharesMemory: random.chance(0.2) });
    const options = { requestTimeoutMs: 200, closeTimeoutMs: 200, keepaliveIdleMs: 300 };
    const [service, honest, hostile] = [1, 2, 3].map((id) => new SimulatedContext(id, network, options)) as [
      SimulatedContext,
      SimulatedContext,
      SimulatedContext,
    ];
    const server = await service.layer.listen('sim://owner', { onEvent: () => {} });
    // Pieces of one buffer, side by side: what is written beside a region hits a canary.
    const whole = service.pool.allocate(5 * 64);
    whole.bytes.fill(canary);
    const piece = (index: number) => whole.clone(index * 64, (index + 1) * 64);
    const secret = service.layer.exportRegion(piece(1), ['read', 'write', 'atomics']);
    const readable = service.layer.exportRegion(piece(2), ['read']);
    const writable = service.layer.exportRegion(piece(3), ['write', 'atomics']);
    secret.bytes.fill(0);
    const good = honest.layer.connect('sim://owner', { onEvent: () => {} }).connection;
    let bad = hostile.layer.connect('sim://owner', { onEvent: () => {} }).connection;
    await simulation.run(10_000);
    let own: RemoteRegion | undefined;
    void good.openRegion(secret.handle).then((region) => {
      own = region;
    });
    const openBoth = () => {
      for (const { handle } of [readable, writable]) bad.openRegion(handle).catch(() => {});
    };
    openBoth();
    await simulation.run(simulation.nowMicros + 10_000);
    let counted = 0;
    for (let step = 0; step < 40; step++) {
      const serviceEnd = server.sessions.find((one) => one.id === bad.session.id)?.connections[0];
      const wire = [...network.wires].find((one) => one.ends.some((end) => end.node === hostile));
      const link = wire?.ends.find((end) => end.node === service);
      if (link === undefined || !link.isOpen || serviceEnd === undefined) {
        closed++;
        bad = hostile.layer.connect('sim://owner', { onEvent: () => {} }).connection;
        bad.online.catch(() => {});
        await simulation.run(simulation.nowMicros + 5_000);
        openBoth();
      } else {
        const handle = random.pick([secret, readable, writable]).handle;
        const forged = {
          ...handle,
          key: secret.handle.key.replaceAll(/[0-9a-f]/g, (digit) => (digit === '0' ? '1' : '0')),
        };
        const block = makeRequest(random, serviceEnd, handle === secret.handle ? forged : handle);
        service.host.enterTurn();
        service.host.receiver.onRecord(link, block, 0, block.int32[0] as number);
        service.host.leaveTurn();
      }
      if (own === undefined) throw new Error('the honest client did not get its region');
      void own.fetchAdd(0, 1n).then((before) => {
        if (before !== BigInt(counted++)) throw new Error(`the honest client counted ${before}, not ${counted - 1}`);
      });
      await simulation.run(simulation.nowMicros + random.integer(500, 2000));
    }
    await simulation.run(simulation.nowMicros + 50_000);
    if (counted !== 40 || !good.isOnline) throw new Error(`the honest client was disturbed: counted=${counted}`);
    const bytes = whole.bytes;
    if (secret.bytes.readBigInt64LE() !== 40n || secret.bytes.subarray(8).some((byte) => byte !== 0)) {
      throw new Error('memory of a region was reached without its key');
    }
    for (const index of [0, 2, 4]) {
      if (bytes.subarray(index * 64, (index + 1) * 64).some((byte) => byte !== canary)) {
        throw new Error(`piece ${index} was written without the right to`);
      }
    }
    refused += readStatistics(service.statistics.memory).regionOperationsRefused;
    for (const context of [honest, hostile, service]) void context.layer.close();
    await simulation.run(simulation.nowMicros + 2_000_000);
    for (const region of [secret, readable, writable]) region.revoke();
    whole.release();
    for (const context of [service, honest]) {
      const { buffersHeld } = context.pool.statistics();
      if (buffersHeld > 0) throw new Error(`context ${context.id} is left with buffers=${buffersHeld}`);
      context.recycle();
    }
  });
  if (onlySeed === undefined) {
    t.true(refused > 300, `refused=${refused}`);
    t.true(closed > 30, `closed=${closed}`);
  } else t.pass();
});
