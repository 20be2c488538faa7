import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { loadNativeBells } from '../../../src/transports/shm/native-bell.js';
import { runProgram } from '../../support/run-program.js';

const bells = loadNativeBells()!;
const ringerUrl = new URL('./native-bell-worker.js', import.meta.url);

/** Keeps the event loop going: bells do not. */
function hold(): Disposable {
  const timer = setInterval(() => {}, 1000);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

test('a bell wakes the thread that opened it, from another thread and from its own', async (t) => {
  using _ = hold();
  for (const ring of [
    (bell: number) => bells.ring(bell),
    (bell: number) => void new Worker(ringerUrl, { workerData: { ring: bell } }),
  ]) {
    let bell = 0;
    const rung = new Promise<void>((resolve) => {
      bell = bells.open(resolve);
    });
    t.true(bell > 0);
    ring(bell);
    await rung;
    bells.close(bell);
  }
});

test('a bell that is closed, or was never opened, is rung in vain', async (t) => {
  let rings = 0;
  const closed = bells.open(() => rings++);
  bells.close(closed);
  bells.close(closed);
  const next = bells.open(() => rings++);
  t.not(next, closed, 'numbers are not used again');
  for (const bell of [closed, 0, -1, 5, 2 ** 30 + 5, Number.NaN, 'x' as unknown as number]) bells.ring(bell);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(rings, 0);
  bells.close(next);
});

test('a bell is opened with a function, and closed where it was opened', async (t) => {
  t.throws(() => bells.open(undefined as unknown as () => void), { message: /onRing must be a function/ });
  const bell = bells.open(() => {});
  const worker = new Worker(ringerUrl, { workerData: { close: bell } });
  const [message] = await once(worker, 'message');
  t.is(message, 'a bell is closed by the thread that opened it');
  await worker.terminate();
  bells.close(bell);
});

test('threads that end or are terminated while their bells are rung harm nobody', async (t) => {
  for (let round = 0; round < 30; round++) {
    const worker = new Worker(ringerUrl, { workerData: { open: 20 } });
    const [numbers] = (await once(worker, 'message')) as [number[]];
    const ended = round % 2 === 0 ? worker.terminate() : once(worker, 'exit');
    if (round % 2 === 1) worker.postMessage('end');
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    while (!isOver) {
      for (const bell of numbers) bells.ring(bell);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  t.pass();
});

test('an error in the callback is an uncaught exception, and an open bell does not hold the process', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram('dist/test/transports/shm/native-bell-process.js');
  t.is(stderr, '');
  t.is(stdout, 'caught: the bell broke\nstill running\n');
  t.is(exitCode, 0);
});
