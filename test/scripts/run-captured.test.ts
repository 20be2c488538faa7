import { readFileSync } from 'node:fs';
import test from 'ava';
import { projectFolder } from '../support/project.js';

const { runCaptured } = (await import(`${new URL(`file://${projectFolder}`)}scripts/run-captured.mjs`)) as {
  runCaptured(
    command: string,
    args: string[],
    options: { timeoutMs: number; silenceMs?: number; quiet: boolean },
  ): Promise<{ exitCode: number | null; output: string; leftovers: string[] }>;
};

const node = (script: string, timeoutMs = 60_000) =>
  runCaptured(process.execPath, ['--eval', script], { timeoutMs, quiet: true });

test('output of both kinds and the exit code are kept', async (t) => {
  const { exitCode, output, leftovers } = await node(`console.log('one'); console.error('two'); process.exitCode = 3;`);
  t.is(exitCode, 3);
  t.deepEqual(output.trim().split('\n').sort(), ['one', 'two']);
  t.deepEqual(leftovers, []);
});

test('a process that was left behind is named and ended', async (t) => {
  const { exitCode, output, leftovers } = await node(`
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    child.on('spawn', () => { console.log(child.pid); process.exit(0); });`);
  t.is(exitCode, 0);
  const pid = Number(output.trim());
  t.is(leftovers.length, 1);
  t.regex(leftovers[0] as string, new RegExp(`^${pid} .*setInterval`));
  // A signal takes a moment to arrive; ava's own limit ends this loop when it never does.
  while (isRunning(pid)) await new Promise((resolve) => setImmediate(resolve));
  t.pass();
});

test('a command that does not end is ended', async (t) => {
  const { exitCode, output } = await node('setInterval(() => {}, 1000)', 200);
  t.is(exitCode, null);
  t.regex(output, /ended: still running after timeoutMs=200/);
});

test('a command that falls silent is ended, and named', async (t) => {
  const { exitCode, output, leftovers } = await runCaptured(
    process.execPath,
    ['--eval', 'setInterval(() => {}, 1000)'],
    { timeoutMs: 60_000, silenceMs: 1000, quiet: true },
  );
  t.is(exitCode, null);
  t.regex(output, /ended: wrote nothing for silenceMs=1000\n$/);
  t.is(leftovers.length, 1);
});

test('a command that is not there is an error', async (t) => {
  await t.throwsAsync(runCaptured('no-such-command-here', [], { timeoutMs: 1000, quiet: true }), { code: 'ENOENT' });
});

/** Whether a process still runs: one that has ended stays in the table until its parent, or process 1, takes note. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
