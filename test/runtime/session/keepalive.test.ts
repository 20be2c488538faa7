import test from 'ava';
import type { HeddleError } from '../../../src/errors.js';
import { RecordKind } from '../../../src/runtime/message/message-layout.js';
import { Keepalive } from '../../../src/runtime/session/keepalive.js';
import { defaultConnectionOptions } from '../../../src/runtime/session/options.js';
import { SimulatedClock, Simulation } from '../../sim/simulated-clock.js';

const options = { ...defaultConnectionOptions, keepaliveIdleMs: 100, keepaliveIntervalMs: 10, keepaliveProbes: 3 };

function make() {
  const simulation = new Simulation();
  const clock = new SimulatedClock(simulation);
  const seen = { pings: 0, closedAtMs: -1, error: undefined as HeddleError | undefined };
  const link = {
    close: (error?: HeddleError) => {
      seen.closedAtMs = simulation.nowMicros / 1000;
      seen.error = error;
    },
  };
  const subject = {
    peerAddress: 'the peer',
    inbound: { receivedRecords: 0 },
    outbound: {
      placeUnsequenced: (kind: number) => {
        if (kind === RecordKind.ping) seen.pings++;
        return true;
      },
    },
    link: link as typeof link | undefined,
  };
  const runMs = (ms: number) => simulation.run(simulation.nowMicros + ms * 1000);
  return { clock, seen, subject, runMs, keepalive: new Keepalive(clock, subject) };
}

test('a silent peer is probed and then given up, in its time', async (t) => {
  const { seen, keepalive, runMs } = make();
  keepalive.restart(options);
  await runMs(99);
  t.is(seen.pings, 0);
  await runMs(22);
  t.is(seen.pings, 3);
  t.is(seen.closedAtMs, -1);
  await runMs(1000);
  t.is(seen.closedAtMs, 130);
  t.is(seen.pings, 3);
  t.is(seen.error?.code, 'ERR_HEDDLE_PEER_SILENT');
});

test('any record is a sign of life, at any time, also between probes', async (t) => {
  const { seen, keepalive, subject, runMs } = make();
  keepalive.restart(options);
  await runMs(125);
  t.is(seen.pings, 3);
  subject.inbound.receivedRecords++;
  await runMs(90);
  t.is(seen.closedAtMs, -1);
  for (let times = 0; times < 20; times++) {
    subject.inbound.receivedRecords++;
    await runMs(50);
  }
  t.is(seen.closedAtMs, -1);
});

test('room on a link that was full is a sign of life, once each time', async (t) => {
  const { seen, keepalive, runMs } = make();
  keepalive.restart(options);
  await runMs(125);
  t.is(seen.pings, 3);
  keepalive.onRoom();
  await runMs(100);
  t.is(seen.closedAtMs, -1);
  await runMs(1000);
  t.is(seen.closedAtMs, 260);
  t.is(seen.pings, 6);
});

test('without probes, or without a link, nothing is watched', async (t) => {
  const { clock, seen, keepalive, subject, runMs } = make();
  keepalive.restart({ ...options, keepaliveProbes: 0 });
  t.is(clock.timerCount, 0);
  subject.link = undefined;
  keepalive.restart(options);
  await runMs(10_000);
  t.is(seen.pings, 0);
});

test('stop ends it, and its timers hold no process', async (t) => {
  const { clock, seen, keepalive, runMs } = make();
  keepalive.restart(options);
  t.deepEqual(clock.foregroundDelays, []);
  keepalive.stop();
  t.is(clock.timerCount, 0);
  await runMs(10_000);
  t.is(seen.pings, 0);
});
