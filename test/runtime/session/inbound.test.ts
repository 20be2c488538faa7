import test from 'ava';
import type { HeddleError } from '../../../src/errors.js';
import type { Message } from '../../../src/runtime/message/message.js';
import {
  appendedHeaderBytes,
  connectionWord,
  descriptorBytes,
  descriptorOfTransfer,
  flagsShift,
  MessageFlag,
  messageHeaderBytes,
  RecordKind,
  serialWord,
} from '../../../src/runtime/message/message-layout.js';
import { readStatistics } from '../../../src/runtime/observe/statistics.js';
import { CreditPurse, ReleaseLedger } from '../../../src/runtime/session/credits.js';
import type { CreditTarget, InboundOwner } from '../../../src/runtime/session/delivery.js';
import { Inbound } from '../../../src/runtime/session/inbound.js';
import { alignedRecordBytes, MemoryBlock } from '../../../src/transports/record.js';
import type { Link } from '../../../src/transports/transport.js';
import { Random } from '../../sim/random.js';
import { Simulation } from '../../sim/simulated-clock.js';
import { SimulatedContext } from '../../sim/simulated-context.js';
import { quietConditions, SimulatedNetwork } from '../../sim/simulated-network.js';

/** The receiving half of a connection, alone: what it is given, and what it hands on. */
function makeInbound(onMessage: (message: Message) => void = () => {}) {
  const network = new SimulatedNetwork(new Simulation(), new Random(1), quietConditions);
  const host = new SimulatedContext(1, network, {}).layer;
  const delivered: string[] = [];
  const reads: [number, number][] = [];
  const ledger = new ReleaseLedger(4, 1000);
  const service = {
    onOneWay: (message: Message) => {
      delivered.push(message.data.toString());
      onMessage(message);
    },
    onAppended: (message: Message) => {
      service.onOneWay(message);
      return message.isFresh;
    },
    onRead: (messages: number, bytes: number) => reads.push([messages, bytes]),
    assignBuffer: () => undefined,
  };
  const outbound: CreditTarget = {
    credits: new CreditPurse(4, 1000),
    freeMessages: 4,
    freeBytes: 1000,
    retransmitter: undefined,
    isOnline: true,
    expectedSerial: 1,
    announceCredits: () => {},
  };
  const closes: unknown[] = [];
  const transfers = new Map<number, { target: Uint8Array; onDone: (error?: HeddleError) => void }>();
  const buffers = {
    receive: (transfer: number, target: Uint8Array, onDone: () => void) => transfers.set(transfer, { target, onDone }),
  };
  const link = { sharesMemory: false, buffers, close: (error: unknown) => closes.push(error) } as unknown as Link;
  const inbound = new Inbound({ host, service, onCredits: () => {} } as unknown as InboundOwner, ledger, outbound);
  inbound.expectedSerial = 1;
  const receive = (serial: number, text: string, flags = 0) => {
    const block = new MemoryBlock(new ArrayBuffer(256));
    const length = messageHeaderBytes + text.length;
    block.int32[0] = length;
    block.int32[1] = RecordKind.oneWay | (flags << flagsShift);
    block.int32[connectionWord] = 1;
    block.int32[serialWord] = serial;
    block.bytes.write(text, messageHeaderBytes);
    inbound.receive(link, RecordKind.oneWay, block, 0, length);
  };
  /** One-way messages that share a record. */
  const receiveBatch = (serial: number, texts: readonly string[]) => {
    const block = new MemoryBlock(new ArrayBuffer(1024));
    const { int32, bytes } = block;
    int32.set([0, RecordKind.oneWay | (MessageFlag.more << flagsShift), 1, serial, texts[0].length, 0]);
    let at = messageHeaderBytes;
    for (const [index, text] of texts.entries()) {
      if (index > 0) {
        int32[at >> 2] = text.length;
        at += appendedHeaderBytes;
      }
      bytes.write(text, at);
      at = alignedRecordBytes(at + text.length);
    }
    int32[0] = at;
    const messages = inbound.receive(link, RecordKind.oneWay, block, 0, at);
    // As the ring does, sooner or later.
    bytes.fill(0xee);
    return messages;
  };
  /** The record of a large message: its data goes beside the records, by `transfer`, or follows in fragments. */
  const receiveLarge = (serial: number, lengthBytes: number, transfer?: number) => {
    const block = new MemoryBlock(new ArrayBuffer(messageHeaderBytes + descriptorBytes));
    const how = transfer === undefined ? 0 : descriptorOfTransfer;
    const kindAndFlags = RecordKind.oneWay | (MessageFlag.large << flagsShift);
    block.int32.set([block.bytes.length, kindAndFlags, 1, serial, 0, 0, lengthBytes, transfer ?? 0, 0, 0, 0, how]);
    inbound.receive(link, RecordKind.oneWay, block, 0, block.bytes.length);
  };
  const receiveFragment = (serial: number, offset: number, text: string) => {
    const block = new MemoryBlock(new ArrayBuffer(256));
    const length = messageHeaderBytes + text.length;
    block.int32.set([length, RecordKind.fragment, 1, serial, offset, 0]);
    block.bytes.write(text, messageHeaderBytes);
    inbound.receive(link, RecordKind.fragment, block, 0, length);
  };
  return {
    inbound,
    outbound,
    delivered,
    reads,
    receive,
    receiveBatch,
    receiveLarge,
    receiveFragment,
    transfers,
    host,
    ledger,
  };
}

