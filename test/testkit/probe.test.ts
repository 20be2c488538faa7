import test, { type ExecutionContext } from 'ava';
import { type ActorRef, HeddleError } from '../../src/index.js';
import { createTestKit, ExpectationError, type TestKitOptions } from '../../src/testkit.js';
import { Alarm, Clerk, type PrinterMessages } from './fixtures/actors.js';

async function makeKit(t: ExecutionContext, options: TestKitOptions = {}) {
  const kit = await createTestKit(options);
  t.teardown(() => kit.close());
  const printer = kit.probe<PrinterMessages>('printer');
  return { kit, printer, clerk: kit.system.spawnHere(Clerk, { printer: printer.ref }) };
}

test('a probe takes what it gets in order, and the test answers what it is asked', async (t) => {
  const { printer, clerk } = await makeKit(t);
  const printed = clerk.ask('print', ['one', 'two']);
  await printer.expectMessage('print', 'one');
  await printer.expectMessage('print', 'two');
  const question = await printer.expectMessage('printed');
  t.true(question.isAsk);
  question.reply(2);
  question.reply(3);
  t.is(await printed, 2);
  t.deepEqual(
    printer.received.map(({ name, payload, isAsk }) => [name, payload, isAsk]),
    [
      ['print', 'one', false],
      ['print', 'two', false],
      ['printed', undefined, true],
    ],
  );
});

test('a probe refuses, and who asked gets the error', async (t) => {
  const { printer, clerk } = await makeKit(t);
  const outcome = t.throwsAsync(clerk.ask('print', []));
  (await printer.expectMessage('printed')).refuse(new RangeError('no paper'));
  t.regex((await outcome)?.message ?? '', /RangeError: no paper/);
});

test('answers that are set beforehand are given at once', async (t) => {
  const { printer, clerk } = await makeKit(t);
  printer.answer('printed', () => 7);
  t.is(await clerk.ask('print', ['page']), 7);
  printer.answer('printed', async () => 8);
  t.is(await clerk.ask('print', []), 8);
  printer.answer('printed', () => {
    throw new RangeError('jammed');
  });
  await t.throwsAsync(clerk.ask('print', []), { message: /jammed/ });
  await printer.expectMessage('print', 'page');
  await printer.expectNothing();
  t.is(printer.received.filter(({ name }) => name === 'printed').length, 3);
});

test('another message than the expected one is an error that shows both', async (t) => {
  const { printer } = await makeKit(t);
  printer.ref.tell('print', 'one');
  const error = await t.throwsAsync(printer.expectMessage('print', 'two'), { instanceOf: ExpectationError });
  t.is(error?.code, 'ERR_HEDDLE_EXPECTATION');
  t.regex(error?.message ?? '', /^printer@main\/\S+ expected print 'two', and got print 'one'$/);
  t.deepEqual(
    [error?.expected, error?.actual],
    [
      { name: 'print', payload: 'two' },
      { name: 'print', payload: 'one' },
    ],
  );
  printer.ref.tell('warmUp');
  await t.throwsAsync(printer.expectMessage('printed'), { message: /expected printed, and got warmUp/ });
});

