import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { createSystem } from '../../../src/index.js';
import { runProgram } from '../../support/run-program.js';
import { Counter, Slow } from './fixtures/counter.js';
import { testSystem } from './support.js';

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} closes the system in phases, and ends the process as it would have`, async (t) => {
    const service = spawn(process.execPath, [fileURLToPath(new URL('./fixtures/service.js', import.meta.url))]);
    t.teardown(() => service.kill('SIGKILL'));
    let said = '';
    let warned = '';
    service.stderr.on('data', (chunk) => {
      warned += chunk;
    });
    const ended = once(service, 'close');
    for await (const chunk of service.stdout) {
      said += chunk;
      if (said === 'ready\n') service.kill(signal);
    }
    const [exitCode, endedBy] = await ended;
    t.is(said, 'ready\nbefore-actors, actors=1\nafter-actors, actors=0\nafter-contexts, actors=0\n');
    t.regex(warned, /a shutdown task \(before-actors\) failed: Error: a task that fails/);
    t.is(exitCode, null);
    t.is(endedBy, signal);
  });
}

test.serial('a closed system says so, settles what is under way, and listens for no signal', async (t) => {
  const before = process.listenerCount('SIGTERM');
  const { system } = await testSystem(t, { contexts: 1 });
  t.is(process.listenerCount('SIGTERM'), before + 1);
  const counter = await system.spawn(Counter, { start: 1 });
  const here = await system.spawn(Counter, { start: 1 }, { on: 'here' });
  const asks = [counter.ask('never'), here.ask('never')];
  const settled = Promise.allSettled(asks);
  await system.close();
  await system.close();
  for (const outcome of await settled) t.is(outcome.status, 'rejected');
  t.throws(() => system.spawnHere(Counter, { start: 1 }), { code: 'ERR_HEDDLE_CLOSED' });
  // A promise that is refused before it is made would pass by who catches it.
  const late = system.spawn(Counter, { start: 1 });
  await t.throwsAsync(late, { code: 'ERR_HEDDLE_CLOSED' });
  for (const ref of [counter, here]) {
    t.is((await system.watch(ref)).ref, ref);
    await system.stop(ref);
  }
  await t.throwsAsync(here.ask('get'), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  t.is(process.listenerCount('SIGTERM'), before);
});

test('who waits for an actor to be made when the system is closed learns that', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const [away, here] = ['worker-1', 'here'].map((on) => system.spawn(Slow, { delayMs: Infinity }, { on }));
  // Answered once the one before it is being made.
  await system.spawn(Counter, { start: 1 }, { on: 'worker-1' });
  await Promise.all([
    t.throwsAsync(away, { code: 'ERR_HEDDLE_CLOSED', message: /the actor system was closed/ }),
    t.throwsAsync(here, { code: 'ERR_HEDDLE_CLOSED', message: /the actor system was closed/ }),
    system.close(),
  ]);
});

for (const [moment, said, warned, end] of [
  ['spawn', 'start\n', /^$/, [null, 'SIGTERM']],
  ['create', '', /^$/, [null, 'SIGTERM']],
  ['fault', 'start\n', /^.*RangeError: a fault of the program's own\n {4}at /s, [1, null]],
] as const) {
  test(`a signal while a program starts ends it by the signal, unless by a fault of its own: ${moment}`, async (t) => {
    const path = fileURLToPath(new URL('./fixtures/slow-start.js', import.meta.url));
    const service = spawn(process.execPath, [path, moment]);
    t.teardown(() => service.kill('SIGKILL'));
    const ended = once(service, 'close');
    const texts = await Promise.all([text(service.stdout), text(service.stderr)]);
    t.is(texts[0], said);
    t.regex(texts[1], warned);
    t.deepEqual(await ended, end as unknown as unknown[]);
  });
}

test('await using ends a system', async (t) => {
  let ended = false;
  {
    await using system = await createSystem({ contexts: 1 });
    system.onShutdown('after-contexts', () => {
      ended = true;
    });
  }
  t.true(ended);
});

test('what does not stop in time is not waited for', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const counter = await system.spawn(Counter, { start: 1 });
  // For ever: that close() resolves at all says that it was not waited for.
  counter.tell('spin', Infinity);
  system.onShutdown('before-actors', () => new Promise(() => {}));
  const gone = system.watch(counter);
  await system.close({ timeoutMs: 100 });
  t.is((await gone).reason, 'context-lost');
  t.is(system.contextHandle('worker-1'), undefined);
});

test('options of a system are checked', async (t) => {
  for (const options of [{ contexts: -1 }, { askTimeoutMs: 0 }, { contexts: [{ name: 'main' }] }]) {
    await t.throwsAsync(createSystem(options), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  }
});

test('a process with actors in its contexts ends by itself, and loses none on the way', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram('dist/test/runtime/actors/fixtures/ends-by-itself.js');
  t.is(stderr, '');
  t.is(stdout, 'counted 1,2\n');
  t.is(exitCode, 0);
});