test('a record that was delivered before is suppressed, and counted', (t) => {
  const { inbound, outbound, delivered, receive, host } = makeInbound();
  receive(1, 'one');
  receive(2, 'two');
  for (const [serial, text] of [
    [1, 'one'],
    [2, 'two'],
    [2, 'two'],
    [-5, 'long ago'],
  ] as const)
    receive(serial, text);
  receive(3, 'three');
  t.deepEqual(delivered, ['one', 'two', 'three']);
  t.is(readStatistics(host.statistics.memory).duplicatesSuppressed, 4);
  t.is(inbound.expectedSerial, 4);
  t.is(outbound.expectedSerial, 4);
});

test('serial numbers go on past the greatest, and what was before them is before', (t) => {
  const { inbound, delivered, receive } = makeInbound();
  inbound.expectedSerial = 2 ** 31 - 1;
  receive(2 ** 31 - 1, 'last');
  receive(-(2 ** 31), 'first');
  receive(2 ** 31 - 1, 'last');
  t.deepEqual(delivered, ['last', 'first']);
});

test('a serial number that skips others is a fault of the peer, and delivers nothing', (t) => {
  const { delivered, receive } = makeInbound();
  receive(1, 'one');
  t.throws(() => receive(3, 'three'), { code: 'ERR_HEDDLE_PROTOCOL', message: /expected=2 got=3/ });
  t.deepEqual(delivered, ['one']);
});

test('a message that its sender had no credits for is a fault of the peer', (t) => {
  const { delivered, receive, ledger } = makeInbound();
  ledger.hold(ledger.posts, 999);
  receive(1, '1');
  t.throws(() => receive(2, '22'), { code: 'ERR_HEDDLE_PROTOCOL', message: /more than its credits/ });
  t.deepEqual(delivered, ['1']);
});

test('credits that say more than was sent are a fault of the peer', (t) => {
  const { receive } = makeInbound();
  const counters = Buffer.alloc(24);
  counters.writeInt32LE(5, 0);
  t.throws(() => receive(1, counters.toString('latin1'), MessageFlag.credits), { code: 'ERR_HEDDLE_PROTOCOL' });
  t.throws(() => receive(2, 'short', MessageFlag.credits), { code: 'ERR_HEDDLE_MALFORMED' });
});

