import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import test from 'ava';
import {
  type ActorLifeMessage,
  currentTrace,
  type MessageTraceMessage,
  propagate,
  withTrace,
} from '../../../src/index.js';
import { readCarrier } from '../../../src/runtime/actors/trace-context.js';
import { Counter } from './fixtures/counter.js';
import { Traced, tenant, withBaggage } from './fixtures/traced.js';
import { Untraced } from './fixtures/untraced.js';
import { testSystem, until } from './support.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;
const trace = { traceparent, tracestate: 'rojo=1,congo=2' };
const spanIdOf = (text: string | undefined) => text?.slice(36, 52);

for (const on of ['here', 'worker-1']) {
  test.serial(`a trace and chosen values come with asks and tells, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const actor = await system.spawn(Traced, undefined, { on });
    await withTrace(trace, () =>
      tenant.run('acme', () =>
        withBaggage(3, async () => {
          for (const message of ['see', 'seeLater'] as const) {
            const seen = await actor.ask(message);
            t.is(seen.trace?.parentSpanId, spanId, message);
            t.is(seen.trace?.tracestate, trace.tracestate);
            t.regex(String(seen.trace?.traceparent), new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
            t.not(spanIdOf(seen.trace?.traceparent), spanId, 'each message is a span of its own');
            t.is(seen.tenant, 'acme');
            t.is(seen.baggage, 4, 'what `run` makes of what `capture` gave');
          }
          actor.tell('note');
        }),
      ),
    );
    const seen = await actor.ask('see');
    t.deepEqual(seen, { trace: undefined, tenant: undefined, baggage: undefined }, 'nothing is left of it behind');
    const told = await actor.ask('told');
    t.is(told[0]?.trace?.parentSpanId, spanId);
    t.is(told[0]?.tenant, 'acme');
  });
}

// One after the other: they share the channels of this thread.
test.serial('a trace goes on from actor to actor, through threads that do not know the values', async (t) => {
  const { system } = await testSystem(t, { contexts: 3 });
  const first = await system.spawn(Traced, undefined, { on: 'worker-1' });
  const second = await system.spawn(Traced, undefined, { on: 'worker-2' });
  const third = await system.spawn(Untraced, undefined, { on: 'worker-3' });
  const seen = await withTrace(trace, () => tenant.run('acme', () => first.ask('relay', [second])));
  t.is(seen[1]?.trace?.parentSpanId, spanIdOf(seen[0]?.trace?.traceparent), 'the hop before is the parent');
  t.is(seen[1]?.tenant, 'acme');

  const passed = await withTrace(trace, () => tenant.run('acme', () => third.ask('relay', first)));
  t.is(passed[0]?.trace?.parentSpanId, spanId);
  t.is(passed[1]?.trace?.parentSpanId, spanIdOf(passed[0]?.trace?.traceparent));
  t.is(passed[1]?.tenant, 'acme', 'passed on by a thread that cannot read it');
});

test.serial('a stashed message keeps what came with it', async (t) => {
  const { system } = await testSystem(t);
  const actor = system.spawnHere(Traced);
  const seen = withTrace(trace, () => tenant.run('acme', () => actor.ask('seeWhenUnstashed')));
  tenant.run('other', () => actor.tell('unstash'));
  t.is((await seen)?.tenant, 'acme');
  t.is((await seen)?.trace?.parentSpanId, spanId);
});

test.serial('withTrace takes valid headers over, and begins a new trace otherwise', (t) => {
  t.is(currentTrace(), undefined);
  withTrace(trace, () => t.like(currentTrace(), { ...trace, parentSpanId: undefined }));
  for (const bad of [
    undefined,
    { traceparent: '' },
    { traceparent: `00-${'0'.repeat(32)}-${spanId}-01` },
    { traceparent: `00-${traceId}-${'0'.repeat(16)}-01` },
    { traceparent: `ff-${traceId}-${spanId}-01` },
    { traceparent: traceparent.toUpperCase() },
  ]) {
    const begun = withTrace(bad, () => currentTrace()?.traceparent);
    t.regex(String(begun), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    t.false(begun?.includes(traceId));
  }
  withTrace({ traceparent, tracestate: 'x'.repeat(600) }, () => t.is(currentTrace()?.tracestate, undefined));
});

test.serial('what another context sends along is checked', (t) => {
  for (const bad of [undefined, null, 'text', {}, [], [5, 6, 7], ['00-zz'], [undefined, 'state', 5]]) {
    t.is(readCarrier(bad), undefined, JSON.stringify(bad));
  }
  t.deepEqual(readCarrier([traceparent, 5, null]), {
    trace: { traceparent, tracestate: undefined },
    values: undefined,
  });
});

test.serial('propagate checks what it is given, and can be ended', async (t) => {
  // @ts-expect-error a storage, or a pair of functions
  const none = () => propagate({ name: 'none' });
  t.throws(none, { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => propagate({ name: '', storage: tenant }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => propagate({ name: 'tenant', storage: tenant }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  const storage = new AsyncLocalStorage<{ readonly id: number }>();
  const end = propagate({ name: 'request', storage });
  const { system } = await testSystem(t);
  const seen: unknown[] = [];
  const onStart = () => void seen.push(storage.getStore());
  subscribe('tracing:heddle:message:start', onStart);
  t.teardown(() => unsubscribe('tracing:heddle:message:start', onStart));
  const actor = system.spawnHere(Traced);
  const request = { id: 1 };
  await storage.run(request, () => actor.ask('see'));
  t.is(seen[0], request, 'by reference, within a thread');
  end();
  await storage.run(request, () => actor.ask('see'));
  propagate({ name: 'request', storage })();
});

for (const on of ['here', 'worker-1']) {
  test.serial(`diagnostics channels tell of messages and lives, ${on}`, async (t) => {
    const { system } = await testSystem(t, { contexts: on === 'here' ? 0 : 1 });
    const listener = await system.spawn(Traced, undefined, { on });
    const events = async (count: number) => {
      await until(async () => (await listener.ask('events')).length >= count, `${count} events`);
      return (await listener.ask('events')).splice(0);
    };
    await listener.ask('listen');
    const counter = await system.spawn(Counter, { start: 7 }, { on });
    counter.tell('add', 1);
    t.is(await counter.ask('get'), 8);
    t.is(await counter.ask('later', 1), 8);
    await t.throwsAsync(counter.ask('refuse'), { message: /not today/ });
    counter.tell('fail', 'on purpose');
    t.is(await counter.ask('get'), 7);
    await system.stop(counter);
    t.deepEqual(await events(17), [
      'spawn counter',
      ...['start add', 'end add'],
      ...['start get?', 'end get? 8'],
      ...['start later?', 'end later?', 'asyncStart later? 8', 'asyncEnd later? 8'],
      ...['start refuse?', 'error refuse? Refusal: not today', 'end refuse? Refusal: not today'],
      ...['start fail', 'error fail TypeError: on purpose', 'end fail TypeError: on purpose'],
      'restart counter',
      ...['start get?', 'end get? 7'],
      'stop counter stopped',
    ]);
  });
}

test.serial('a trace shows in the events, and stores bound to the channel are there in the handler', async (t) => {
  const { system } = await testSystem(t);
  const spans = new AsyncLocalStorage<string>();
  const seen: MessageTraceMessage[] = [];
  const lives: ActorLifeMessage[] = [];
  const onMessage = (message: unknown) => void seen.push(message as MessageTraceMessage);
  const onLife = (message: unknown) => void lives.push(message as ActorLifeMessage);
  const { start, end } = tracingChannel('heddle:message');
  start.bindStore(spans, (message) => `span of ${(message as MessageTraceMessage).name}`);
  end.subscribe(onMessage);
  channel('heddle:actor:spawn').subscribe(onLife);
  t.teardown(() => {
    start.unbindStore(spans);
    end.unsubscribe(onMessage);
    channel('heddle:actor:spawn').unsubscribe(onLife);
  });
  const stop = propagate({ name: 'span', storage: spans });
  const actor = system.spawnHere(Traced);
  const seenThere = await withTrace(trace, () => actor.ask('relay', [system.spawnHere(Traced)]));
  t.is(seenThere.length, 2);
  t.deepEqual(
    seen.map(({ name, trace: its }) => [name, its?.parentSpanId]),
    [
      ['relay', spanId],
      ['see', spanIdOf(seenThere[0]?.trace?.traceparent)],
    ],
  );
  t.is(lives.length, 2);
  t.true(lives[0]!.ref.equals(actor));
  stop();
});
