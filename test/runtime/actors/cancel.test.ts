import test from 'ava';
import { Asker, Fragile, Patient, Selfish } from './fixtures/cancel.js';
import { Doorkeeper } from './fixtures/doors.js';
import { testSystem, until } from './support.js';

for (const on of ['here', 'worker-1']) {
  test(`a handler learns that its ask was cancelled, or is overdue, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: 1 });
    const patient = await system.spawn(Patient, undefined, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    const abort = new AbortController();
    const cancelled = patient.ask('work', 'cancelled', { signal: abort.signal, timeoutMs: 60_000 });
    await until(async () => (await doors.ask('waiting', 'cancelled')) === 1);
    abort.abort();
    await t.throwsAsync(cancelled, { code: 'ERR_HEDDLE_CANCELLED' });
    await t.throwsAsync(patient.ask('work', 'overdue', { timeoutMs: 30 }), { code: 'ERR_HEDDLE_TIMEOUT' });
    const { begun, ended } = await patient.ask('news', undefined, { timeoutMs: 60_000 });
    t.is(ended[0], 'cancelled: ERR_HEDDLE_CANCELLED');
    // Its deadline may have passed before it was begun, on a busy machine.
    t.deepEqual(ended.slice(1), begun.includes('overdue') ? ['overdue: ERR_HEDDLE_TIMEOUT'] : []);
    t.deepEqual(failures, []);
  });

  test(`a handler that gives up because its ask was cancelled fails nobody, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: 1 });
    const patient = await system.spawn(Patient, undefined, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    const ways = ['reason', 'timer', 'ask', 'offload', 'another'];
    for (const how of ways) {
      const abort = new AbortController();
      const given = patient.ask('giveUp', { job: how, how }, { signal: abort.signal, timeoutMs: 60_000 });
      await until(async () => (await doors.ask('waiting', how)) === 1);
      abort.abort();
      await t.throwsAsync(given, { code: 'ERR_HEDDLE_CANCELLED' });
      // Behind it, since the actor handles one message at a time.
      if (how !== 'another') await patient.ask('note', `after ${how}`, { timeoutMs: 60_000 });
    }
    await until(() => failures.length > 0);
    t.deepEqual(
      failures.map(({ error }) => (error as Error).message.includes('another failure')),
      [true],
      'what fails for another reason is a failure still',
    );
    t.deepEqual((await patient.ask('news', undefined, { timeoutMs: 60_000 })).begun, [], 'of which it was restarted');
  });

  test(`a queued ask that nobody waits for is not run, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    const patient = await system.spawn(Patient, undefined, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    const blocked = patient.ask('block', 'door', { timeoutMs: 60_000 });
    await until(async () => (await doors.ask('waiting', 'door')) === 1);
    const abort = new AbortController();
    const first = patient.ask('note', 'cancelled', { signal: abort.signal });
    const second = patient.ask('note', 'overdue', { timeoutMs: 20 });
    patient.tell('note', 'told');
    const third = patient.ask('note', 'waited for', { timeoutMs: 60_000 });
    abort.abort();
    await t.throwsAsync(first, { code: 'ERR_HEDDLE_CANCELLED' });
    await t.throwsAsync(second, { code: 'ERR_HEDDLE_TIMEOUT' });
    doors.tell('open', 'door');
    await blocked;
    await third;
    t.deepEqual((await patient.ask('news')).begun, ['door', 'told', 'waited for']);
    t.is(system.host.asks.count, 0);
  });

  test(`an ask that is being handled when its actor is stopped is rejected when the stop waits no longer, ${on}`, async (t) => {
    const { system, failures } = await testSystem(t, { contexts: 1 });
    const patient = await system.spawn(Patient, undefined, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    const handled = patient.ask('block', 'stopped', { timeoutMs: 600_000 });
    await until(async () => (await doors.ask('waiting', 'stopped')) === 1);
    const rejected = t.throwsAsync(handled, { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await system.stop(patient);
    await rejected;
    // What the handler gives later is for nobody.
    doors.tell('open', 'stopped');
    t.is(await doors.ask('waiting', 'stopped'), 0);
    t.is(system.host.asks.count, 0);
    t.deepEqual(failures, []);
  });

  test(`an ask is rejected at once when its actor is stopped for another message's failure, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1, supervision: { decide: () => 'stop' } });
    const fragile = await system.spawn(Fragile, undefined, { on });
    const doors = await system.spawn(Doorkeeper, undefined, { on });
    const patience = { timeoutMs: 600_000 };
    const earlier = fragile.ask('wait', 'fragile', patience);
    const heeding = fragile.ask('heed', 'heeding', patience);
    await until(async () => (await doors.ask('waiting', 'fragile')) === 1);
    fragile.tell('fail');
    await t.throwsAsync(earlier, { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    await t.throwsAsync(heeding, { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
    // Its signal told the handler.
    await until(async () => (await doors.ask('waiting', 'heeding: ERR_HEDDLE_CANCELLED')) === 1);
    doors.tell('open', 'fragile');
    t.is(await doors.ask('waiting', 'fragile'), 0);
  });

  test(`the signal belongs to the message at hand, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1 });
    const patient = await system.spawn(Patient, undefined, { on });
    t.false(await patient.ask('isAborted'));
    await t.throwsAsync(patient.ask('tooLate'), { code: 'ERR_HEDDLE_INVALID_STATE' });
  });

  test(`asking oneself is reported past an await, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: 1, detectDeadlocks: true });
    const selfish = await system.spawn(Selfish, undefined, { on });
    const patience = { timeoutMs: 60_000 };
    await t.throwsAsync(selfish.ask('afterAwait', undefined, patience), { code: 'ERR_HEDDLE_DEADLOCK' });
    await t.throwsAsync(selfish.ask('byHandle', undefined, patience), { code: 'ERR_HEDDLE_DEADLOCK' });
    t.is(await selfish.ask('afterwards'), 'Promise');
    const other = await system.spawn(Selfish, undefined, { on });
    await selfish.ask('meet', other as never, patience);
    await until(async () => (await other.ask('first')) !== '');
    t.is(await other.ask('first'), 'answered');
  });
}

test('actor.ask reports asking oneself also where handlers are not followed', async (t) => {
  const { system } = await testSystem(t, { detectDeadlocks: false });
  const selfish = await system.spawn(Selfish, undefined, { on: 'here' });
  await t.throwsAsync(selfish.ask('byHandle', undefined, { timeoutMs: 60_000 }), { code: 'ERR_HEDDLE_DEADLOCK' });
});

test('the asks of a context that is lost are cancelled', async (t) => {
  const { system } = await testSystem(t, { contexts: 2 });
  const patient = await system.spawn(Patient, undefined, { on: 'worker-1' });
  const asker = await system.spawn(Asker, undefined, { on: 'worker-2' });
  const doors = await system.spawn(Doorkeeper, undefined, { on: 'worker-1' });
  asker.tell('begin', patient);
  await until(async () => (await doors.ask('waiting', 'for who is lost')) === 1);
  asker.tell('exit');
  const { ended } = await patient.ask('news', undefined, { timeoutMs: 60_000 });
  t.deepEqual(ended, ['for who is lost: ERR_HEDDLE_CANCELLED']);
});
