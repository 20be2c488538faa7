import test from 'ava';
import { HeddleError } from '../../src/errors.js';
import type { Message } from '../../src/runtime/message/message.js';
import {
  connectionWord,
  flagsShift,
  headerLengthShift,
  kindWord,
  MessageFlag,
  messageHeaderBytes,
  RecordKind,
  referenceWord,
  serialWord,
} from '../../src/runtime/message/message-layout.js';
import { readStatistics } from '../../src/runtime/observe/statistics.js';
import type { Connection } from '../../src/runtime/session/connection.js';
import type { SessionHandlers } from '../../src/runtime/session/handlers.js';
import type { ConnectionOptions } from '../../src/runtime/session/options.js';
import { MemoryBlock } from '../../src/transports/record.js';
import type { Link } from '../../src/transports/transport.js';
import { makeQuietPair } from './quiet-pair.js';
import type { SimulatedLink } from './simulated-network.js';

interface Arrived {
  readonly value: unknown;
  readonly more: boolean;
  readonly serial: number;
}

/** A client and a service, what arrived there, and how many messages each record of them held. */
async function makePair(
  options: Partial<ConnectionOptions> = {},
  onMessage: (message: Message, connection: Connection) => void = () => {},
) {
  const pair = makeQuietPair(options);
  const { simulation, service, client } = pair;
  const arrived: Arrived[] = [];
  const ends: Connection[] = [];
  const handlers: SessionHandlers = {
    onMessage: (message, connection) => {
      ends.push(connection);
      arrived.push({ value: message.value, more: message.more, serial: message.serial });
      onMessage(message, connection);
    },
  };
  await service.layer.listen('sim://service', handlers);
  const { connection } = client.layer.connect('sim://service', {});
  await simulation.run(100_000);
  const records: number[] = [];
  const { receiver } = service.host;
  const original = receiver.onRecord.bind(receiver);
  let lastLink: Link | undefined;
  receiver.onRecord = (link, block, start, length) => {
    lastLink = link;
    const kind = block.int32[(start >> 2) + kindWord] & 0xff;
    const messages = original(link, block, start, length);
    if (kind === RecordKind.oneWay) records.push(messages);
    return messages;
  };
  const settle = () => simulation.run(simulation.nowMicros + 100_000);
  return { ...pair, connection, arrived, records, settle, ends, link: () => lastLink };
}

test('the messages of a batch share a record, whatever they carry', async (t) => {
  const { connection, arrived, records, settle, service } = await makePair();
  const first = connection.outbound.nextSerial;
  const sent = ['bytes', { a: 1 }, 'text', Buffer.of(1, 2, 3), Buffer.alloc(0), 7, null, undefined, Buffer.alloc(8, 9)];
  for (const value of sent) connection.send(value, { more: true });
  connection.send('last');
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    [...sent, 'last'],
  );
  t.deepEqual(
    arrived.map((each) => each.more),
    [...sent.map(() => true), false],
  );
  t.deepEqual(
    arrived.map((each) => each.serial),
    arrived.map((_, index) => first + index),
  );
  t.deepEqual(records, [sent.length, 1], 'the last one, behind which nothing follows, has a record of its own');
  t.is(readStatistics(service.statistics.memory).oneWaysReceived, sent.length + 1);
});

test('what cannot go behind another message begins a record of its own', async (t) => {
  const { connection, arrived, records, settle } = await makePair();
  const long = Buffer.alloc(256, 1);
  const sent: [unknown, object?][] = [
    [Buffer.alloc(0)],
    ['behind an empty one, which nothing can follow'],
    ['behind a value'],
    [long],
    ['behind a long one'],
    ['with a header', { header: Buffer.from('h') }],
    ['behind a header'],
    ['in the same'],
  ];
  for (const [value, options] of sent) connection.send(value, { more: true, ...options });
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    sent.map(([value]) => value),
  );
  t.deepEqual(records, [1, 2, 2, 1, 2]);
});

