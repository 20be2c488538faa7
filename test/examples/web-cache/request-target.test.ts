import test from 'ava';
import fc from 'fast-check';
import { isHidden, pathOfTarget } from '../../../examples/web-cache/request-target.js';

const paths: Readonly<Record<string, string | undefined>> = {
  '/': '/',
  '/a/b.html?x=/../y#z': '/a/b.html',
  '/a%20b': '/a b',
  '/a/../b': '/b',
  '/../../etc/passwd': '/etc/passwd',
  '/%2e%2e/%2e%2e/etc/passwd': '/etc/passwd',
  '/..%2f..%2fetc': '/etc',
  '//a///b/': '/a/b/',
  '/a/.': '/a/',
  '/a/b/..': '/a/',
  '/%': undefined,
  '/%00': undefined,
  '/a%5c..%5cb': undefined,
  '*': undefined,
  a: undefined,
};
for (const [target, path] of Object.entries(paths))
  test(`${target} means ${path}`, (t) => t.is(pathOfTarget(target), path));

test('a path has no way up, and is its own path', (t) => {
  const parts = fc.constantFrom('/', '.', '..', '%2e', '%2F', 'a', '%41', '?', '//');
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (words) => {
      const path = pathOfTarget(`/${words.join('')}`);
      if (path === undefined) return false;
      return !path.split('/').some((segment) => segment === '..' || segment === '.') && pathOfTarget(path) === path;
    }),
  );
  t.pass();
});

test('what begins with a dot is hidden', (t) => {
  t.true(isHidden('/.git/config'));
  t.true(isHidden('/a/.env'));
  t.false(isHidden('/a.b/c.html'));
});
