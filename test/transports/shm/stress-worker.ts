import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../src/clock.js';
import type { RingPair } from '../../../src/transports/shm/ring-pair.js';
import { ShmTransport } from '../../../src/transports/shm/shm-transport.js';
import type { Link, RecordReceiver } from '../../../src/transports/transport.js';

/** What a context of the stress test is told. */
export interface StressTask {
  readonly contextId: number;
  readonly table: SharedArrayBuffer;
  readonly seed: number;
  readonly records: number;
}

/** What it says when it is done, or when it has gone wrong. */
export interface StressResult {
  readonly received: number;
  readonly sleeps: number;
  readonly waitsForRoom: number;
  readonly failure: string | undefined;
}

const dataType = 16;
const acknowledgeType = 17;
const { contextId, table, seed, records } = workerData as StressTask;

let randomState = seed | 1;
function random(limit: number): number {
  randomState ^= randomState << 13;
  randomState ^= randomState >>> 17;
  randomState ^= randomState << 5;
  return (randomState >>> 0) % limit;
}

/*
 * Each side sends bursts of records of random sizes; the last of a burst asks for an acknowledgement, and the next
 * burst waits for that, so that both sides fall asleep all the time; bursts that exceed the ring wait for room.
 */
let link: Link | undefined;
let asleep = false;
let scheduled = false;
let sent = 0;
let received = 0;
let burstLeft = 1 + random(40);
let awaitsAcknowledgement = false;
let acknowledgementsOwed = 0;
let waitsForRoom = 0;
let sleeps = 0;
let failure: string | undefined;

function fail(text: string): void {
  failure ??= text;
}

function sendSome(to: Link): void {
  while (acknowledgementsOwed > 0) {
    const start = to.writer.claim(8);
    if (start < 0) return;
    const { int32 } = to.writer.block;
    int32[start >> 2] = 8;
    int32[(start >> 2) + 1] = acknowledgeType;
    acknowledgementsOwed -= 1;
  }
  while (sent < records && !awaitsAcknowledgement) {
    const words = 4 + random(124);
    const start = to.writer.claim(words * 4);
    if (start < 0) return;
    const { int32 } = to.writer.block;
    const first = start >> 2;
    burstLeft -= 1;
    awaitsAcknowledgement = burstLeft === 0;
    int32[first] = words * 4;
    int32[first + 1] = dataType | (awaitsAcknowledgement ? 256 : 0);
    int32[first + 2] = sent;
    let sum = sent;
    for (let i = 3; i < words - 1; i += 1) {
      const word = random(0x40000000);
      int32[first + i] = word;
      sum = (sum * 31 + word) | 0;
    }
    int32[first + words - 1] = sum;
    sent += 1;
    if (awaitsAcknowledgement) burstLeft = 1 + random(40);
    if (random(4) === 0) to.publish();
  }
}

const receiver: RecordReceiver = {
  onRecord(from, block, start, lengthBytes) {
    const { int32 } = block;
    const first = start >> 2;
    const secondWord = int32[first + 1]!;
    if ((secondWord & 0xff) === acknowledgeType) {
      awaitsAcknowledgement = false;
    } else {
      const words = lengthBytes >> 2;
      let sum = int32[first + 2]!;
      if (sum !== received) fail(`record ${sum} came instead of ${received}`);
      for (let i = 3; i < words - 1; i += 1) sum = (sum * 31 + int32[first + i]!) | 0;
      if (sum !== int32[first + words - 1]) fail(`checksum of record ${received} is wrong`);
      received += 1;
      if ((secondWord & 256) !== 0) acknowledgementsOwed += 1;
    }
    if (from !== link) fail('a record of another link');
    return 1;
  },
  onWritable: () => {
    waitsForRoom += 1;
  },
  onLinkClosed: (_link, error) => {
    if (error !== undefined) fail(error.message);
    const result: StressResult = { received, sleeps, waitsForRoom, failure };
    parentPort!.postMessage(result);
    parentPort!.close();
  },
};

function turn(): void {
  scheduled = false;
  if (link === undefined || !link.isOpen) return;
  let work = transport.poll(1 + random(100));
  if (!link.isOpen) return;
  const sentBefore = sent + acknowledgementsOwed * 2;
  sendSome(link);
  link.publish();
  work += sent + acknowledgementsOwed * 2 === sentBefore ? 0 : 1;
  // Everything is sent, received and acknowledged: one side closes, which the other sees after all records.
  const done = sent === records && received === records && acknowledgementsOwed === 0 && !awaitsAcknowledgement;
  if (done && contextId === 0) {
    link.close();
  } else if (work > 0 || !transport.beginSleep()) {
    schedule();
  } else {
    asleep = true;
    sleeps += 1;
  }
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(turn);
}

const transport = new ShmTransport(
  {
    clock: systemClock,
    receiver,
    onLink: (given) => {
      link = given;
    },
    enterTurn() {},
    leaveTurn() {},
    onDoorbellRung() {},
    wake() {
      if (asleep) {
        asleep = false;
        transport.endSleep();
      }
      schedule();
    },
    report: (error) => fail(error.message),
  },
  {
    contextId,
    table,
    broker: {
      bind: async () => {},
      unbind: async () => {},
      connect: async () => 0,
    },
  },
);

parentPort!.on('message', (pair: RingPair) => transport.attach({ ...pair, initiator: false }));