test('a record holds no more than 64 messages, and what was published stays as it is', async (t) => {
  const { connection, arrived, records, settle } = await makePair({ receiveDepthMessages: 1000 });
  const before = connection.outbound.nextSerial & 63;
  for (let index = 0; index < 200; index++) connection.send(index, { more: true });
  connection.flush();
  connection.send('behind what was flushed', { more: true });
  await settle();
  t.is(arrived.length, 201);
  t.deepEqual(
    arrived.slice(0, 200).map((each) => each.value),
    Array.from({ length: 200 }, (_, index) => index),
  );
  const left = 200 - (64 - before);
  t.deepEqual(records, [64 - before, 64, 64, left - 128, 1]);
});

test('without credits for it a message of a batch waits, and the order stays', async (t) => {
  const { connection, arrived, settle } = await makePair({ receiveDepthMessages: 5, receiveDepthBytes: 1000 });
  for (let index = 0; index < 30; index++)
    connection.send(Buffer.alloc(index % 7 === 6 ? 900 : 50, index), { more: true });
  connection.send(Buffer.of(30));
  await settle();
  t.deepEqual(
    arrived.map((each) => (each.value as Buffer)[0]),
    Array.from({ length: 31 }, (_, index) => index),
  );
});

test('a value that cannot be encoded leaves the batch as it was', async (t) => {
  const { connection, arrived, records, settle } = await makePair();
  connection.send('before', { more: true });
  const unsendable = {
    get field() {
      throw new Error('no');
    },
  };
  t.throws(() => connection.send(unsendable, { more: true }), { message: /no/ });
  connection.send('x'.repeat(2000), { more: true });
  connection.send('behind one that did not fit', { more: true });
  t.throws(() => connection.send(() => {}, { more: true }), { code: 'ERR_HEDDLE_CODEC' });
  connection.send('last', { more: true });
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    ['before', 'x'.repeat(2000), 'behind one that did not fit', 'last'],
  );
  t.is(
    records.reduce((sum, each) => sum + each, 0),
    4,
  );
});

test('an encoder that publishes the batch, or sends, harms none of it', async (t) => {
  const { connection, arrived, settle } = await makePair();
  const withGetter = (get: () => void) => ({
    get field() {
      get();
      return 1;
    },
  });
  connection.send('before', { more: true });
  connection.send(
    withGetter(() => connection.flush()),
    { more: true },
  );
  connection.send('between', { more: true });
  t.throws(
    () =>
      connection.send(
        withGetter(() => connection.send('inside', { more: true })),
        { more: true },
      ),
    { code: 'ERR_HEDDLE_CODEC' },
  );
  connection.send('behind', { more: true });
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    ['before', { field: 1 }, 'between', 'behind'],
  );
});

test('raw bytes that an encoder sends are refused, and what waits for the encoder goes on behind it', async (t) => {
  const { connection, arrived, settle } = await makePair();
  connection.send(Buffer.of(1), { more: true });
  const sendsBytes = {
    get field() {
      connection.send(Buffer.of(2), { more: true });
      return 1;
    },
  };
  t.throws(() => connection.send(sendsBytes, { more: true }), { code: 'ERR_HEDDLE_CODEC' });
  const closes = {
    get field() {
      void connection.close();
      return 1;
    },
  };
  const before = connection.outbound.nextSerial;
  connection.send(closes, { more: true });
  t.is(connection.outbound.nextSerial, before + 2, 'the fin follows at once');
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    [Buffer.of(1), { field: 1 }],
  );
  t.is(connection.state, 'closed');
});

test('what is longer than goes in a record, by an option that has changed, does not go behind another', async (t) => {
  const { connection, arrived, records, settle, service } = await makePair();
  connection.send(Buffer.alloc(50, 1), { more: true });
  connection.setOptions({ inlineLimitBytes: 40 });
  connection.send(Buffer.alloc(50, 2), { more: true });
  connection.send(Buffer.alloc(40, 3), { more: true });
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    [Buffer.alloc(50, 1), Buffer.alloc(50, 2), Buffer.alloc(40, 3)],
  );
  t.is(records.length, 3);
  t.is(service.pool.statistics().buffersHeld, 0);
});

