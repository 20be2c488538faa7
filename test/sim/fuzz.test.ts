import test from 'ava';
import { errorCodes, HeddleError } from '../../src/errors.js';
import { messageHeaderBytes, RecordKind } from '../../src/runtime/message/message-layout.js';
import { readStatistics } from '../../src/runtime/observe/statistics.js';
import type { Connection } from '../../src/runtime/session/connection.js';
import { readSetupBody, type SetupBody, writeSetupBody } from '../../src/runtime/session/setup-body.js';
import { MemoryBlock } from '../../src/transports/record.js';
import type { Random } from './random.js';
import { forSeeds, onlySeed } from './seeds.js';
import { Simulation } from './simulated-clock.js';
import { SimulatedContext } from './simulated-context.js';
import { type NetworkConditions, quietConditions, SimulatedNetwork } from './simulated-network.js';

function flipBits(bytes: Uint8Array, random: Random): void {
  for (let flips = random.integer(1, 6); flips > 0 && bytes.length > 0; flips--) {
    const at = random.integer(0, bytes.length - 1);
    bytes[at] = (bytes[at] as number) ^ (1 << random.integer(0, 7));
  }
}

function requireCoded(error: unknown): void {
  if (!(error instanceof HeddleError) || !(error.code in errorCodes)) throw new Error(`not coded: ${String(error)}`);
}

const wholeBody: SetupBody = {
  sessionId: 'b'.repeat(32),
  token: 'c'.repeat(64),
  uri: 'sim://service-1',
  context: 'd'.repeat(16),
  index: 3,
  connectionId: 5,
  peerConnectionId: 1_048_577,
  receiveDepthMessages: 100,
  receiveDepthBytes: 100_000,
  initialSerial: 1,
  resumable: true,
  codec: 'compact',
  expectedSerial: -7,
  released: [1, 2, 3, 4],
  portals: ['sim://one', 'sim://two'],
  services: ['sim://three'],
  reason: 'because',
};

/** Values that a field might have in a record of a peer that means no good. */
const oddValues: readonly unknown[] = [
  null,
  -1,
  0,
  1.5,
  1e300,
  2 ** 31,
  -(2 ** 31),
  '',
  'x'.repeat(5000),
  true,
  [],
  {},
  [1, 2, 3],
  [1, 2, 3, 4.5],
  [null],
  new Array(100).fill('sim://many'),
  { __proto__: { toString: 1 } },
];

test('a setup body that was written reads as it was', (t) => {
  const privateData = Buffer.from('private');
  t.deepEqual(readSetupBody(writeSetupBody(wholeBody, privateData)), { body: wholeBody, privateData });
  const least = readSetupBody(writeSetupBody({ sessionId: 'a' }, undefined));
  t.is(least.body.sessionId, 'a');
  t.is(least.privateData.length, 0);
});

test('a setup body that does not parse throws ERR_HEDDLE_MALFORMED and nothing else', async (t) => {
  let refused = 0;
  await forSeeds(20_000, (random) => {
    let data: Buffer;
    switch (random.integer(0, 3)) {
      case 0: {
        data = writeSetupBody(wholeBody, Buffer.alloc(random.integer(0, 100)));
        flipBits(data, random);
        break;
      }
      case 1: {
        const whole = writeSetupBody(wholeBody, Buffer.alloc(random.integer(0, 5000)));
        data = whole.subarray(0, random.integer(0, whole.length));
        break;
      }
      case 2: {
        const fields = { ...wholeBody, [random.pick(Object.keys(wholeBody))]: random.pick(oddValues) };
        const text = Buffer.from(JSON.stringify(fields));
        data = Buffer.alloc(4 + text.length);
        data.writeUInt32LE(text.length, 0);
        text.copy(data, 4);
        break;
      }
      default:
        data = Buffer.from(Array.from({ length: random.integer(0, 64) }, () => random.integer(0, 255)));
    }
    try {
      const { body } = readSetupBody(data);
      if (typeof body.sessionId !== 'string' || body.sessionId === '') throw new Error('a body without a session');
    } catch (error) {
      requireCoded(error);
      if ((error as HeddleError).code !== 'ERR_HEDDLE_MALFORMED') throw error;
      refused++;
    }
  });
  t.true(refused > 1000 || onlySeed !== undefined);
});

const conditions: NetworkConditions = { ...quietConditions, maximumDelayMicros: 50 };

