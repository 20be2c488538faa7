import test from 'ava';
import fc from 'fast-check';
import { type AnyActorRef, createRouter, defineActor } from '../../../src/index.js';
import { laneHighWater, laneWindow } from '../../../src/runtime/actors/lane.js';
import { Mailbox } from '../../../src/runtime/actors/mailbox.js';
import type { Ref } from '../../../src/runtime/actors/ref.js';
import { collectGarbage } from '../../support/garbage.js';
import { Counter } from './fixtures/counter.js';
import { Doorkeeper } from './fixtures/doors.js';
import { Slow } from './fixtures/life.js';
import { Alarmed, Dropping, Failing, Forgetting, Pressing, Sluggish } from './fixtures/slow.js';
import { testSystem, until } from './support.js';

test('a mailbox is a queue, whatever its length has been', (t) => {
  const steps = fc.array(fc.oneof(fc.constant('push'), fc.constant('shift'), fc.constant('unshift')), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, (commands) => {
      const mailbox = new Mailbox();
      const model: number[] = [];
      commands.forEach((command, number) => {
        if (command === 'push') {
          mailbox.push('name', number, undefined);
          model.push(number);
        } else if (command === 'unshift') {
          mailbox.unshift('name', number, undefined);
          model.unshift(number);
        } else {
          const expected = model.shift();
          t.is(mailbox.shift(), expected !== undefined);
          if (expected !== undefined) t.is(mailbox.payload, expected);
        }
        t.is(mailbox.size, model.length);
      });
    }),
  );
});

