import test from 'ava';
import type { SharedBuffer } from '../../../src/runtime/memory/shared-buffer.js';
import { Retransmitter } from '../../../src/runtime/session/retransmitter.js';

function remember(retransmitter: Retransmitter, serial: number, streamed?: SharedBuffer): void {
  retransmitter.remember(serial, Buffer.from([1, 2, serial & 0xff, 4]), 2, 1, streamed);
}

function resendAll(retransmitter: Retransmitter): number[] {
  const serials: number[] = [];
  for (let copy = retransmitter.nextToResend(); copy !== undefined; copy = retransmitter.nextToResend()) {
    serials.push(copy.serial);
    retransmitter.resent();
  }
  return serials;
}

/** Stands for the buffer of a large message: counts its releases. */
function fakeBuffer() {
  const counted = { releases: 0 };
  return { counted, buffer: { release: () => counted.releases++ } as unknown as SharedBuffer };
}

test('what was not acknowledged is sent again, in order, after a rewind', (t) => {
  const retransmitter = new Retransmitter();
  for (let serial = 1; serial <= 5; serial++) remember(retransmitter, serial);
  t.is(retransmitter.nextToResend(), undefined);
  retransmitter.acknowledge(3);
  retransmitter.rewind();
  t.deepEqual([...(retransmitter.nextToResend()?.bytes ?? [])], [3]);
  t.deepEqual(resendAll(retransmitter), [3, 4, 5]);
  remember(retransmitter, 6);
  retransmitter.rewind();
  t.deepEqual(resendAll(retransmitter), [3, 4, 5, 6]);
});

test('an acknowledgement in the middle of sending again keeps its place', (t) => {
  const retransmitter = new Retransmitter();
  for (let serial = 1; serial <= 4; serial++) remember(retransmitter, serial);
  retransmitter.rewind();
  retransmitter.resent();
  retransmitter.resent();
  retransmitter.acknowledge(2);
  t.deepEqual(resendAll(retransmitter), [3, 4]);
  retransmitter.acknowledge(5);
  t.is(retransmitter.length, 0);
});

test('serials wrap, and an old acknowledgement changes nothing', (t) => {
  const retransmitter = new Retransmitter();
  const last = 2 ** 31 - 1;
  for (const serial of [last - 1, last, (last + 1) | 0, (last + 2) | 0]) remember(retransmitter, serial);
  retransmitter.acknowledge((last + 1) | 0);
  t.is(retransmitter.length, 2);
  retransmitter.acknowledge(last);
  t.is(retransmitter.length, 2);
  retransmitter.acknowledge((last + 3) | 0);
  t.is(retransmitter.length, 0);
});

test('the data of a large message is held until it is acknowledged, or all is given up', (t) => {
  const retransmitter = new Retransmitter();
  const [first, second] = [fakeBuffer(), fakeBuffer()];
  remember(retransmitter, 1, first.buffer);
  remember(retransmitter, 2, second.buffer);
  retransmitter.acknowledge(2);
  t.deepEqual([first.counted.releases, second.counted.releases], [1, 0]);
  retransmitter.clear();
  retransmitter.clear();
  t.deepEqual([first.counted.releases, second.counted.releases], [1, 1]);
  t.is(retransmitter.length, 0);
});
