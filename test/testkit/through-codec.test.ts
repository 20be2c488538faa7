import test, { type ExecutionContext } from 'ava';
import { HeddleError, RemoteError } from '../../src/index.js';
import { createTestKit, type TestKitOptions } from '../../src/testkit.js';
import { Bufferer } from '../runtime/actors/fixtures/buffers.js';
import { Thermometer } from './fixtures/actors.js';

async function makeKit(t: ExecutionContext, options: TestKitOptions = {}) {
  const kit = await createTestKit(options);
  t.teardown(() => kit.close());
  return kit;
}

// What the compiler takes may hold what cannot travel.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;

test('who tells is told what in the message would not reach another thread', async (t) => {
  const kit = await makeKit(t);
  const thermometer = kit.system.spawnHere(Thermometer, { readings: [] });
  const listener = { onReading: { list: [1, { callback: () => {} }] } };
  const error = t.throws(() => thermometer.tell('subscribe', listener), { instanceOf: HeddleError });
  t.is(error?.code, 'ERR_HEDDLE_CODEC');
  t.is(
    error?.message,
    `the message subscribe to ${thermometer} would not reach another thread: at payload.onReading.list[1].callback, ` +
      'a function is found. Send data and refs only',
  );
  t.deepEqual(error?.details, { path: 'payload.onReading.list[1].callback', reason: 'a function is found' });
});

test('who asks gets it as the rejection, and it leaves nothing pending', async (t) => {
  const kit = await makeKit(t);
  const thermometer = kit.system.spawnHere(Thermometer, { readings: [] });
  const error = await t.throwsAsync(thermometer.ask('subscribe', { onReading: Symbol('x') }), {
    instanceOf: HeddleError,
  });
  t.is(error?.code, 'ERR_HEDDLE_CODEC');
  t.is(error?.details.path, 'payload.onReading');
  t.is(kit.system.host.asks.count, 0);
});

test('a reply that could not travel rejects the ask, and says where', async (t) => {
  const kit = await makeKit(t);
  const thermometer = kit.system.spawnHere(Thermometer, { readings: [] });
  const error = await t.throwsAsync(thermometer.ask('callback'), { instanceOf: HeddleError });
  t.is(error?.code, 'ERR_HEDDLE_CODEC');
  t.regex(error?.message ?? '', /what thermometer@main\/\S+ replied to callback .* at reply\.list\[1\]\.callback/);
});

test('what an actor is spawned with goes the same way', async (t) => {
  const kit = await makeKit(t);
  const bad = { readings: [], onChange: () => {} };
  const error = t.throws(() => kit.system.spawnHere(Thermometer, bad), { instanceOf: HeddleError });
  t.regex(error?.message ?? '', /what actor thermometer is spawned with .* at args\.onChange/);
  await t.throwsAsync(kit.system.spawn(Thermometer, bad, { on: 'here' }), { message: /at args\.onChange/ });
});

test('an actor that tells what cannot travel fails, and a probe that waits for it says so', async (t) => {
  const kit = await makeKit(t, { withinMs: 50 });
  const probe = kit.probe<{ reading(value: unknown): void }>();
  const thermometer = kit.system.spawnHere(Thermometer, { readings: [] });
  thermometer.tell('reportBadly', { to: probe.ref });
  const error = await t.throwsAsync(probe.expectMessage('reading'), { instanceOf: HeddleError });
  t.is(error?.code, 'ERR_HEDDLE_TIMEOUT');
  t.regex(error?.message ?? '', /thermometer@main.* failed \(restart\): .* at payload\.celsius\.format/);
  t.is(kit.failures.length, 1);
});

test('both sides have their own copy, and an instance of a class arrives as data', async (t) => {
  const kit = await makeKit(t);
  const readings = [1, 2];
  const thermometer = kit.system.spawnHere(Thermometer, { readings });
  readings.push(3);
  t.deepEqual(await thermometer.ask('read'), [1, 2]);
  const later = [4];
  thermometer.tell('set', later);
  later.push(5);
  t.deepEqual(await thermometer.ask('read'), [4]);
  t.not(await thermometer.ask('read'), await thermometer.ask('read'));

  const probe = kit.probe<{ reading(value: Any): void }>();
  thermometer.tell('reportTo', { to: probe.ref });
  const { payload } = await probe.expectMessage('reading');
  t.is(payload.degrees, 20);
  t.is(payload.toFahrenheit, undefined);
});

test('errors arrive as they do from another thread', async (t) => {
  const kit = await makeKit(t);
  const thermometer = kit.system.spawnHere(Thermometer, { readings: [] });
  const error = await t.throwsAsync(thermometer.ask('refuse', 'too hot'), { instanceOf: RemoteError });
  t.is(error?.remoteName, 'Refusal');
  t.is(error?.message, 'Refusal: too hot');
  const unknown = await t.throwsAsync((thermometer as Any).ask('cool'), { instanceOf: HeddleError });
  t.is((unknown as HeddleError).code, 'ERR_HEDDLE_UNKNOWN_MESSAGE');
});

test('it is the same with worker contexts: here by the codec, there by the wire', async (t) => {
  const kit = await makeKit(t, { contexts: 1, ringCapacityBytes: 64 * 1024 });
  const probe = kit.probe<{ reading(value: Any): void }>();
  for (const on of ['here', 'worker-1']) {
    const thermometer = await kit.system.spawn(Thermometer, { readings: [1] }, { on });
    t.is((await t.throwsAsync(thermometer.ask('refuse', 'too hot')))?.message, 'Refusal: too hot');
    t.is((await t.throwsAsync<HeddleError>(thermometer.ask('callback')))?.code, 'ERR_HEDDLE_CODEC');
    thermometer.tell('reportTo', { to: probe.ref });
    t.deepEqual((await probe.expectMessage('reading')).payload, { degrees: 20 });
  }
});

test('without it things go by reference', async (t) => {
  const kit = await makeKit(t, { throughCodec: false });
  const readings = [1];
  const thermometer = kit.system.spawnHere(Thermometer, { readings, onChange: () => {} });
  t.is(await thermometer.ask('read'), readings);
  const probe = kit.probe<{ reading(value: Any): void }>();
  thermometer.tell('reportTo', { to: probe.ref });
  t.is((await probe.expectMessage('reading')).payload.toFahrenheit(), 68);
});

test('a SharedBuffer moves: who sent it, or replied it, has it no more, and none is left behind', async (t) => {
  const kit = await makeKit(t);
  const { context } = kit.system.node;
  const bufferer = kit.system.spawnHere(Bufferer);
  const sent = context.allocate(1000);
  sent.bytes.fill(1);
  bufferer.tell('add', sent);
  t.throws(() => sent.bytes, { code: 'ERR_HEDDLE_BUFFER_RELEASED' });
  t.is(await bufferer.ask('sum'), 100);

  const asked = context.allocate(1000);
  asked.bytes[0] = 41;
  const answer = await bufferer.ask('echo', asked);
  t.is(answer.bytes[0], 42);
  t.false(asked.isHeld);
  answer.release();

  const inside = context.allocate(1000);
  inside.bytes.fill(3);
  const { whole, parts } = await bufferer.ask('split', { whole: inside });
  t.false(inside.isHeld);
  t.deepEqual([whole.length, whole.bytes[999], parts[0].length, parts[1].again === whole], [1000, 3, 10, true]);
  whole.release();
  parts[0].release();
  t.is(context.memory.buffersHeld, 0);
  const error = t.throws(() => bufferer.tell('add', sent), { instanceOf: HeddleError });
  t.is(error?.code, 'ERR_HEDDLE_BUFFER_RELEASED');
});