test('a batch of raw bytes takes no more credits than there are', async (t) => {
  const { connection, arrived, settle } = await makePair({ receiveDepthBytes: 100 }, (message) => {
    message.keep();
  });
  for (let index = 0; index < 5; index++) connection.send(Buffer.alloc(30, index), { more: true });
  t.is(connection.freeSendBytes, 10);
  t.is(connection.queuedMessages, 2);
  await settle();
  t.is(arrived.length, 3);
});

test('a batch takes no more credits than there are', async (t) => {
  const kept: Message[] = [];
  const { connection, settle } = await makePair({ receiveDepthMessages: 10, receiveDepthBytes: 100 }, (message) => {
    kept.push(message.keep());
  });
  for (let index = 0; index < 5; index++) {
    connection.send(Buffer.alloc(30, index), { more: true });
    connection.send('some text of thirty characters', { more: true });
    t.true(connection.freeSendBytes >= 0 && connection.freeSendMessages >= 0);
  }
  t.true(connection.queuedMessages >= 6);
  await settle();
  t.is(kept.length, 10 - connection.queuedMessages);
  while (kept.length > 0) {
    kept.pop()?.release();
    await settle();
    t.true(connection.freeSendBytes >= 0);
  }
  t.is(connection.queuedMessages, 0);
});

test('what lies in an open record counts among what was sent', async (t) => {
  const { connection, settle } = await makePair();
  const [messages, bytes] = [connection.freeSendMessages, connection.freeSendBytes];
  connection.send(Buffer.alloc(30), { more: true });
  connection.send(Buffer.alloc(20), { more: true });
  t.deepEqual([connection.freeSendMessages, connection.freeSendBytes], [messages - 2, bytes - 50]);
  connection.send(Buffer.alloc(10), { more: true });
  t.deepEqual([connection.freeSendMessages, connection.freeSendBytes], [messages - 3, bytes - 60]);
  connection.flush();
  t.deepEqual([connection.freeSendMessages, connection.freeSendBytes], [messages - 3, bytes - 60]);
  connection.send(Buffer.alloc(5));
  t.deepEqual([connection.freeSendMessages, connection.freeSendBytes], [messages - 4, bytes - 65]);
  await settle();
});

const runs = ['bytes', 'values', 'headers'].flatMap((what) => [5, 7, 11].map((length) => ({ what, length })));
for (const { what, length } of runs) {
  test(`batches of ${length} ${what} take no more messages than there are credits for`, async (t) => {
    const kept: Message[] = [];
    const { connection, arrived, settle } = await makePair({ receiveDepthMessages: 10 }, (message) => {
      kept.push(message.keep());
    });
    const send = (index: number): boolean => {
      const last = index % length === length - 1;
      if (what === 'values') return connection.send({ index }, { more: !last });
      const payload = Buffer.alloc(8, index);
      return connection.send(payload, what === 'headers' && last ? { header: Buffer.from('h') } : { more: !last });
    };
    for (let index = 0; index < 13; index++) {
      t.is(send(index), index < 10);
      t.is(connection.freeSendMessages, Math.max(0, 9 - index));
    }
    await settle();
    t.is(kept.length, 10);
    for (const message of kept) message.release();
    await settle();
    t.is(connection.queuedMessages, 0);
    t.is(arrived.length, 13);
    t.deepEqual(
      arrived.map((each) => each.serial - (arrived[0] as Arrived).serial),
      arrived.map((_, index) => index),
    );
  });
}

test('what is left of the credits for bytes is used by a batch, whatever room its frame has', async (t) => {
  const { connection, arrived, records, settle } = await makePair({ receiveDepthBytes: 400 });
  for (let index = 0; index < 15; index++) connection.send(Buffer.of(index), { more: true });
  t.is(connection.freeSendBytes, 385);
  await settle();
  t.is(arrived.length, 15);
  t.is(records.length, 1);
});

