import test from 'ava';
import { type ActorContext, createSystem, defineFunctions, type RemoteError } from '../../../../src/index.js';
import { offload } from '../../../../src/runtime/actors/offload/offload.js';
import { runProgram } from '../../../support/run-program.js';
import { Offloader, work } from '../fixtures/offloaded.js';
import { testSystem, until } from '../support.js';

/** Never called: what matters is that tsc compiles it, errors expected included. */
export async function typesHold(actor: ActorContext) {
  const squared: number = await actor.offload(work, 'square', [5]);
  const hash: string = await actor.offload(work, 'hash', [new Uint8Array(4)]);
  const later: number = await actor.offload(work, 'later', [4], { signal: AbortSignal.timeout(5) });
  // @ts-expect-error there is no such function
  await actor.offload(work, 'cube', [5]);
  // @ts-expect-error of another type
  await actor.offload(work, 'square', ['5']);
  // @ts-expect-error the argument is missing
  await actor.offload(work, 'square', []);
  // @ts-expect-error its result is a number
  const text: string = await actor.offload(work, 'square', [5]);
  // @ts-expect-error no such option
  await actor.offload(work, 'square', [5], { timeoutMs: 5 });
  return [squared, hash, later, text];
}

// One after the other: each has threads of its own, and a small machine has few cores for them.
const timeoutMs = 60_000;

for (const on of ['here', 'worker-1']) {
  const setUp = async (t: Parameters<typeof testSystem>[0], offload = {}) => {
    const { system, failures } = await testSystem(t, {
      contexts: on === 'here' ? 0 : 1,
      askTimeoutMs: timeoutMs,
      offload,
    });
    return { system, failures, offloader: await system.spawn(Offloader, undefined, { on }) };
  };

  test.serial(`functions run on other threads, with arguments and results, ${on}`, async (t) => {
    const { offloader } = await setUp(t);
    t.is(await offloader.ask('square', 12), 144);
    const [here, there] = await offloader.ask('threads');
    t.not(here, there);
    t.is(await offloader.ask('hash', Buffer.from('abc')), 'a9993e364706816aba3e25717850c26c9cd0d89d');
    t.is(await offloader.ask('later', 5), 5);
    t.deepEqual(await offloader.ask('move', 1 << 20), { length: 1 << 20, first: 1, leftHere: 0 });
    t.deepEqual(await offloader.ask('share', 100_000), { first: 9, last: 9, held: true });
    t.is(await offloader.ask('pending'), 0);
  });

  test.serial(`errors come across, and no failure harms the pool, ${on}`, async (t) => {
    const { offloader } = await setUp(t, { maximumThreads: 1, resourceLimits: { maxOldGenerationSizeMb: 32 } });
    const error = await t.throwsAsync<RemoteError>(offloader.ask('fail', 'on purpose'));
    t.regex(String(error?.message), /on purpose/);
    t.is(error?.remoteName, 'RangeError');
    t.is(error?.remoteCode, 'ERR_MINE');
    await t.throwsAsync(offloader.ask('unclonable'), { code: 'ERR_HEDDLE_CODEC' });
    await t.throwsAsync(offloader.ask('unsendable'), { code: 'ERR_HEDDLE_CODEC' });
    await t.throwsAsync(offloader.ask('exit'), { code: 'ERR_HEDDLE_OFFLOAD_LOST' });
    await t.throwsAsync(offloader.ask('fillHeap'), { code: 'ERR_HEDDLE_OFFLOAD_LOST' });
    t.is(await offloader.ask('square', 3), 9);
  });

  test.serial(`a signal ends what runs and what waits, ${on}`, async (t) => {
    const { offloader } = await setUp(t, { maximumThreads: 1 });
    const results = offloader.ask('manyForever', 3);
    await until(async () => (await offloader.ask('pending')) === 3);
    offloader.tell('cancel');
    t.deepEqual(
      await results,
      Array.from({ length: 3 }, () => 'ERR_HEDDLE_CANCELLED'),
    );
    t.is(await offloader.ask('square', 3), 9, 'the thread is free again');
    await until(async () => (await offloader.ask('pending')) === 0);
  });

  test.serial(`the queue has a bound, ${on}`, async (t) => {
    const { system, offloader } = await setUp(t, { maximumThreads: 1, queueCapacity: 1 });
    const results = offloader.ask('manyForever', 4);
    await until(async () => (await offloader.ask('pending')) === 2);
    const other = await system.spawn(Offloader, undefined, { on });
    await t.throwsAsync(other.ask('square', 3), { code: 'ERR_HEDDLE_OFFLOAD_FULL' });
    offloader.tell('cancel');
    t.deepEqual((await results).sort(), [
      'ERR_HEDDLE_CANCELLED',
      'ERR_HEDDLE_CANCELLED',
      'ERR_HEDDLE_OFFLOAD_FULL',
      'ERR_HEDDLE_OFFLOAD_FULL',
    ]);
  });

  test.serial(`a stop or a restart of the actor ends what it has offloaded, ${on}`, async (t) => {
    const { system, offloader, failures } = await setUp(t, { maximumThreads: 1 });
    const other = await system.spawn(Offloader, undefined, { on });
    for (const end of ['restart', 'stop']) {
      const never = offloader.ask('manyForever', 1);
      await until(async () => (await other.ask('pending')) === 1);
      if (end === 'stop') await system.stop(offloader);
      else await t.throwsAsync(offloader.ask('crash'));
      t.deepEqual(await never, ['ERR_HEDDLE_ACTOR_STOPPED']);
      t.is(await other.ask('square', 3), 9);
    }
    t.is(failures.length, 1);
  });
}

