import test from 'ava';
import type { Message } from '../../../src/runtime/message/message.js';
import {
  connectionWord,
  flagsShift,
  MessageFlag,
  messageHeaderBytes,
  RecordKind,
  serialWord,
} from '../../../src/runtime/message/message-layout.js';
import { readStatistics } from '../../../src/runtime/observe/statistics.js';
import { CreditPurse, ReleaseLedger } from '../../../src/runtime/session/credits.js';
import { type CreditTarget, Inbound, type InboundOwner } from '../../../src/runtime/session/inbound.js';
import { MemoryBlock } from '../../../src/transports/record.js';
import type { Link } from '../../../src/transports/transport.js';
import { Random } from '../../sim/random.js';
import { Simulation } from '../../sim/simulated-clock.js';
import { SimulatedContext } from '../../sim/simulated-context.js';
import { quietConditions, SimulatedNetwork } from '../../sim/simulated-network.js';

/** The receiving half of a connection, alone: what it is given, and what it hands on. */
function makeInbound() {
  const network = new SimulatedNetwork(new Simulation(), new Random(1), quietConditions);
  const host = new SimulatedContext(1, network, {}).layer;
  const delivered: string[] = [];
  const ledger = new ReleaseLedger(4, 1000);
  const service = { onOneWay: (message: Message) => void delivered.push(message.data.toString()) };
  const outbound: CreditTarget = {
    credits: new CreditPurse(4, 1000),
    retransmitter: undefined,
    expectedSerial: 1,
    announceCredits: () => {},
  };
  const link = { sharesMemory: false } as Link;
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
  return { inbound, outbound, delivered, receive, host, ledger };
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
