/**
 * Run by the verbs lab in each of two guests: guest 0 serves, guest 1 asks and looks at what comes. Any two hosts will do:
 * GUEST is 0 or 1, IP this host's address, PEER the other one's, INTERFACE where guest 0 lets nothing out for a
 * while, and NETEM how it treats packets otherwise.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Connection, type Context, createNode, HeddleError, type RegionHandle } from '../../src/index.js';

const { GUEST, IP, PEER, INTERFACE = 'eth0', NETEM = '' } = process.env;
const servicePort = 7000;
const controlPort = 7999;
const serviceUri = `rdma://${GUEST === '0' ? IP : PEER}:${servicePort}`;
/** Of an emulated machine nothing is quick: a peer that works must not be taken for a silent one. */
const keepalive = { keepaliveIdleMs: 3000, keepaliveIntervalMs: 1000, keepaliveProbes: 3 };
const mebibyte = 1024 * 1024;

/** What guest 1 asks of guest 0, beside the service: by a socket of its own. */
type Command = 'start' | 'kill' | 'silence' | 'end';

// ---- guest 0

/** The service: a process of its own, that can be killed. */
async function serve(): Promise<void> {
  const { context } = createNode();
  const region = context.exportRegion(context.allocate(mebibyte), { rights: ['read', 'write', 'atomics'] });
  region.bytes.fill(0);
  let received = 0;
  let isInOrder = true;
  const server = await context.listen(serviceUri, {
    options: { ...keepalive, reconnectTimeoutMs: 60_000 },
    onMessage: (message) => {
      if (message.data.readInt32LE(0) !== received++) isInOrder = false;
    },
    onRequest: (message) => {
      const question = message.value as unknown;
      if (question === 'region') return region.handle;
      if (question === 'order') return { received, isInOrder };
      if (question === 'never') {
        message.keep();
        return undefined;
      }
      return message.value;
    },
  });
  console.log(`listening ${server.uri}`);
}

/** What becomes of the packets that leave. */
function traffic(...discipline: string[]): void {
  execFileSync('tc', ['qdisc', 'replace', 'dev', INTERFACE, 'root', ...discipline]);
}

/** Does what guest 1 asks for, until it says that this is all. */
async function supervise(): Promise<void> {
  let service: ChildProcess | undefined;
  const commands: Record<Command, () => Promise<void>> = {
    start: async () => {
      service = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      for await (const line of createInterface(service.stdout!)) if (line.startsWith('listening')) return;
      throw new Error('the service does not start');
    },
    kill: async () => {
      const exited = once(service!, 'exit');
      service!.kill('SIGKILL');
      await exited;
    },
    // No FIN, no RST, no packet leaves: as if the host had lost its power, for longer than keepalive waits.
    silence: async () => {
      setTimeout(() => traffic('netem', 'loss', '100%'), 500);
      setTimeout(
        () => (NETEM === '' ? traffic('pfifo') : traffic('netem', 'limit', '10000', ...NETEM.split(' '))),
        12_000,
      );
    },
    end: async () => {
      service?.kill('SIGKILL');
      setTimeout(() => process.exit(0), 500);
    },
  };
  const control = createServer(async (socket) => {
    for await (const line of createInterface(socket)) {
      await commands[line as Command]();
      socket.write('done\n');
    }
  });
  control.listen(controlPort, IP);
  await once(control, 'listening');
}

// ---- guest 1

async function openControl(): Promise<(command: Command) => Promise<void>> {
  let socket: Socket | undefined;
  for (let tries = 0; socket === undefined; tries++) {
    const candidate = connectSocket(controlPort, PEER);
    try {
      await once(candidate, 'connect');
      socket = candidate;
    } catch (error) {
      if (tries === 120) throw error;
      await delay(500);
    }
  }
  const lines = createInterface(socket)[Symbol.asyncIterator]();
  return async (command) => {
    socket.write(`${command}\n`);
    const { done } = await lines.next();
    assert.ok(!done || command === 'end', `guest 0 does not answer to ${command}`);
  };
}

async function check(name: string, body: () => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  await body();
  console.log(`  ✔ ${name} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
}

/** A connection and the events of its session, by their types. */
async function open(context: Context, reconnectTimeoutMs = 0): Promise<{ connection: Connection; events: string[] }> {
  const events: string[] = [];
  const connection = await context.connect(serviceUri, {
    options: { ...keepalive, reconnectTimeoutMs, connectTimeoutMs: 30_000, requestTimeoutMs: 60_000 },
    onEvent: ({ type }) => events.push(type),
  });
  return { connection, events };
}

/** Every promise rejects with a coded error; returns the codes. */
async function codesOf(promises: readonly Promise<unknown>[]): Promise<Set<string>> {
  const codes = new Set<string>();
  for (const end of await Promise.allSettled(promises)) {
    assert.equal(end.status, 'rejected');
    const { reason } = end as PromiseRejectedResult;
    assert.ok(reason instanceof HeddleError, String(reason));
    codes.add(reason.code);
  }
  return codes;
}

async function ask(): Promise<void> {
  const node = createNode();
  const { context } = node;
  const control = await openControl();
  await control('start');

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
  await check('a region is read, written and counted in', async () => {
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
    console.log(`    by way of ${region.way}`);
    region.close();
  });
  await connection.close();

  await check('a peer that is killed: all settles, the events come in order, and a new one is reached', async () => {
    const { connection, events } = await open(context);
    const handle = (await connection.request('region')).value as RegionHandle;
    const region = await connection.openRegion(handle);
    const waiting = [connection.request('never'), connection.request('never')];
    const settled = codesOf(waiting);
    await control('kill');
    assert.deepEqual([...(await settled)], ['ERR_HEDDLE_FLUSHED']);
    await connection.ended;
    assert.deepEqual((await codesOf([region.read(0, 1)])).size, 1);
    const end = ['connection-disconnected', 'connection-teardown', 'session-teardown'];
    assert.deepEqual(
      events.filter((type) => end.includes(type)),
      end,
    );
    await control('start');
    const again = await open(context);
    assert.equal((await again.connection.request('back')).value, 'back');
    await again.connection.close();
  });

  await check(
    'a host that falls silent: keepalive ends what waits, and a connection that may come back does',
    async () => {
      const lost = await open(context);
      const kept = await open(context, 120_000);
      assert.equal((await kept.connection.request('before')).value, 'before');
      await control('silence');
      assert.deepEqual([...(await codesOf([lost.connection.request('never')]))], ['ERR_HEDDLE_FLUSHED']);
      await lost.connection.ended;
      assert.ok(lost.events.includes('connection-disconnected'));
      assert.equal((await kept.connection.request('after', { timeoutMs: 120_000 })).value, 'after');
      assert.ok(kept.events.includes('connection-reconnected'), kept.events.join());
      await kept.connection.close();
    },
  );

  await control('end');
  await node.close();
  assert.equal(context.memory.buffersHeld, 0);
}

if (process.argv[2] === 'serve') await serve();
else if (GUEST === '0') await supervise();
else await ask();