test.serial('a context goes on while functions run', async (t) => {
  const { system } = await testSystem(t, { offload: { maximumThreads: 1 } });
  const offloader = system.spawnHere(Offloader);
  const flag = await offloader.ask('begun', undefined, { timeoutMs });
  const before = Atomics.load(flag, 1);
  await until(() => Atomics.load(flag, 1) > before, 'the function to run on');
  t.is(await offloader.ask('pending'), 1);
});

test.serial('close ends functions that run', async (t) => {
  const system = await createSystem({ contexts: 1 });
  const hold = setInterval(() => {}, 60_000);
  t.teardown(() => clearInterval(hold));
  const flags = [];
  for (const on of ['here', 'worker-1']) {
    const offloader = await system.spawn(Offloader, undefined, { on });
    if (on === 'here') flags.push(await offloader.ask('begun', undefined, { timeoutMs }));
    else void offloader.ask('manyForever', 1).catch(() => {});
  }
  await system.close();
  const [flag] = flags;
  const after = Atomics.load(flag!, 1);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.is(Atomics.load(flag!, 1), after);
});

test.serial('a process that has offloaded ends by itself', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram('dist/test/runtime/actors/fixtures/offload-process.js');
  t.is(stderr, '');
  t.is(stdout, 'here: 144\nworker-1: 144\n');
  t.is(exitCode, 0);
});

test.serial('definitions and options are checked', async (t) => {
  t.throws(() => defineFunctions('nowhere', {}), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => defineFunctions(work.module, {}), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  // @ts-expect-error no function
  t.throws(() => defineFunctions(import.meta.url, { five: 5 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  const { system } = await testSystem(t);
  const refused = { code: 'ERR_HEDDLE_INVALID_ARGUMENT' };
  for (const [args, options] of [
    [[], { timeoutMs: 5 }],
    [[], 5],
    [[], { transfer: 5 }],
    [[], { transfer: [new Uint8Array(8)] }],
    [[], { transfer: null }],
    [{ n: 5 }, {}],
  ] as const) {
    t.throws(
      () => void offload(system.host, undefined, work, 'square', args as unknown as unknown[], options as object),
      refused,
    );
  }
  for (const options of [{ maximumThreads: 0 }, { queueCapacity: -1 }, { idleTimeoutMs: 0.5 }, { threads: 5 }]) {
    await t.throwsAsync(createSystem({ offload: options }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
  t.is(work.functions.square(5), 25, 'a function may be called right here');
});