test('a message that does not come is a timeout that says what did', async (t) => {
  const { printer } = await makeKit(t, { withinMs: 20 });
  const error = await t.throwsAsync(printer.receiveOne(), { instanceOf: HeddleError });
  t.is(error?.code, 'ERR_HEDDLE_TIMEOUT');
  t.regex(error?.message ?? '', /waited in vain for a message: withinMs=20$/);
  printer.ref.tell('print', 'one');
  await t.throwsAsync(printer.fishFor('warmUp', { withinMs: 30 }), {
    message: /in vain for warmUp: .* it got print 'one'/,
  });
  await t.throwsAsync(printer.receiveMany(2), { message: /message 1 of 2/ });
  await t.throwsAsync(printer.receiveOne({ withinMs: -1 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  await t.throwsAsync(printer.receiveMany(2, { timeoutMs: 5 } as object), {
    code: 'ERR_HEDDLE_INVALID_ARGUMENT',
    message: /a probe has no option timeoutMs: it takes withinMs/,
  });
});

test('fishing passes over what is not wanted', async (t) => {
  const { printer, clerk } = await makeKit(t);
  clerk.tell('twoAtOnce');
  t.is((await printer.fishFor('warmUp')).name, 'warmUp');
  clerk.tell('twoAtOnce');
  const second = await printer.fishFor((message) => message.name === 'print' && message.payload === 'a');
  t.is(second.payload as string, 'a');
  await printer.expectMessage('warmUp');
});

test('several may wait: first come, first served', async (t) => {
  const { printer } = await makeKit(t);
  const waiting = [printer.receiveOne(), printer.receiveOne()];
  printer.ref.tell('print', 'one');
  printer.ref.tell('print', 'two');
  t.deepEqual(
    (await Promise.all(waiting)).map(({ payload }) => payload),
    ['one', 'two'],
  );
});

test('nothing means nothing', async (t) => {
  const { printer } = await makeKit(t);
  await printer.expectNothing(1);
  printer.ref.tell('print', 'one');
  const error = await t.throwsAsync(printer.expectNothing(1), { instanceOf: ExpectationError });
  t.regex(error?.message ?? '', /expected nothing, and got print 'one'/);
});

test('a probe learns of the end of who it watches, with the reason', async (t) => {
  const { kit, printer, clerk } = await makeKit(t, { supervision: { decide: () => 'stop' } });
  const alarm = kit.system.spawnHere(Alarm, { bell: kit.probe().ref });
  printer.watch(alarm);
  printer.watch(clerk);
  alarm.tell('fail');
  await kit.system.stop(clerk);
  const ends = await Promise.all([printer.expectTermination(clerk), printer.expectTermination(alarm)]);
  t.deepEqual(
    ends.map(({ reason }) => reason),
    ['stopped', 'failed'],
  );
  const other = kit.system.spawnHere(Clerk, { printer: printer.ref });
  await t.throwsAsync(printer.expectTermination(other, { withinMs: 10 }), { message: /in vain for the end of clerk@/ });
});

test('a probe that is stopped leaves nobody waiting', async (t) => {
  const { printer, clerk } = await makeKit(t);
  const asked = t.throwsAsync(clerk.ask('print', []), { message: /was stopped/ });
  await printer.fishFor('printed');
  const waiting = t.throwsAsync(printer.receiveOne(), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
  await printer.stop();
  await Promise.all([asked, waiting]);
  await t.throwsAsync(printer.receiveOne(), { code: 'ERR_HEDDLE_ACTOR_STOPPED' });
});

test('actors of other threads reach a probe, and it them', async (t) => {
  const { kit, printer } = await makeKit(t, { contexts: 1, ringCapacityBytes: 64 * 1024 });
  const clerk = await kit.system.spawn(Clerk, { printer: printer.ref });
  t.is(clerk.contextName, 'worker-1');
  const printed = clerk.ask('print', ['far']);
  await printer.expectMessage('print', 'far');
  (await printer.expectMessage('printed')).reply(1);
  t.is(await printed, 1);
  printer.watch(clerk);
  await kit.system.stop(clerk);
  t.is((await printer.expectTermination(clerk)).reason, 'stopped');
});

test('names and payloads that the protocol does not have do not compile', async (t) => {
  const { printer } = await makeKit(t);
  printer.ref.tell('print', 'page');
  const message = await printer.expectMessage('print', 'page');
  const page: string = message.payload;
  t.is(page, 'page');
  // @ts-expect-error there is no such message
  printer.answer('fax', () => 1);
  // @ts-expect-error a page is text
  const wrong = () => printer.expectMessage('print', 5);
  // @ts-expect-error the reply is a number
  printer.answer('printed', () => 'many');
  t.is(typeof wrong, 'function');
  const any: ActorRef<{ whatever(): void }> = (await makeKit(t)).kit.probe().ref;
  t.true(any.tell('whatever'));
});