const overdrafts: [string, Partial<ConnectionOptions>, (index: number) => Buffer, number][] = [
  ['messages', { receiveDepthMessages: 4 }, (index) => Buffer.of(index), 5],
  ['bytes', { receiveDepthBytes: 100 }, (index) => Buffer.alloc(index === 0 ? 4 : 40, index), 3],
  ['bytes of one', { receiveDepthBytes: 100 }, (index) => Buffer.alloc(index === 2 ? 200 : 4), 2],
];
for (const [what, options, payload, taken] of overdrafts) {
  test(`a peer that sends more in a batch than its credits for ${what} is disconnected`, async (t) => {
    const { connection, arrived, settle } = await makePair(options, (message) => {
      if ((message.data[0] as number) > 0) message.keep();
    });
    const { posts } = connection.outbound.credits;
    posts.messages = 1000;
    posts.bytes = 100_000;
    for (let index = 0; index < 8; index++) connection.send(payload(index), { more: true });
    await settle();
    t.is(arrived.length, taken);
    t.is(connection.state, 'disconnected');
  });
}

test('the statistics of credits count what lies in an open record', async (t) => {
  const { connection, client, settle, ends } = await makePair({ receiveDepthMessages: 100 });
  connection.send('first');
  await settle();
  for (let index = 0; index < 30; index++) connection.send(index, { more: true });
  const block = new MemoryBlock(new ArrayBuffer(48));
  block.int32[0] = 48;
  block.int32[kindWord] = RecordKind.credit | (MessageFlag.credits << flagsShift);
  block.int32[connectionWord] = (ends[0] as Connection).outbound.remoteId;
  client.host.receiver.onRecord(connection.link as Link, block, 0, 48);
  t.is(readStatistics(client.statistics.memory).creditsInUseMessages, 31, 'the peer has told of none yet');
});

test('what waits while its link takes no records is not overtaken', async (t) => {
  const { connection, arrived, settle } = await makePair();
  const { outbound } = connection;
  outbound.wire.isBlocked = true;
  connection.send('first', { header: Buffer.from('h') });
  connection.send('second');
  outbound.wire.isBlocked = false;
  outbound.pump();
  connection.flush();
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    ['first', 'second'],
  );
});

test('a handler that ends the connection gets nothing more of the batch', async (t) => {
  const { connection, arrived, settle } = await makePair({}, (message, end) => {
    if (message.value === 2) end.destroy();
  });
  for (let index = 0; index < 6; index++) connection.send(index, { more: true });
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    [0, 1, 2],
  );
  t.is(connection.state, 'disconnected');
});

test('messages that are kept, and those that wait while reception is suspended, keep what they hold', async (t) => {
  const kept: Message[] = [];
  const { connection, arrived, settle, ends } = await makePair({}, (message, end) => {
    if (message.value === 'a' || message.value === 'c') kept.push(message.keep());
    if (message.value === 'd') end.suspendReception();
  });
  for (const value of ['a', 'b', 'c', 'd', 'e', 'f']) connection.send(value, { more: true });
  connection.send('g');
  await settle();
  t.deepEqual(
    arrived.map((each) => each.value),
    ['a', 'b', 'c', 'd'],
  );
  t.is(ends[0].heldMessages, 3);
  ends[0].resumeReception();
  t.deepEqual(
    arrived.map((each) => each.value),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
  );
  t.deepEqual(
    kept.map((message) => [message.value, message.serial]),
    [
      ['a', arrived[0].serial],
      ['c', arrived[2].serial],
    ],
  );
  for (const message of kept) message.release();
  for (let index = 0; index < 500; index++) connection.send(index, { more: true });
  await settle();
  t.is(arrived.length, 507, 'all credits have come back');
});

test('each message of a batch gives its credits back once, whatever its handler does with it', async (t) => {
  const kept: Message[] = [];
  const { connection, arrived, settle, ends, service } = await makePair({}, (message, end) => {
    if (message.value === 'keep') kept.push(message.keep());
    else if (message.value === 'release') message.release();
    else if (message.value === 'keep and release') message.keep().release();
    else if (message.value === 'take') message.takeBuffer();
    else if (message.value === 'answer') end.send('an answer', { more: true });
    else if (message.value === 'throw') throw new Error('as it was told to');
  });
  const sent = [
    'read',
    'keep',
    'read',
    'release',
    'keep and release',
    'take',
    'answer',
    'throw',
    'read',
    'keep',
    'read',
  ];
  for (const value of sent) connection.send(value, { more: true });
  await settle();
  const { posts } = (ends[0] as Connection).inbound.ledger;
  t.is(arrived.length, sent.length);
  t.deepEqual([posts.heldMessages, posts.releasedMessages], [2, sent.length - 2]);
  for (const message of kept) message.release();
  t.deepEqual([posts.heldMessages, posts.heldBytes, posts.releasedMessages], [0, 0, sent.length]);
  const { oneWaysSent, bytesSent } = readStatistics(connection.host.statistics.memory);
  const { oneWaysReceived, bytesReceived } = readStatistics(service.statistics.memory);
  t.is(oneWaysReceived, sent.length);
  t.deepEqual([oneWaysSent, bytesSent], [oneWaysReceived, bytesReceived]);
  t.is(posts.releasedBytes, bytesReceived);
});

