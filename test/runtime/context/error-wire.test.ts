import test from 'ava';
import { HeddleError, RemoteError } from '../../../src/errors.js';
import { fromWireError, outcomeOf, toWireError, unwrapOutcome } from '../../../src/runtime/context/error-wire.js';

const overTheWire = (thrown: unknown) => fromWireError(structuredClone(toWireError(thrown)));

test('a HeddleError arrives as one, with code, details, stack and cause', (t) => {
  const cause = new TypeError('why');
  const error = new HeddleError('ERR_HEDDLE_REFUSED', 'nobody', { details: { name: 'x' }, cause });
  const arrived = overTheWire(error);
  t.true(arrived instanceof HeddleError);
  t.false(arrived instanceof RemoteError);
  t.like(arrived, { code: 'ERR_HEDDLE_REFUSED', message: 'nobody', details: { name: 'x' }, stack: error.stack! });
  t.like(arrived.cause, { remoteName: 'TypeError', message: 'TypeError: why' });
});

test('another error arrives as a RemoteError that shows the stack of the other side', (t) => {
  const error = Object.assign(new RangeError('too far'), { code: 'ERR_FAR' });
  const arrived = overTheWire(error) as RemoteError;
  t.true(arrived instanceof RemoteError);
  t.is(arrived.remoteName, 'RangeError');
  t.is(arrived.remoteCode, 'ERR_FAR');
  t.is(arrived.remoteStack, error.stack);
});

test('an error that only looks like a HeddleError is none', (t) => {
  const arrived = fromWireError({ name: 'HeddleError', message: 'x', code: 'ERR_HEDDLE_NO_SUCH_CODE', details: {} });
  t.true(arrived instanceof RemoteError);
  t.true(fromWireError({ name: 'X', message: 'x', code: 'toString', details: {} }) instanceof RemoteError);
});

test('details that cannot be cloned arrive in words', (t) => {
  const arrived = overTheWire(new HeddleError('ERR_HEDDLE_CLOSED', 'x', { details: { callback: () => 1, size: 5 } }));
  t.is(typeof arrived.details.callback, 'string');
});

test('what is thrown need not be an error, and causes may go in a circle', (t) => {
  t.regex(overTheWire({ a: 1 }).message, /not an Error: \{ a: 1 \}/);
  t.regex(overTheWire(undefined).message, /undefined/);
  const circular = new Error('round');
  circular.cause = circular;
  t.notThrows(() => overTheWire(circular));
});

test('an outcome is what work came to', async (t) => {
  t.is(unwrapOutcome(await outcomeOf(async () => 5)), 5);
  const failed = await outcomeOf(() => {
    throw new HeddleError('ERR_HEDDLE_CLOSED', 'shut');
  });
  t.throws(() => unwrapOutcome(failed), { code: 'ERR_HEDDLE_CLOSED', message: 'shut' });
});
