import test from 'ava';
import { startProcess, startThread } from '../../../bench/harness/role.js';

const sample = new URL('./fixtures/sample-role.js', import.meta.url).href;

for (const [kind, start] of [
  ['thread', startThread],
  ['process', startProcess],
] as const) {
  test(`a ${kind} answers calls, with results or with errors`, async (t) => {
    const role = await start(sample, 'adder', { start: 40 });
    t.is(await role.call<number>('add', 2), 42);
    t.is(await role.call<number>('addLater', 3), 43);
    await t.throwsAsync(role.call('fail'), { message: /RangeError: out of range/ });
    await t.throwsAsync(role.call('nothing'), { message: /no handler named nothing/ });
    await role.stop();
    await t.throwsAsync(role.call('add', 1), { message: /exited/ });
  });

  test(`a ${kind} that ends fails the call under way`, async (t) => {
    const role = await start(sample, 'adder', { start: 0 });
    await t.throwsAsync(role.call('exit'), { message: /exited with code 3/ });
    await role.stop();
  });

  test(`a ${kind} that cannot start says why`, async (t) => {
    await t.throwsAsync(start(sample, 'broken'), { message: /cannot start/ });
    await t.throwsAsync(start(sample, 'absent'), { message: /no role named absent/ });
  });
}
