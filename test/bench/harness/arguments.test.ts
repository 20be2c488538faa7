import test from 'ava';
import { parseArguments, UsageError } from '../../../bench/harness/arguments.js';

const known = ['shm-oneway-64', 'tcp-rtt'];

test('no words mean all benchmarks in full', (t) => {
  t.deepEqual(parseArguments([], known), { ids: [], jsonFile: undefined, quick: false, list: false, help: false });
});

test('ids and options may stand in any order', (t) => {
  t.deepEqual(parseArguments(['--quick', 'tcp-rtt', '--json', 'out.json', 'shm-oneway-64'], known), {
    ids: ['tcp-rtt', 'shm-oneway-64'],
    jsonFile: 'out.json',
    quick: true,
    list: false,
    help: false,
  });
  t.is(parseArguments(['--json=out.json'], known).jsonFile, 'out.json');
});

test('an id named twice runs once', (t) => {
  t.deepEqual(parseArguments(['tcp-rtt', 'tcp-rtt'], known).ids, ['tcp-rtt']);
});

test('a group stands for all its benchmarks', (t) => {
  const grouped = [...known, 'seeds/web-cache', 'seeds/paging'];
  t.deepEqual(parseArguments(['seeds/paging', 'seeds', 'tcp-rtt'], grouped).ids, [
    'seeds/paging',
    'seeds/web-cache',
    'tcp-rtt',
  ]);
  t.throws(() => parseArguments(['seed'], grouped), { instanceOf: UsageError, message: /seed; there are/ });
});

test('an unknown id is told along with the known ones', (t) => {
  const error = t.throws(() => parseArguments(['tcp-rrt'], known), { instanceOf: UsageError });
  t.regex(error?.message ?? '', /tcp-rrt/);
  for (const id of known) t.true(error?.message.includes(id));
});

test('an unknown option and a missing file name are refused', (t) => {
  t.throws(() => parseArguments(['--fast'], known), { instanceOf: UsageError, message: /--fast/ });
  t.throws(() => parseArguments(['--json'], known), { instanceOf: UsageError, message: /--json/ });
  t.throws(() => parseArguments(['--json', '--quick'], known), { instanceOf: UsageError, message: /--json/ });
});

test('--list and --help are seen', (t) => {
  t.true(parseArguments(['--list'], known).list);
  t.true(parseArguments(['-h'], known).help);
});