test('of a batch that is kept as a whole nothing is announced to a peer that waits for credits', async (t) => {
  let kept = 0;
  const { connection, settle, ends } = await makePair({}, (message) => {
    message.keep();
    kept++;
  });
  connection.send('first');
  await settle();
  const { ledger } = (ends[0] as Connection).inbound;
  ledger.isPeerWaiting = true;
  for (let index = 0; index < 5; index++) connection.send(index, { more: true });
  await settle();
  t.is(kept, 6);
  t.true(ledger.isPeerWaiting, 'there was nothing to tell');
});

test('what was in a batch when its link was lost has been counted as any other message is', async (t) => {
  const { connection, settle, client, arrived } = await makePair();
  for (let index = 0; index < 5; index++) connection.send(index, { more: true });
  (connection.link as SimulatedLink).end(new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the link is lost'));
  await settle();
  t.is(readStatistics(client.statistics.memory).oneWaysSent, 5);
  t.is(arrived.length, 0);
});

const brokenRecords: [string, (int32: Int32Array) => void][] = [
  ['a first message that is longer than the record', (int32) => (int32[referenceWord] = 1000)],
  ['a first message of less than nothing', (int32) => (int32[referenceWord] = -8)],
  ['a flag that a batch cannot have', (int32) => (int32[kindWord] |= MessageFlag.receipt << flagsShift)],
  ['a first message that says nothing follows', (int32) => (int32[kindWord] &= ~(MessageFlag.more << flagsShift))],
  ['a header', (int32) => (int32[kindWord] |= 8 << headerLengthShift)],
  ['an appended message that is longer than what is left', (int32) => (int32[8] = 9)],
  ['an appended message of less than nothing', (int32) => (int32[8] = -1)],
  ['an appended message that is longer than any', (int32) => (int32[8] = 2 ** 31 - 1)],
  ['an appended flag that is unknown', (int32) => (int32[9] = 1)],
  ['half of what stands before an appended message', (int32) => (int32[0] -= 12)],
];

for (const [what, breakIt] of brokenRecords) {
  test(`a batch with ${what} closes its link`, async (t) => {
    const { connection, arrived, settle, service, link } = await makePair();
    connection.send(Buffer.alloc(8, 1));
    await settle();
    const serviceLink = link();
    if (serviceLink === undefined) throw new Error('nothing has come');
    const block = new MemoryBlock(new ArrayBuffer(48));
    block.int32[0] = messageHeaderBytes + 8 + 8 + 8;
    block.int32[kindWord] = RecordKind.oneWay | (MessageFlag.more << flagsShift);
    block.int32[connectionWord] = connection.outbound.remoteId;
    block.int32[serialWord] = connection.outbound.nextSerial;
    block.int32[referenceWord] = 8;
    block.int32[8] = 8;
    const whole = block.int32.slice();
    t.is(service.host.receiver.onRecord(serviceLink, block, 0, whole[0]), 2, 'it is whole as it is');
    t.is(arrived.length, 3);
    block.int32[serialWord] += 2;
    breakIt(block.int32);
    service.host.receiver.onRecord(serviceLink, block, 0, block.int32[0]);
    t.false(serviceLink.isOpen);
    t.true(arrived.length <= 4, 'at the most what came before the fault');
    await settle();
    t.is(connection.endError?.code, 'ERR_HEDDLE_DISCONNECTED');
  });
}
