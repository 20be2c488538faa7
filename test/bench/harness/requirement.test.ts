import test from 'ava';
import { describeMissing, findProgram, header, npmPackage, program } from '../../../bench/harness/requirement.js';

test('a program on the path is found, another is not', (t) => {
  t.is(typeof findProgram('node'), 'string');
  t.is(findProgram('no-such-program-anywhere'), undefined);
});

test('all that is missing is named, with the command that installs it', (t) => {
  const needs = [
    program('node', 'nodejs'),
    program('no-such-program-anywhere', 'some-package'),
    npmPackage('no-such-package-anywhere'),
    header('no/such/header.hpp', 'some-dev'),
  ];
  const missing = describeMissing(needs) ?? '';
  for (const word of [
    'no-such-program-anywhere',
    'some-package',
    'no-such-package-anywhere',
    'some-dev',
    'npm run bench:setup',
  ]) {
    t.true(missing.includes(word), word);
  }
  t.false(missing.includes('nodejs'));
  t.is(describeMissing(needs.slice(0, 1)), undefined);
});
