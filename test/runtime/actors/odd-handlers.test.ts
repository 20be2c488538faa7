import test from 'ava';
import { thenables, thrownValues } from '../../support/thrown-values.js';
import { Odd } from './fixtures/odd.js';
import { testSystem, until } from './support.js';

const messageOf = (error: unknown) => (error as Error).message;

for (const on of ['here', 'worker-1']) {
  const start = async (t: Parameters<typeof testSystem>[0]) => {
    const { system, failures } = await testSystem(t, {
      contexts: on === 'here' ? 0 : 1,
      restartContexts: false,
      supervision: { decide: () => 'resume' },
    });
    return { system, failures, odd: await system.spawn(Odd, undefined, { on }) };
  };

  test(`whatever a handler throws fails its actor, and no more, ${on}`, async (t) => {
    const { odd, failures } = await start(t);
    for (const [index, [title, , says]] of thrownValues.entries()) {
      for (const name of ['throwValue', 'rejectWith'] as const) {
        const [outcome] = await Promise.allSettled([odd.ask(name, index)]);
        t.is(outcome.status, 'rejected', title);
        // Within a context what was thrown is what rejects.
        if (on !== 'here') t.regex(messageOf((outcome as PromiseRejectedResult).reason), says, title);
        t.is(await odd.ask('echo', title), title);
      }
    }
    await until(() => failures.length === 2 * thrownValues.length);
  });

  test(`what is something like a promise is one, ${on}`, async (t) => {
    const { odd, failures } = await start(t);
    for (const [index, [title, , value, error]] of thenables.entries()) {
      const [outcome] = await Promise.allSettled([odd.ask('returnThenable', index)]);
      if (outcome.status === 'fulfilled') t.is(outcome.value, value, title);
      else t.regex(messageOf(outcome.reason), error as RegExp, title);
      t.is(await odd.ask('echo', title), title);
    }
    await until(() => failures.length === thenables.filter(([, , , error]) => error !== undefined).length);
  });

  test(`a message that is set aside by a handler that fails is dropped, ${on}`, async (t) => {
    const { odd, failures } = await start(t);
    for (const name of ['stashAndThrow', 'stashAndReject'] as const) {
      await t.throwsAsync(odd.ask(name), { message: /failed with a stashed message/ });
      t.is(await odd.ask('echo', 'replied to'), 'replied to');
      await odd.ask('unstash');
    }
    t.is(await odd.ask('echo', 'last'), 'last');
    t.is(failures.length, 2, 'neither was handled again');
  });

  test(`what a handler that sets its message aside returns is no reply, ${on}`, async (t) => {
    const { odd } = await start(t);
    const reply = odd.ask('stashFirst', 'first');
    t.is(await odd.ask('echo', 'meanwhile'), 'meanwhile');
    await odd.ask('unstash');
    t.is(await reply, 'first at last');
  });
}