/** A service, a client that behaves, and one that does not. */
async function makeRoom(random: Random, changes: Partial<NetworkConditions>) {
  const simulation = new Simulation();
  const network = new SimulatedNetwork(simulation, random, { ...conditions, ...changes });
  const options = {
    inlineLimitBytes: 200,
    receiveDepthBytes: 100_000,
    requestTimeoutMs: 200,
    closeTimeoutMs: 200,
    connectTimeoutMs: 500,
    keepaliveIdleMs: 300,
    keepaliveIntervalMs: 100,
    reconnectTimeoutMs: random.pick([0, 50]),
  };
  const [service, honest, hostile] = [1, 2, 3].map((id) => new SimulatedContext(id, network, options)) as [
    SimulatedContext,
    SimulatedContext,
    SimulatedContext,
  ];
  network.isCorrupt = (sender) => sender === hostile;
  network.misbehaves = false;
  let served = 0;
  const ended: HeddleError[] = [];
  const kept: (() => void)[] = [];
  const server = await service.layer.listen('sim://service-1', {
    onRequest: (message) => {
      served++;
      if (message.length % 3 === 0) {
        message.keep();
        kept.push(() => {
          if (!message.isAnswered) message.respond(Buffer.alloc(300));
        });
        return undefined;
      }
      return Buffer.from(message.data);
    },
    onMessage: (message, connection) => {
      // The hostile side's connection answers a little too, so that its credits and serials are at work.
      if (connection.session.peerPrivateData.length > 0) connection.send(Buffer.alloc(50));
      void message.more;
    },
    onEvent: (event) => {
      if (event.type === 'connection-error' || event.type === 'connection-disconnected') ended.push(event.error);
    },
  });
  const connect = (context: SimulatedContext, privateData: Buffer) =>
    context.layer.connect('sim://service-1', { privateData, onRequest: () => 'yes', onEvent: () => {} }).connection;
  const good = connect(honest, Buffer.alloc(0));
  const bad = connect(hostile, Buffer.from('hostile'));
  await simulation.run(5_000);
  if (!good.isOnline || !bad.isOnline) throw new Error('the room does not come up');
  const answers: { sent: number; right: number; wrong: string[] } = { sent: 0, right: 0, wrong: [] };
  const ask = (size: number) => {
    answers.sent++;
    const question = Buffer.alloc(size, size);
    good.request(question).then(
      (response) => {
        const expected = size % 3 === 0 ? Buffer.alloc(300) : question;
        if (response.data.equals(expected)) answers.right++;
        else answers.wrong.push(`an answer of ${response.length} bytes to ${size}`);
        response.release();
      },
      (error) => answers.wrong.push(String(error)),
    );
  };
  const answerKept = () => {
    for (const answer of kept.splice(0)) answer();
  };
  /** The honest client had all its answers, the errors were coded, and nothing is left when all is closed. */
  const check = async () => {
    network.misbehaves = false;
    answerKept();
    await simulation.run(simulation.nowMicros + 100_000);
    answerKept();
    if (!good.isOnline) throw new Error(`the honest client was disturbed: ${String(good.endError?.stack)}`);
    await simulation.run(simulation.nowMicros + 1_000_000);
    if (answers.right !== answers.sent) throw new Error(`of ${answers.sent} answers: ${answers.wrong.join()}`);
    for (const error of ended) requireCoded(error);
    for (const context of [honest, hostile, service]) void context.layer.close();
    await simulation.run(simulation.nowMicros + 3_000_000);
    for (const context of [honest, hostile, service]) {
      const { buffersHeld } = context.pool.statistics();
      const { connectionCount, pending } = context.layer;
      if (buffersHeld + connectionCount + pending.count > 0) {
        throw new Error(
          `context ${context.id} is left with buffers=${buffersHeld} connections=${connectionCount} requests=${pending.count}`,
        );
      }
      const untyped = context.reports.find((report) => !(report.code in errorCodes));
      if (untyped !== undefined) throw untyped;
      context.recycle();
    }
  };
  /** The service's end of a session's connection. */
  const serviceEnd = (sessionId: string) => server.sessions.find((one) => one.id === sessionId)?.connections[0];
  return {
    simulation,
    network,
    service,
    serviceEnd,
    honest,
    hostile,
    good,
    bad,
    ask,
    answerKept,
    check,
    served: () => served,
  };
}

/** Sends of every kind, on a connection that may be over by now. */
function sendSomething(connection: Connection, random: Random): void {
  try {
    const size = random.pick([0, 3, 40, 500, 5000]);
    const data = Buffer.alloc(size, 7);
    switch (random.integer(0, 4)) {
      case 0:
        connection.send(data, { more: random.chance(0.5) });
        break;
      case 1:
        connection.send({ data }, { onReceipt: () => {}, header: Buffer.alloc(random.integer(0, 20)) });
        break;
      case 2:
        connection.request(data).then(
          (response) => response.release(),
          () => {},
        );
        break;
      case 3: {
        const requestId = connection.requestWith(data, { onResponse: () => {}, onError: () => {} });
        void connection.cancel(requestId);
        break;
      }
      default:
        void connection.close();
    }
  } catch (error) {
    requireCoded(error);
  }
}

test('streams with flipped bits close their own link and disturb nobody else', async (t) => {
  t.timeout(120_000);
  let disturbed = 0;
  await forSeeds(300, async (random) => {
    const room = await makeRoom(random, { corruptChance: 0.2, sharesMemory: random.chance(0.3) });
    room.network.misbehaves = true;
    for (let step = 0; step < 30; step++) {
      sendSomething(room.bad, random);
      room.ask(random.integer(1, 1000));
      if (random.chance(0.3)) room.answerKept();
      if (room.bad.state === 'closed' || room.bad.state === 'disconnected' || room.bad.state === 'error') {
        disturbed++;
        const again = room.hostile.layer.connect('sim://service-1', { privateData: Buffer.from('again') });
        again.connection.online.catch(() => {});
        room.bad = again.connection;
      }
      await room.simulation.run(room.simulation.nowMicros + random.integer(0, 2000));
    }
    await room.check();
  });
  t.true(disturbed > 100 || onlySeed !== undefined);
});

