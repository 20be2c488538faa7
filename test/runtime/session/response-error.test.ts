import test from 'ava';
import type { Message } from '../../../src/runtime/message/message.js';
import { readError, writeError } from '../../../src/runtime/session/response-error.js';

const received = (data: Buffer | string) => ({ data: Buffer.from(data) }) as unknown as Message;

test('an error arrives with its class, message, code and stack', (t) => {
  const error = Object.assign(new RangeError('too far'), { code: 'EFAR' });
  const read = readError(received(writeError(error, 100_000)));
  t.like(read, {
    code: 'ERR_HEDDLE_REMOTE',
    message: 'RangeError: too far',
    remoteName: 'RangeError',
    remoteCode: 'EFAR',
  });
  t.regex(read.remoteStack ?? '', /response-error\.test/);
});

test('of what exceeds the limit the stack goes first, then the end of the message, in the end all', (t) => {
  const error = new TypeError('m'.repeat(1500));
  for (const limitBytes of [5000, 1600, 200, 30, 3]) t.true(writeError(error, limitBytes).length <= limitBytes);
  t.is(readError(received(writeError(error, 1600))).remoteStack, undefined);
  t.is(readError(received(writeError(error, 200))).message, `TypeError: ${'m'.repeat(100)}`);
  t.is(readError(received(writeError(error, 3))).message, 'Error: the other side gave no reason');
});

test('what does not say what an error says is one still', (t) => {
  for (const data of ['', 'null', '7', '[1]', '"text"', '{', '{"name":7,"message":null}']) {
    t.is(readError(received(data)).message, 'Error: the other side gave no reason', data);
  }
});
