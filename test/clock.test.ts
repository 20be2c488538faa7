import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { systemClock } from '../src/clock.js';
import { runProgram } from './support/run-program.js';

const clockModule = new URL('../src/clock.js', import.meta.url).href;

test('time never runs backwards', (t) => {
  let previous = systemClock.nowMicros();
  for (let i = 0; i < 100_000; i++) {
    const now = systemClock.nowMicros();
    if (now < previous) t.fail(`${now} after ${previous}`);
    previous = now;
  }
  t.true(Number.isFinite(previous));
});

test('nowMicros counts microseconds, as hrtime does', (t) => {
  const before = Number(process.hrtime.bigint() / 1000n);
  const now = systemClock.nowMicros();
  const after = Number(process.hrtime.bigint() / 1000n) + 1;
  // The two are read one after the other when the module is loaded, and a busy machine may pause in between.
  const toleranceMicros = 1_000_000;
  t.true(now > before - toleranceMicros && now < after + toleranceMicros, `${before} ${now} ${after}`);
});

test('another thread reads the same time', async (t) => {
  const before = systemClock.nowMicros();
  const source = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(clockModule)}).then(({ systemClock }) => parentPort.postMessage(systemClock.nowMicros()));`;
  const worker = new Worker(source, { eval: true });
  // Both are waited for from now on: they may come in one turn of the event loop.
  const exited = once(worker, 'exit');
  const [there] = (await once(worker, 'message')) as [number];
  await exited;
  const after = systemClock.nowMicros();
  // Each thread measures its offset when it starts, and a busy machine may pause it there. Without the offset a new
  // thread's time would be off by the age of this process.
  const toleranceMicros = 50_000;
  t.true(performance.now() * 1000 > toleranceMicros, 'the process is old enough for the difference to show');
  t.true(there > before - toleranceMicros && there < after + toleranceMicros, `${before} ${there} ${after}`);
});

test('timers call back once each, the shorter delay first', async (t) => {
  const fired: string[] = [];
  await new Promise<void>((resolve) => {
    systemClock.setTimer(40, () => {
      fired.push('long');
      systemClock.setTimer(40, resolve);
    });
    systemClock.setTimer(1, () => fired.push('short'));
  });
  t.deepEqual(fired, ['short', 'long']);
});

test('a cancelled timer does not fire', async (t) => {
  let fired = false;
  const timer = systemClock.setTimer(1, () => {
    fired = true;
  });
  timer.cancel();
  await new Promise<void>((resolve) => systemClock.setTimer(20, resolve));
  t.false(fired);
});

test('cancelling a timer that has fired does nothing, twice too', async (t) => {
  const timer = await new Promise<{ cancel(): void }>((resolve) => {
    const created = systemClock.setTimer(1, () => resolve(created));
  });
  t.notThrows(() => timer.cancel());
  t.notThrows(() => timer.cancel());
});

test('a timer keeps the process alive, a background timer does not', async (t) => {
  const script = (background: boolean) => `
    import { systemClock } from ${JSON.stringify(clockModule)};
    systemClock.setTimer(${background ? 600_000 : 10}, () => console.log('fired'), ${background});`;
  const alive = await runProgram('--input-type=module', ['--eval', script(false)]);
  t.deepEqual(alive, { exitCode: 0, stdout: 'fired\n', stderr: '' });
  const ended = await runProgram('--input-type=module', ['--eval', script(true)]);
  t.deepEqual(ended, { exitCode: 0, stdout: '', stderr: '' });
});

test('a timer that is longer than those of Node.js does not fire at once', async (t) => {
  const warnings: string[] = [];
  const onWarning = ({ name }: Error) => void warnings.push(name);
  process.on('warning', onWarning);
  const fired: number[] = [];
  const timers = [2 ** 31, 2 ** 40, Infinity].map((delayMs) =>
    systemClock.setTimer(delayMs, () => fired.push(delayMs)),
  );
  // Node.js would fire them after one millisecond, and so before this one.
  await new Promise<void>((resolve) => void systemClock.setTimer(20, resolve));
  for (const timer of timers) timer.cancel();
  process.off('warning', onWarning);
  t.deepEqual(fired, []);
  t.deepEqual(warnings, []);
});
