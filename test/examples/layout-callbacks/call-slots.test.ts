import test from 'ava';
import { type CallFrame, decodeFrame, encodeFrame, frameBytes } from '../../../examples/layout-callbacks/call-frame.js';
import { Callee, type NoSlotPolicy } from '../../../examples/layout-callbacks/callee.js';
import { Caller, type CallerOptions, type Outcome } from '../../../examples/layout-callbacks/caller.js';
import { ReplayCache } from '../../../examples/layout-callbacks/replay-cache.js';
import { Random } from '../../sim/random.js';

const sessionId = 7;

function frame(changes: Partial<CallFrame> = {}): CallFrame {
  return {
    isReply: false,
    status: 'ok',
    cachesReply: true,
    xid: 1,
    sessionId,
    sequence: 1,
    slot: 0,
    highestSlot: 0,
    ...changes,
  };
}

const statusOf = (verdict: ReturnType<ReplayCache<string>['admit']>) => (verdict === 'run' ? 'run' : verdict.status);

test('a slot takes the next call, answers a replay from its cache, and refuses the rest', (t) => {
  const cache = new ReplayCache<string>(sessionId, 2);
  t.is(statusOf(cache.admit(frame({ sequence: 0 }))), 'misordered', 'a slot begins with 1');
  t.is(cache.admit(frame()), 'run');
  t.is(statusOf(cache.admit(frame())), 'delay', 'it is being run');
  t.is(statusOf(cache.admit(frame({ sequence: 2, xid: 2 }))), 'misordered', 'the one before is not answered');
  cache.finish(frame(), 'ok', 'first');
  t.deepEqual(cache.admit(frame()), { status: 'ok', body: 'first' });
  t.is(cache.replays, 1);
  t.is(statusOf(cache.admit(frame({ xid: 9 }))), 'false-retry');
  t.is(statusOf(cache.admit(frame({ sequence: 3 }))), 'misordered');
  t.is(statusOf(cache.admit(frame({ sequence: 0 }))), 'misordered');
  t.is(statusOf(cache.admit(frame({ slot: 2, highestSlot: 2 }))), 'bad-slot');
  t.is(statusOf(cache.admit(frame({ sequence: 2, highestSlot: 2 }))), 'bad-high-slot');
  t.is(statusOf(cache.admit(frame({ sequence: 2, sessionId: 8 }))), 'bad-session');
  t.is(cache.admit(frame({ sequence: 2, xid: 2, cachesReply: false })), 'run');
  t.is(cache.admit(frame({ slot: 1, highestSlot: 1, xid: 3 })), 'run', 'slots are independent');
  cache.finish(frame({ sequence: 2, xid: 2, cachesReply: false }), 'ok', 'not kept');
  t.is(statusOf(cache.admit(frame({ sequence: 2, xid: 2 }))), 'uncached-replay');
});

test('xids wrap at 2^32, and a reply still finds its call', (t) => {
  const sent: CallFrame[] = [];
  const caller = new Caller<string>(sessionId, callerOptions(), (one) => sent.push(one), 2 ** 32 - 1);
  const replies: (string | undefined)[] = [];
  for (const body of ['a', 'b']) caller.call(body, 0, (outcome) => replies.push(outcome.body));
  t.deepEqual(
    sent.map(({ xid }) => xid),
    [2 ** 32 - 1, 0],
  );
  for (const one of sent) caller.receive({ ...one, isReply: true }, () => `reply ${one.xid}`, 1);
  t.deepEqual(replies, ['reply 4294967295', 'reply 0']);
});

test('a session that is drained runs nothing new, answers what it ran, and says when it is done', (t) => {
  const cache = new ReplayCache<string>(sessionId, 2);
  t.is(cache.admit(frame()), 'run');
  cache.drain('delay');
  t.false(cache.isDrained);
  t.is(statusOf(cache.admit(frame({ slot: 1, highestSlot: 1, xid: 2 }))), 'delay');
  cache.finish(frame(), 'ok', 'done');
  t.true(cache.isDrained);
  t.deepEqual(cache.admit(frame()), { status: 'ok', body: 'done' });
  cache.drain(undefined);
  t.is(cache.admit(frame({ slot: 1, highestSlot: 1, xid: 2 })), 'run', 'the same call, sent again');
  cache.drain('reset');
  t.is(statusOf(cache.admit(frame())), 'bad-session');
});

test('a call that finds no slot is dropped and counted, or gets one beyond the table up to a bound', (t) => {
  const arrivals = (whenNoSlot: NoSlotPolicy) => {
    const callee = new Callee<string>(sessionId, { sessionSlots: 8, requestSlots: 2, whenNoSlot });
    const taken = [0, 1, 2, 3, 4].map((slot) => callee.receive(frame({ slot, highestSlot: 4, xid: slot }), () => 'x'));
    return { callee, taken };
  };
  const dropping = arrivals({ kind: 'drop' });
  t.deepEqual(dropping.taken, [true, true, false, false, false]);
  t.is(dropping.callee.dropped, 3);

  const { callee, taken } = arrivals({ kind: 'allocate', maximum: 2 });
  t.deepEqual(taken, [true, true, true, true, false]);
  t.is(callee.dropped, 1);
  t.is(callee.allocatedHighWater, 2);
  const jobs = [callee.next()!, callee.next()!, callee.next()!, callee.next()!];
  t.is(callee.next(), undefined);
  for (const job of jobs) t.like(callee.finish(job, 'ok', 'y'), { isReply: true, status: 'ok', xid: job.frame.xid });
  const again = [5, 6, 7, 4, 3].map((slot) => callee.receive(frame({ slot, highestSlot: 7, xid: slot }), () => 'x'));
  t.deepEqual(again, [true, true, true, true, false], 'the table and the bound are what they were');
});

