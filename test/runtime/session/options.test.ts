import test from 'ava';
import {
  type ConnectionOptions,
  changeLiveOptions,
  defaultConnectionOptions,
  mergeConnectionOptions,
} from '../../../src/runtime/session/options.js';

const names = Object.keys(defaultConnectionOptions) as (keyof ConnectionOptions)[];

test('changes are laid over the base, and what is undefined changes nothing', (t) => {
  const merged = mergeConnectionOptions(defaultConnectionOptions, { closeTimeoutMs: 7, connectTimeoutMs: undefined });
  t.deepEqual(merged, { ...defaultConnectionOptions, closeTimeoutMs: 7 });
  t.deepEqual(mergeConnectionOptions(merged, merged), merged);
});

test('every option refuses what is no integer in its range, and says which', (t) => {
  for (const name of names) {
    for (const value of [-1, 1.5, Number.NaN, 2 ** 40, '1', null]) {
      const error = t.throws(() => mergeConnectionOptions(defaultConnectionOptions, { [name]: value }), {
        code: 'ERR_HEDDLE_INVALID_ARGUMENT',
      });
      t.true(error?.message.includes(name), name);
    }
  }
});

test('a request may wait for ever, nothing else may', (t) => {
  t.is(mergeConnectionOptions(defaultConnectionOptions, { requestTimeoutMs: Infinity }).requestTimeoutMs, Infinity);
  t.throws(() => mergeConnectionOptions(defaultConnectionOptions, { closeTimeoutMs: Infinity }), {
    code: 'ERR_HEDDLE_INVALID_ARGUMENT',
  });
});

test('an option that does not exist is refused', (t) => {
  const changes = { recieveDepthMessages: 3 } as Partial<ConnectionOptions>;
  t.throws(() => mergeConnectionOptions(defaultConnectionOptions, changes), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
  t.throws(() => changeLiveOptions(defaultConnectionOptions, changes), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});

test('what was agreed at setup cannot be changed on a running connection, the rest can', (t) => {
  const fixed = ['receiveDepthMessages', 'receiveDepthBytes', 'connectTimeoutMs', 'reconnectTimeoutMs'];
  for (const name of names) {
    const change = () => changeLiveOptions(defaultConnectionOptions, { [name]: 1 });
    if (fixed.includes(name)) t.throws(change, { code: 'ERR_HEDDLE_INVALID_STATE' });
    else t.is(change()[name], 1);
  }
});