for (const [definition, on, expected, told] of [
  [Dropping, 'here', [0, 1, 2, 3], 'false'],
  [Dropping, 'worker-1', [0, 1, 2, 3], 'true'],
  [Forgetting, 'here', [2, 3, 4, 5], 'true'],
  [Forgetting, 'worker-1', [2, 3, 4, 5], 'true'],
  [Failing, 'here', [0, 1, 2, 3], 'ERR_HEDDLE_MAILBOX_FULL'],
  [Failing, 'worker-1', [0, 1, 2, 3], 'true'],
  [Pressing, 'here', [0, 1, 2, 3], 'false'],
] as const) {
  test(`a full mailbox, ${definition.name}, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const letters: string[] = [];
    system.on('deadLetter', ({ reason, name, to }) => letters.push(`${name} ${to.type} ${reason}`));
    const gate = await system.spawn(definition, undefined, { on });
    const doorkeeper = await system.spawn(Doorkeeper, undefined, { on });
    const door = `a full mailbox, ${definition.name}`;
    gate.tell('block', door);
    await until(async () => (await doorkeeper.ask('waiting', door)) === 1);
    const results: string[] = [];
    for (let i = 0; i < 6; i++) {
      try {
        results.push(String(gate.tell('see', i)));
      } catch (error) {
        results.push((error as { code: string }).code);
      }
    }
    t.is(results.at(-1), told);
    doorkeeper.tell('open', door);
    await until(async () => (await gate.ask('seen')).length >= 4);
    t.deepEqual(await gate.ask('seen'), [...expected]);
    await until(() => letters.length >= 2);
    t.deepEqual(letters, Array(2).fill(`see ${definition.name} mailbox-full`));
  });
}

test('an ask that finds the mailbox full is told so', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  for (const on of ['here', 'worker-1']) {
    const gate = await system.spawn(Pressing, undefined, { on });
    const doorkeeper = await system.spawn(Doorkeeper, undefined, { on });
    const door = 'an ask that finds the mailbox full';
    const blocked = gate.ask('block', door);
    await until(async () => (await doorkeeper.ask('waiting', door)) === 1);
    const asks = Array.from({ length: 6 }, () => gate.ask('open'));
    doorkeeper.tell('open', door);
    const outcomes = await Promise.allSettled(asks);
    const full = outcomes.filter(
      (outcome) => outcome.status === 'rejected' && outcome.reason.code === 'ERR_HEDDLE_MAILBOX_FULL',
    );
    t.is(full.length, 2, on);
    t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 4);
    await blocked;
  }
});

test('what is stashed comes back in order, before what came later; the stash is bounded', async (t) => {
  const { system } = await testSystem(t);
  const gate = await system.spawn(Dropping, undefined, { on: 'here' });
  for (let i = 0; i < 3; i++) gate.tell('stashed', i);
  await until(() => system.host.cells[0]!.inbox.runnable === 0);
  gate.tell('stashed', 3);
  gate.tell('open');
  gate.tell('see', 4);
  await until(async () => (await gate.ask('seen')).length === 4);
  t.deepEqual(await gate.ask('seen'), [0, 1, 2, 4]);
  t.is(system.deadLetterCounts['mailbox-full'], 1);
  const stashed = system.spawnHere(Dropping);
  const reply = stashed.ask('stashed', 7);
  stashed.tell('open');
  t.is(await reply, undefined, 'who asks gets the reply when the message is handled at last');
});

test('who asks after an actor that has gone takes nothing from who has its slot now', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const gone = (await system.spawn(Counter, { start: 0 }, { on: 'worker-1' })) as unknown as Ref;
  await system.stop(gone as unknown as AnyActorRef);
  const counter = await system.spawn(Counter, { start: 0 }, { on: 'worker-1' });
  t.is((counter as unknown as Ref).slot, gone.slot);
  counter.tell('add', 1);
  gone.tell('add', 1);
  const router = createRouter([gone as unknown as typeof counter, counter], { strategy: 'least-loaded' });
  await Promise.allSettled([router.ask('get'), gone.ready()]);
  const count = 2 * laneWindow;
  for (let i = 1; i < count; i++) if (!counter.tell('add', 1)) await counter.ready();
  t.is(await counter.ask('get'), count);
});

test('ready() waits for the actor, by whichever ref it was told too much', async (t) => {
  const { system } = await testSystem(t, { contexts: 1 });
  const slow = (await system.spawn(Slow, undefined, { on: 'worker-1' })) as unknown as Ref;
  const doors = await system.spawn(Doorkeeper, undefined, { on: 'worker-1' });
  const other = system.host.makeRef(slow.place, slow.slot, slow.generation, slow.type);
  t.not(other, slow);
  for (let i = 0; i < laneHighWater + 10; i++) slow.tell('wait', 'ready');
  let isReady = false;
  const ready = other.ready().then(() => {
    isReady = true;
  });
  await until(async () => (await doors.ask('waiting', 'ready')) === 1);
  t.false(isReady, 'all is delivered, and waits');
  const stopped = system.stop(slow as unknown as AnyActorRef);
  await doors.ask('open', 'ready');
  await Promise.all([stopped, ready]);
});

for (const on of ['here', 'worker-1']) {
  test(`a fast producer against a slow actor: what waits stays bounded, and nothing is lost, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const slow = await system.spawn(Sluggish, undefined, { on });
    const count = 50_000;
    let pauses = 0;
    for (let i = 0; i < count; i++) {
      if (slow.tell('work', { number: i, text: 'a job for the slow one' })) continue;
      pauses++;
      await slow.ready();
    }
    await until(async () => (await slow.ask('count')) === count);
    t.true(pauses > 2, `pauses=${pauses}`);
    const maximum = await slow.ask('maximum');
    t.true(maximum <= (on === 'here' ? 8192 : laneWindow), `maximum=${maximum}`);
    t.is(system.deadLetterCounts['mailbox-full'], 0);
  });

  test(`a producer that does not listen: its messages become dead letters, and memory is bounded, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const slow = await system.spawn(Sluggish, undefined, { on });
    const count = 30_000;
    for (let i = 0; i < count; i++) slow.tell('work', { number: i });
    const lost = system.deadLetterCounts['mailbox-full'];
    t.true(lost > 0);
    await until(async () => (await slow.ask('count')) === count - lost);
    t.true((await slow.ask('maximum')) <= 8192);
    t.is(system.deadLetters.length, 100);
  });
}

for (const [mailbox, highWater] of [
  [undefined, 4096],
  [{ urgent: ['stop'] }, 4096],
  [{ capacity: 99 }, 50],
  [{ capacity: 99, highWater: 20 }, 20],
  [{ highWater: 8192 }, 8192],
  [{ capacity: 1 }, 1],
] as const) {
  test(`senders are told to slow down in time, mailbox: ${JSON.stringify(mailbox)}`, async (t) => {
    const { system } = await testSystem(t);
    const definition = defineActor(import.meta.url, {
      name: `told ${JSON.stringify(mailbox)}`,
      mailbox,
      state: () => ({ handled: 0 }),
      handlers: { handle: (state) => ++state.handled, stop: () => {} },
    });
    const actor = system.spawnHere(definition);
    const answers = Array.from({ length: highWater }, () => actor.tell('handle'));
    t.deepEqual([answers.indexOf(false), answers.at(-1)], [highWater - 1, false]);
    let left = 0;
    await actor.ready().then(() => {
      left = system.host.cells[0]!.inbox.waiting;
    });
    t.true(left <= highWater / 2, `left=${left}`);
    await until(() => system.host.isAtRest);
    t.is(await actor.ask('handle'), highWater + 1);
  });
}

test('urgent messages count among those that wait', async (t) => {
  const { system } = await testSystem(t);
  const alarmed = system.spawnHere(Alarmed);
  const doorkeeper = system.spawnHere(Doorkeeper);
  alarmed.tell('block', 'alarmed');
  await until(async () => (await doorkeeper.ask('waiting', 'alarmed')) === 1);
  const welcomes = [alarmed.tell('see', 1), alarmed.tell('alarm'), alarmed.tell('alarm'), alarmed.tell('alarm')];
  t.deepEqual(welcomes, [true, true, true, false]);
  t.false(alarmed.tell('see', 2), 'and hold up the others');
  let isReady = false;
  const ready = alarmed.ready().then(() => {
    isReady = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isReady);
  await doorkeeper.ask('open', 'alarmed');
  await ready;
  t.deepEqual(await alarmed.ask('seen'), [1, 2]);
  t.true(alarmed.tell('alarm'));
});

test('a mailbox cannot tell its senders later than it is full', (t) => {
  for (const highWater of [0, 9, 1.5]) {
    const define = () =>
      defineActor(import.meta.url, {
        name: `late ${highWater}`,
        mailbox: { capacity: 8, highWater },
        state: () => ({}),
        handlers: {},
      });
    t.throws(define, { code: 'ERR_HEDDLE_INVALID_ARGUMENT', message: /highWater/ });
  }
});

test('an idle actor keeps the payload of its last message alive no longer', async (t) => {
  const { system } = await testSystem(t);
  const slow = system.spawnHere(Sluggish);
  // A function of its own, so that nothing of this one refers to the payload.
  const tellJob = () => {
    const job = { number: 1 };
    slow.tell('work', job);
    return new WeakRef(job);
  };
  const payload = tellJob();
  await until(() => {
    collectGarbage();
    return payload.deref() === undefined;
  });
  t.is(await slow.ask('count'), 1);
});