const callerOptions = (changes: Partial<CallerOptions> = {}): CallerOptions => ({
  slots: 2,
  maximumWaiting: 1,
  retransmitMs: 10,
  timeoutMs: 1000,
  ...changes,
});

test('a caller waits for a slot when it has none, and refuses what is too much to wait', (t) => {
  const sent: CallFrame[] = [];
  const caller = new Caller<string>(sessionId, callerOptions(), (one) => sent.push(one), 1);
  const outcomes: string[] = [];
  const call = (body: string) => caller.call(body, 0, ({ status }) => outcomes.push(`${body} ${status}`));
  t.deepEqual(['a', 'b', 'c', 'd'].map(call), [true, true, true, false]);
  t.is(caller.waitedForSlot, 1);
  t.is(caller.pending, 3);
  t.is(sent.length, 2);
  caller.receive({ ...sent[1]!, isReply: true }, () => 'reply', 1);
  t.deepEqual(outcomes, ['b ok']);
  t.like(sent[2], { slot: 1, sequence: 2, highestSlot: 1 }, 'the slot that is free again');
});

test('a reply of an unknown xid, or of another slot or sequence, is dropped and counted', (t) => {
  const sent: CallFrame[] = [];
  const caller = new Caller<string>(sessionId, callerOptions(), (one) => sent.push(one), 1);
  const outcomes: Outcome<string>[] = [];
  caller.call('a', 0, (outcome) => outcomes.push(outcome));
  const reply = { ...sent[0]!, isReply: true };
  for (const wrong of [{ xid: 99 }, { slot: 1 }, { sequence: 2 }, { sessionId: 1 }]) {
    caller.receive({ ...reply, ...wrong }, () => 'no', 1);
  }
  t.is(caller.unknownReplies, 4);
  t.deepEqual(outcomes, []);
  caller.receive(reply, () => 'yes', 1);
  caller.receive(reply, () => 'twice', 1);
  t.deepEqual(outcomes, [{ status: 'ok', body: 'yes' }]);
  t.is(caller.unknownReplies, 5);
});

test('a call is sent again, less and less often, given up in time, and its slot is free when a reply comes late', (t) => {
  const sentAt: number[] = [];
  const sent: CallFrame[] = [];
  let nowMs = 0;
  const caller = new Caller<string>(
    sessionId,
    callerOptions({ slots: 1, timeoutMs: 200 }),
    (one) => {
      sentAt.push(nowMs);
      sent.push(one);
    },
    1,
  );
  const outcomes: string[] = [];
  caller.call('a', 0, ({ status }) => outcomes.push(status));
  for (; nowMs < 1000; nowMs++) caller.poll(nowMs);
  t.deepEqual(sentAt.slice(0, 6), [0, 10, 30, 70, 150, 230]);
  t.true(sent.every((one) => one.xid === 1 && one.sequence === 1));
  t.deepEqual(outcomes, ['timeout']);
  caller.call('b', nowMs, ({ status }) => outcomes.push(status));
  t.is(caller.waitedForSlot, 1, 'nobody knows whether the first was run: its slot cannot be used');
  caller.receive({ ...sent[0]!, isReply: true }, () => 'late', nowMs);
  t.is(caller.lateReplies, 1);
  t.like(sent.at(-1), { xid: 2, slot: 0, sequence: 2 });
  caller.close();
  t.deepEqual(outcomes, ['timeout', 'closed']);
  t.is(caller.dueMs, undefined);
  caller.call('c', nowMs, ({ status }) => outcomes.push(status));
  t.is(outcomes.at(-1), 'closed');
});

test('the header that a frame is written to is the frame that is read, and nothing else is one', (t) => {
  for (const one of [
    frame(),
    frame({ isReply: true, status: 'uncached-replay', cachesReply: false, xid: 2 ** 32 - 1, sequence: 2 ** 32 - 1 }),
  ]) {
    t.deepEqual(decodeFrame(encodeFrame(one)), one);
  }
  t.is(decodeFrame(Buffer.alloc(0)), undefined);
  t.is(decodeFrame(Buffer.alloc(frameBytes + 1)), undefined);
  const random = new Random(1);
  for (let round = 0; round < 2000; round++) {
    const header = Buffer.from(Array.from({ length: frameBytes }, () => random.integer(0, 255)));
    const read = decodeFrame(header);
    if (read !== undefined) t.deepEqual(encodeFrame(read), header);
    header[0] = 2;
    t.is(decodeFrame(header), undefined);
  }
});