const allKinds = [...Object.values(RecordKind), 0, 15, 31, 42, 99, 255];
const oddNumbers = [0, 1, -1, 2, 7, 24, 1000, 2 ** 20, 2 ** 31 - 1, -(2 ** 31), 0x7ff00001];

/** A record of a kind of its own, whose fields are near to what they should be, or far. */
function makeRecord(random: Random, connection: Connection | undefined): MemoryBlock {
  const kind = random.pick(allKinds);
  const isSetup = kind >= RecordKind.sessionSetup && kind <= RecordKind.resumed;
  const body = isSetup
    ? writeSetupBody(
        {
          ...wholeBody,
          sessionId: random.chance(0.7) ? (connection?.session.id ?? 'x') : 'y',
          [random.pick(Object.keys(wholeBody))]: random.pick([...oddNumbers, undefined, connection?.id, 'compact']),
        } as SetupBody,
        undefined,
      )
    : Buffer.from(Array.from({ length: random.pick([0, 8, 24, 48, 100]) }, () => random.pick([0, 0, 1, 5, 255])));
  const length = messageHeaderBytes + body.length;
  const block = new MemoryBlock(new ArrayBuffer((length + 7) & ~7));
  const flags = random.chance(0.5) ? 0 : random.integer(0, 255);
  const headerLength = random.chance(0.7) ? 0 : random.integer(0, 65_535);
  const serial = connection === undefined ? 0 : connection.inbound.expectedSerial;
  block.int32[0] = length;
  block.int32[1] = kind | (flags << 8) | (headerLength << 16);
  block.int32[2] = random.chance(0.9) && connection !== undefined ? connection.id : random.pick(oddNumbers);
  block.int32[3] = random.chance(0.9) ? serial : random.pick(oddNumbers);
  block.int32[4] = random.pick(oddNumbers);
  block.int32[5] = random.pick([0, 0, 1, -1]);
  block.bytes.set(body, messageHeaderBytes);
  if (kind === RecordKind.oneWay && body.length >= 24 && random.chance(0.7)) makeBatch(block, random);
  return block;
}

/** Makes nearly a batch of a one-way record: messages of odd lengths and flags behind the first one. */
function makeBatch(block: MemoryBlock, random: Random): void {
  const oddLengths = [0, 1, 7, 8, 9, 16, 2 ** 31 - 1, -1];
  block.int32[1] = RecordKind.oneWay | (random.pick([1, 5, 1, 5, 0, 3, 17, 65]) << 8);
  block.int32[4] = random.pick([1, 8, 1, 8, ...oddLengths]);
  for (let at = 32; at + 8 <= block.bytes.length; at += random.pick([8, 16])) {
    block.int32[at >> 2] = random.pick([0, 1, 8, ...oddLengths]);
    block.int32[(at >> 2) + 1] = random.pick([0, 0, 4, 4, 1, -1]);
  }
  block.int32[0] -= random.integer(0, 7);
}

test('records of every kind with odd fields close their own link and disturb nobody else', async (t) => {
  t.timeout(120_000);
  let closed = 0;
  let counted = 0;
  const kindsSeen = new Set<number>();
  await forSeeds(300, async (random) => {
    const room = await makeRoom(random, { sharesMemory: random.chance(0.3) });
    for (let step = 0; step < 20; step++) {
      const target = random.chance(0.7) ? room.service : room.hostile;
      const wire = [...room.network.wires].find((one) => one.ends.some((end) => end.node === room.hostile));
      const link = wire?.ends.find((end) => end.node === target);
      if (link === undefined || !link.isOpen) {
        closed++;
        const again = room.hostile.layer.connect('sim://service-1', { privateData: Buffer.from('again') });
        again.connection.online.catch(() => {});
        room.bad = again.connection;
      } else {
        const near = target === room.hostile ? room.bad : room.serviceEnd(room.bad.session.id);
        const block = makeRecord(random, near);
        kindsSeen.add((block.int32[1] as number) & 0xff);
        const { receiver } = target.host;
        target.host.enterTurn();
        receiver.onRecord(link, block, 0, block.int32[0] as number);
        target.host.leaveTurn();
      }
      if (random.chance(0.3)) sendSomething(room.bad, random);
      room.ask(random.integer(1, 1000));
      room.answerKept();
      await room.simulation.run(room.simulation.nowMicros + random.integer(0, 2000));
    }
    for (const { statistics } of [room.service, room.hostile]) {
      counted += readStatistics(statistics.memory).malformedRecords;
    }
    await room.check();
  });
  if (onlySeed !== undefined) {
    t.pass();
    return;
  }
  t.true(closed > 300);
  t.true(counted > 300);
  for (const kind of Object.values(RecordKind)) t.true(kindsSeen.has(kind), `kind ${kind}`);
});
