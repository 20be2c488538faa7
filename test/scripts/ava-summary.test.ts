import test from 'ava';
import { projectFolder } from '../support/project.js';

interface Summary {
  passed: number;
  failed: number;
  skipped: number;
  succeeded: boolean;
  problem: string | undefined;
}

const { summarize, formatCounts } = (await import(`${new URL(`file://${projectFolder}`)}scripts/ava-summary.mjs`)) as {
  summarize(output: string, exitCode: number | null): Summary;
  formatCounts(summary: Summary): string;
};

const lines = (...texts: string[]) => `${texts.join('\n')}\n`;

test('a run that passed', (t) => {
  const summary = summarize(lines('  ✔ a', '  ✔ b', '  ─', '', '  2 tests passed'), 0);
  t.deepEqual(summary, { passed: 2, failed: 0, skipped: 0, succeeded: true, problem: undefined });
  t.is(formatCounts(summary), '2 passed, 0 failed');
});

test('one test is counted too', (t) => {
  t.is(summarize(lines('  ✔ a', '  ─', '', '  1 test passed'), 0).passed, 1);
});

test('colours do not hide the counts', (t) => {
  const summary = summarize(lines('\u001b[90m  ─\u001b[39m', '', '  \u001b[32m3 tests passed\u001b[39m'), 0);
  t.is(summary.passed, 3);
  t.true(summary.succeeded);
});

test('a run that failed: ava does not say how many passed, the check marks do', (t) => {
  const output = lines(
    '  ✔ a',
    '  ✘ [fail]: b',
    '  ✔ c',
    '  ─',
    '',
    '  b',
    '  ✔ in a message',
    '  ─',
    '',
    '  1 test failed',
  );
  const summary = summarize(output, 1);
  t.false(summary.succeeded);
  t.is(summary.problem, 'tests failed');
  t.is(formatCounts(summary), '2 passed, 1 failed');
});

test('the ruler before the failures is not the last one', (t) => {
  const output = lines('  ✔ a', '  ─', '', '  title', '  9 tests passed', '  ─', '', '  1 test failed');
  const { passed, failed } = summarize(output, 1);
  t.deepEqual([passed, failed], [1, 1]);
});

test('hooks, pending tests, rejections, exceptions and known failures count as failed', (t) => {
  const rest = ['1 hook failed', '2 known failures', '1 unhandled rejection', '2 uncaught exceptions'];
  const output = lines('  ─', '', ...rest, '3 tests remained pending after a timeout');
  t.is(summarize(output, 1).failed, 9);
});

test('a known failure fails the run although ava ends well', (t) => {
  t.false(summarize(lines('  ─', '', '  2 tests passed', '  1 known failure'), 0).succeeded);
});

test('skipped tests and tests to be written are counted and printed', (t) => {
  const summary = summarize(lines('  ─', '', '  2 tests passed', '  1 test skipped', '  2 tests todo'), 0);
  t.is(formatCounts(summary), '2 passed, 0 failed, 3 skipped');
});

test('no test at all is a failure', (t) => {
  t.is(summarize(lines('  ✘ Couldn’t find any files to test'), 0).problem, "ava's closing summary is missing");
  t.is(summarize(lines('  ─', ''), 0).problem, 'no test was executed');
  t.is(summarize(lines('  ─', '', '  1 test skipped'), 0).problem, 'no test was executed');
});

test('an exit code without a failed test is a failure', (t) => {
  const summary = summarize(
    lines('  ✘ x.test.js exited with a non-zero exit code: 1', '  ─', '', '  2 tests passed'),
    1,
  );
  t.is(formatCounts(summary), '2 passed, 1 failed');
  t.is(summary.problem, 'the test run exited with code 1');
  t.is(summarize('', null).problem, 'the test run was ended by a signal');
});

test('a run that was ended before its summary keeps the tests that had passed, and failed', (t) => {
  const summary = summarize(lines('  ✔ a', '  ✔ b'), null);
  t.is(formatCounts(summary), '2 passed, 1 failed');
  t.false(summary.succeeded);
});

test('what a test prints before the last ruler does not count', (t) => {
  const { passed } = summarize(lines('7 tests passed', '  ─', '', '  2 tests passed'), 0);
  t.is(passed, 2);
});
