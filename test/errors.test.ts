import { runInNewContext } from 'node:vm';
import test from 'ava';
import {
  describe,
  errorCodes,
  HeddleError,
  RemoteError,
  requireInteger,
  thrownFacts,
  thrownText,
} from '../src/errors.js';
import { thrownValues } from './support/thrown-values.js';

test('a HeddleError carries its code, message, cause and details', (t) => {
  const cause = new Error('socket hang up');
  const details = { peer: 'tcp://127.0.0.1:4000' };
  const error = new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the peer was lost', { cause, details });
  t.true(error instanceof Error);
  t.is(error.name, 'HeddleError');
  t.is(error.code, 'ERR_HEDDLE_DISCONNECTED');
  t.is(error.message, 'the peer was lost');
  t.is(error.cause, cause);
  t.deepEqual(error.details, details);
});

test('without options a HeddleError has no cause property and empty details', (t) => {
  const error = new HeddleError('ERR_HEDDLE_TIMEOUT', 'the deadline passed');
  t.false(Object.hasOwn(error, 'cause'));
  t.deepEqual(error.details, {});
});

test('every code has the prefix of the project and a meaning', (t) => {
  const entries = Object.entries(errorCodes);
  t.true(entries.length > 0);
  for (const [code, meaning] of entries) {
    t.regex(code, /^ERR_HEDDLE_[A-Z]+(?:_[A-Z]+)*$/);
    t.true(meaning.length > 10, `${code} needs a meaning`);
  }
});

test('meanings are distinct, so that no two codes stand for the same thing', (t) => {
  const meanings = Object.values(errorCodes);
  t.is(new Set(meanings).size, meanings.length);
});

test('a RemoteError keeps the class, code and stack of the other side', (t) => {
  const error = new RemoteError({
    name: 'TypeError',
    message: 'x is not a function',
    code: 'ERR_SOMETHING',
    stack: 'TypeError: x is not a function\n    at there.js:1:2',
  });
  t.true(error instanceof HeddleError);
  t.is(error.name, 'RemoteError');
  t.is(error.code, 'ERR_HEDDLE_REMOTE');
  t.is(error.message, 'TypeError: x is not a function');
  t.is(error.remoteName, 'TypeError');
  t.is(error.remoteCode, 'ERR_SOMETHING');
  t.is(error.remoteStack, 'TypeError: x is not a function\n    at there.js:1:2');
  t.true(error.stack?.includes('errors.test'), 'where it was received');
  t.true(error.stack?.endsWith('at there.js:1:2'), 'and, below, where it was thrown');
});

test('a RemoteError without a code and a stack has neither', (t) => {
  const error = new RemoteError({ name: 'Error', message: 'no' });
  t.is(error.remoteCode, undefined);
  t.is(error.remoteStack, undefined);
  t.false(error.stack?.includes('at the other side'));
});

test('requireInteger returns integers within the bounds, both included', (t) => {
  t.is(requireInteger('depth', 1, 1, 3), 1);
  t.is(requireInteger('depth', 3, 1, 3), 3);
});

for (const value of [0, 4, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2', 2n, null, undefined, {}]) {
  test(`requireInteger refuses ${typeof value} ${String(value)} where 1 to 3 is asked for`, (t) => {
    const error = t.throws(() => requireInteger('depth', value, 1, 3), { instanceOf: HeddleError });
    t.is(error.code, 'ERR_HEDDLE_INVALID_ARGUMENT');
    t.is(error.message, `depth must be an integer from 1 to 3, not ${describe(value)}`);
    t.deepEqual(error.details, { depth: value });
  });
}

for (const [title, make, says] of thrownValues) {
  test(`facts and text of ${title}, thrown`, (t) => {
    const { name, message, code, stack } = thrownFacts(make());
    t.is(typeof name, 'string');
    t.regex(message, says);
    for (const fact of [code, stack]) t.true(fact === undefined || typeof fact === 'string');
    t.is(typeof thrownText(make()), 'string');
  });
}

test('an error of another realm is an error', (t) => {
  const { name, message, stack } = thrownFacts(runInNewContext('new RangeError("too far")'));
  t.deepEqual([name, message], ['RangeError', 'too far']);
  t.regex(stack ?? '', /RangeError: too far/);
});
