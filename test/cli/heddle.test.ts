import test from 'ava';
import { readProjectFile } from '../support/project.js';
import { runProgram } from '../support/run-program.js';

const heddle = (...args: string[]) => runProgram('dist/src/cli/heddle.js', args);

const packageJson = JSON.parse(readProjectFile('package.json')) as { version: string; bin: { heddle: string } };

test('package.json names the program that these tests run', (t) => {
  t.is(packageJson.bin.heddle, 'dist/src/cli/heddle.js');
  t.true(readProjectFile(packageJson.bin.heddle).startsWith('#!/usr/bin/env node\n'));
});

test('--version prints the version of the package', async (t) => {
  t.deepEqual(await heddle('--version'), { exitCode: 0, stdout: `${packageJson.version}\n`, stderr: '' });
});

test('--help prints the commands', async (t) => {
  const { exitCode, stdout, stderr } = await heddle('--help');
  t.is(exitCode, 0);
  t.is(stderr, '');
  t.regex(stdout, /^Usage: heddle COMMAND/);
  t.regex(stdout, /^ {2}doctor {2}\S/m);
});

test('an unknown command exits with 2, says so and prints the help', async (t) => {
  const { exitCode, stdout, stderr } = await heddle('weave');
  t.is(exitCode, 2);
  t.is(stdout, '');
  t.regex(stderr, /^heddle: there is no command weave\nUsage: heddle COMMAND/);
});

test('no command at all exits with 2 and prints the help', async (t) => {
  const { exitCode, stderr } = await heddle();
  t.is(exitCode, 2);
  t.regex(stderr, /^heddle: no command given\nUsage: heddle COMMAND/);
});

test('a command has a help of its own', async (t) => {
  const { exitCode, stdout } = await heddle('doctor', '--help');
  t.is(exitCode, 0);
  t.regex(stdout, /^Usage: heddle doctor \[--json\]/);
});

for (const extra of ['--no-such-option', 'surplus']) {
  test(`doctor refuses ${extra} with 2 and its help`, async (t) => {
    const { exitCode, stdout, stderr } = await heddle('doctor', extra);
    t.is(exitCode, 2);
    t.is(stdout, '');
    t.true(stderr.includes(extra));
    t.regex(stderr, /^Usage: heddle doctor/m);
  });
}

test('doctor --json says for each thing what was found, and for each trouble what to do', async (t) => {
  const { exitCode, stdout, stderr } = await heddle('doctor', '--json');
  t.is(stderr, '');
  const report = JSON.parse(stdout) as {
    healthy: boolean;
    findings: { id: string; status: string; summary: string; action?: string; facts: Record<string, unknown> }[];
  };
  t.is(exitCode, report.healthy ? 0 : 1);
  t.is(
    report.healthy,
    report.findings.every(({ status }) => status !== 'problem'),
  );
  for (const { id, status, summary, action } of report.findings) {
    t.true(['ok', 'advice', 'problem'].includes(status), id);
    t.true(summary.length > 0, id);
    t.is(action === undefined, status === 'ok', id);
  }
  const node = report.findings.find(({ id }) => id === 'node');
  t.is(node?.facts.version, process.versions.node);
  t.is(node?.status, 'ok');
});

test('doctor tries both transports, which run wherever the tests do', async (t) => {
  const { exitCode, stdout } = await heddle('doctor');
  t.is(exitCode, 0);
  t.regex(stdout, /^ok +transport-shm +shm can run/m);
  t.regex(stdout, /^ok +transport-tcp +tcp can run/m);
  t.regex(stdout, /\n\n\d+ ok, \d+ advice, 0 problem\n$/);
});
