import test from 'ava';
import type { CallFrame } from '../../../examples/layout-callbacks/call-frame.js';
import { Callee, type Job } from '../../../examples/layout-callbacks/callee.js';
import { Caller } from '../../../examples/layout-callbacks/caller.js';
import { Random } from '../../sim/random.js';
import { Simulation } from '../../sim/simulated-clock.js';

const seeds = Number(process.env.HEDDLE_SEEDS ?? 3000);
const firstSeed = Number(process.env.HEDDLE_SEED ?? process.env.HEDDLE_FIRST_SEED ?? 1);
const lastSeed = process.env.HEDDLE_SEED === undefined ? firstSeed + seeds - 1 : firstSeed;

/** What one run came to. */
interface Run {
  readonly calls: number;
  readonly drops: number;
  readonly retransmissions: number;
  readonly replays: number;
  readonly timeouts: number;
  readonly waits: number;
}

/**
 * A caller and a callee with a network between them that loses, doubles, delays and thereby reorders frames, and with a
 * service that takes its time; now and then the session is drained for a while. Throws when a call runs twice, when a
 * reply is another call's, when a slot has two calls, or when something never ends.
 */
async function simulate(seed: number): Promise<Run> {
  const random = new Random(seed);
  const simulation = new Simulation();
  const slots = random.integer(1, 4);
  const requestSlots = random.integer(1, 4);
  const isAllocating = random.chance(0.5);
  const loss = random.pick([0, 0.05, 0.3, 0.6]);
  const duplication = random.pick([0, 0.1, 0.5]);
  const maximumDelayMs = random.pick([1, 20, 200]);
  const givesUp = random.chance(0.3);
  const concurrency = random.integer(1, 4);
  const calls = random.integer(1, 40);
  const cachesReplies = random.chance(0.9);
  const fail = (what: string): never => {
    throw new Error(`seed ${seed}: ${what}`);
  };
  const nowMs = () => simulation.nowMicros / 1000;

  const transmit = (deliver: () => void) => {
    const copies = random.chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (random.chance(loss)) continue;
      simulation.schedule(random.integer(0, maximumDelayMs * 1000), deliver);
    }
  };

  const callee = new Callee<number>(9, {
    sessionSlots: slots,
    requestSlots,
    whenNoSlot: isAllocating ? { kind: 'allocate', maximum: 2 } : { kind: 'drop' },
  });
  const caller = new Caller<number>(
    9,
    { slots, maximumWaiting: calls, retransmitMs: random.pick([5, 50]), timeoutMs: givesUp ? 300 : 1e9 },
    (frame, body) =>
      transmit(() => {
        callee.receive(frame, () => body);
        serve();
      }),
    random.integer(0, 2 ** 32 - 1),
  );

  const timesRun = new Map<number, number>();
  const busySlots = new Set<number>();
  let running = 0;
  const answer = (frame: CallFrame, body: number | undefined) =>
    transmit(() => {
      caller.receive(frame, () => body as number, nowMs());
      armPoll();
    });
  const finish = (job: Job<number>) => {
    running--;
    busySlots.delete(job.frame.slot);
    answer(callee.finish(job, 'ok', job.body * 2), job.body * 2);
    serve();
  };
  function serve(): void {
    while (running < concurrency) {
      const job = callee.next();
      if (job === undefined) return;
      if (job.reply !== undefined) {
        answer(job.reply, job.replyBody);
        continue;
      }
      timesRun.set(job.body, (timesRun.get(job.body) ?? 0) + 1);
      if (busySlots.has(job.frame.slot)) fail(`slot ${job.frame.slot} runs two calls`);
      busySlots.add(job.frame.slot);
      running++;
      simulation.schedule(random.integer(0, 30_000), () => finish(job));
    }
  }

  let cancelPoll = () => {};
  function armPoll(): void {
    cancelPoll();
    const due = caller.dueMs;
    if (due === undefined) return;
    cancelPoll = simulation.schedule(Math.max(0, Math.ceil((due - nowMs()) * 1000)), () => {
      caller.poll(nowMs());
      armPoll();
    });
  }

  const outcomes = new Map<number, string>();
  for (let call = 0; call < calls; call++) {
    simulation.schedule(random.integer(0, 100_000), () => {
      caller.call(
        call,
        nowMs(),
        ({ status, body }) => {
          if (outcomes.has(call)) fail(`call ${call} has two outcomes`);
          outcomes.set(call, status);
          const runs = timesRun.get(call) ?? 0;
          if (status === 'ok' && (body !== call * 2 || runs !== 1)) fail(`call ${call}: ${body} after ${runs} runs`);
          if (status === 'uncached-replay' && (cachesReplies || runs !== 1)) fail(`call ${call} was replayed uncached`);
          if (!['ok', 'timeout', 'uncached-replay'].includes(status)) fail(`call ${call} ended as ${status}`);
        },
        cachesReplies,
      );
      armPoll();
    });
  }
  if (random.chance(0.3)) {
    simulation.schedule(random.integer(0, 50_000), () => callee.drain('delay'));
    simulation.schedule(random.integer(50_000, 150_000), () => callee.drain(undefined));
  }
  await simulation.run(Infinity);

  for (const [call, runs] of timesRun) if (runs !== 1) fail(`call ${call} was run ${runs} times`);
  if (outcomes.size !== calls) fail(`${calls - outcomes.size} calls have no outcome`);
  if (caller.pending !== 0 || callee.queued !== 0) fail('something is left over');
  if (callee.run !== timesRun.size) fail('the count of runs is wrong');
  if (!isAllocating && callee.allocatedHighWater > 0) fail('slots were made where they must not be');
  if (callee.allocatedHighWater > 2) fail('more slots were made than allowed');
  return {
    calls,
    drops: callee.dropped,
    retransmissions: caller.retransmissions,
    replays: callee.replays,
    timeouts: [...outcomes.values()].filter((status) => status === 'timeout').length,
    waits: caller.waitedForSlot,
  };
}

test(`over ${seeds} networks that lose, double and delay, no call runs twice and each has its outcome`, async (t) => {
  const total = { calls: 0, drops: 0, retransmissions: 0, replays: 0, timeouts: 0, waits: 0 };
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const run = await simulate(seed);
    for (const name of Object.keys(total) as (keyof Run)[]) total[name] += run[name];
  }
  t.log(total);
  if (lastSeed - firstSeed < 1000) return;
  // That the runs went through what they are about.
  for (const [name, count] of Object.entries(total)) t.true(count > seeds / 10, `${name}: ${count}`);
});