test('messages that share a record have serial numbers one after another, whatever their handlers do to them', (t) => {
  const seen: [number, string, boolean, number][] = [];
  const { delivered, receive, receiveBatch, inbound, outbound } = makeInbound((message) => {
    seen.push([message.serial, message.kind, message.more, message.reference]);
    Object.assign(message, { serial: 100, kind: 'response', more: false, reference: 9, length: 1 });
  });
  t.is(receiveBatch(1, ['one', 'two', 'three']), 3);
  receive(4, 'four');
  t.deepEqual(delivered, ['one', 'two', 'three', 'four']);
  t.deepEqual(seen, [
    [1, 'one-way', true, 0],
    [2, 'one-way', true, 0],
    [3, 'one-way', true, 0],
    [4, 'one-way', false, 0],
  ]);
  t.deepEqual([inbound.expectedSerial, outbound.expectedSerial], [5, 5]);
});

test('what was only read of a record gives its credits back at once, and is counted, whatever ends the record', (t) => {
  const { reads, receiveBatch, host, outbound } = makeInbound((message) => {
    const text = message.data.toString();
    if (text === 'kept') message.isFresh = false;
    if (text === 'last') Object.assign(outbound, { isOnline: false });
  });
  const received = () => {
    const { oneWaysReceived, bytesReceived } = readStatistics(host.statistics.memory);
    return [oneWaysReceived, bytesReceived];
  };
  receiveBatch(1, ['one', 'two', 'kept', 'four']);
  t.deepEqual(reads, [[2, 'twofour'.length]], 'the first of a record goes as any other message does');
  t.deepEqual(received(), [4, 'onetwokeptfour'.length]);
  receiveBatch(5, ['one', 'last', 'lost']);
  t.deepEqual(reads[1], [1, 'last'.length]);
  t.deepEqual(received(), [6, 'onetwokeptfouronelast'.length]);
});

test('a record that breaks off counts what was delivered of it', (t) => {
  const { inbound, reads, receiveBatch, ledger } = makeInbound();
  ledger.hold(ledger.posts, 995);
  t.throws(() => receiveBatch(1, ['one', 'two', 'seven77']), { message: /more than its credits/ });
  t.deepEqual(reads, [[1, 3]]);
  t.is(inbound.expectedSerial, 3);
});

test('a batch behind a large message waits for its data, each message with its credits', (t) => {
  const { delivered, receiveBatch, receiveLarge, transfers, inbound, ledger } = makeInbound();
  receiveLarge(1, 300, 7);
  t.is(receiveBatch(2, ['two', 'three']), 2);
  receiveBatch(4, ['four']);
  t.deepEqual(delivered, []);
  t.is(ledger.posts.heldMessages, 4);
  t.is(ledger.posts.heldBytes, 300 + 'twothreefour'.length);
  t.is(inbound.expectedSerial, 1);
  const transfer = transfers.get(7);
  transfer?.target.fill('x'.charCodeAt(0));
  transfer?.onDone();
  t.deepEqual(delivered, ['x'.repeat(300), 'two', 'three', 'four']);
  t.is(inbound.expectedSerial, 5);
});

test('each message of a batch needs credits of its own', (t) => {
  const { delivered, receiveBatch, ledger } = makeInbound();
  ledger.hold(ledger.posts, 995);
  t.throws(() => receiveBatch(1, ['one', 'seven7']), { code: 'ERR_HEDDLE_PROTOCOL', message: /more than its credits/ });
  t.deepEqual(delivered, ['one']);
});

test('on a connection that may be resumed no record holds a batch', (t) => {
  const { delivered, receiveBatch, outbound } = makeInbound();
  Object.assign(outbound, { retransmitter: { acknowledge: () => {} } });
  t.throws(() => receiveBatch(1, ['one', 'two']), { code: 'ERR_HEDDLE_PROTOCOL', message: /where none can be/ });
  t.deepEqual(delivered, []);
});

test('a fragment of another message, that has the right offset, is a fault of the peer', (t) => {
  const { delivered, receiveLarge, receiveFragment } = makeInbound();
  receiveLarge(1, 8);
  receiveFragment(1, 0, 'good');
  t.throws(() => receiveFragment(2, 4, 'evil'), { code: 'ERR_HEDDLE_PROTOCOL', message: /serial=1 .* got serial=2/ });
  t.deepEqual(delivered, []);
});
