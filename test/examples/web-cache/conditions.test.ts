import test from 'ava';
import { isNotModified, rangeOf } from '../../../examples/web-cache/conditions.js';
import type { RequestHead } from '../../../examples/web-cache/request-parser.js';

const file = { etag: '"v1"', lastModified: 'Sat, 21 Nov 2026 12:00:00 GMT', lengthBytes: 100 };
const plain: RequestHead = {
  method: 'GET',
  target: '/',
  isHttp11: true,
  keepAlive: true,
  ifNoneMatch: undefined,
  ifModifiedSince: undefined,
  range: undefined,
  ifRange: undefined,
};

test('an entity tag decides, alone or in a list, and before a date', (t) => {
  const check = (ifNoneMatch: string, ifModifiedSince?: string) =>
    isNotModified(file, { ...plain, ifNoneMatch, ifModifiedSince });
  t.true(check('"v1"'));
  t.true(check('W/"v1"'));
  t.true(check('"v0", "v1"'));
  t.true(check('*'));
  t.false(check('"v2"', file.lastModified));
});

test('without a tag the date decides, if it is one', (t) => {
  const check = (ifModifiedSince: string) => isNotModified(file, { ...plain, ifModifiedSince });
  t.true(check(file.lastModified));
  t.true(check('Sat, 21 Nov 2026 12:00:01 GMT'));
  t.false(check('Sat, 21 Nov 2026 11:59:59 GMT'));
  t.false(check('yesterday'));
});

const ranges: readonly (readonly [string, ReturnType<typeof rangeOf>])[] = [
  ['bytes=0-0', { start: 0, end: 1 }],
  ['bytes=10-', { start: 10, end: 100 }],
  ['bytes=90-200', { start: 90, end: 100 }],
  ['bytes=-1', { start: 99, end: 100 }],
  ['bytes=-200', { start: 0, end: 100 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=5-4', undefined],
  ['bytes=-', undefined],
  ['bytes=0-1,5-6', undefined],
  ['lines=0-1', undefined],
];
for (const [range, expected] of ranges) {
  test(`of 100 bytes ${range} is ${JSON.stringify(expected)}`, (t) => {
    t.deepEqual(rangeOf(file, { ...plain, range }), expected);
    t.is(rangeOf(file, { ...plain, range, method: 'HEAD' }), undefined);
    t.is(rangeOf(file, { ...plain, range, ifRange: '"v0"' }), undefined);
    t.deepEqual(rangeOf(file, { ...plain, range, ifRange: '"v1"' }), expected);
    t.deepEqual(rangeOf(file, { ...plain, range, ifRange: file.lastModified }), expected);
  });
}
