import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const modelPath = fileURLToPath(new URL('../../../test/model/ring.pml', import.meta.url));

function run(command: string, args: string[], directory: string): string {
  try {
    return execFileSync(command, args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const failure = error as NodeJS.ErrnoException & { stdout?: string; stderr?: string };
    if (failure.code === 'ENOENT') {
      const packageName = command === 'spin' ? 'spin' : 'gcc libc6-dev';
      throw new Error(
        `the model checker cannot run: ${command} was not found; install it: apt-get install ${packageName}`,
      );
    }
    throw new Error(`${command} ${args.join(' ')} failed:\n${failure.stdout ?? ''}${failure.stderr ?? ''}`);
  }
}

/** Tries all interleavings of the model and returns the verifier's report. */
function check(definitions: Record<string, number>): string {
  const directory = mkdtempSync(join(tmpdir(), 'heddle-model-'));
  try {
    const flags = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
    run('spin', [...flags, '-a', modelPath], directory);
    run('gcc', ['-O2', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], directory);
    return run('./pan', ['-m10000', '-n', '-w22'], directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const sizes of [
  { RINGS: 1, CAPACITY: 2, RECORDS: 8 },
  { RINGS: 1, CAPACITY: 3, RECORDS: 8 },
  { RINGS: 2, CAPACITY: 1, RECORDS: 3 },
]) {
  test.serial(`no interleaving loses a wakeup or a record: ${JSON.stringify(sizes)}`, (t) => {
    const report = check(sizes);
    t.regex(report, /errors: 0/);
    t.notRegex(report, /not completed|too small|out of memory/i);
    const states = Number(/(\d+) states, stored/.exec(report)?.[1]);
    t.true(states > 10_000, `only ${states} states: the model does not do what it should`);
  });
}

const mistakes: [number, string, RegExp][] = [
  [1, 'the producer loads the sleeping flag before it stores the tail', /invalid end state/],
  [2, 'the consumer looks at its rings before it stores the sleeping flag', /invalid end state/],
  [3, 'the producer looks for room before it stores its own sleeping flag', /invalid end state/],
  [4, 'the consumer loads the want-room flag before it stores the head', /invalid end state/],
  [5, 'the tail is stored before the record is written', /assertion violated/],
  [6, 'the head is stored before the record has been read', /assertion violated/],
  [7, 'the sleeping flag is taken without ringing', /invalid end state/],
];

for (const [broken, mistake, finding] of mistakes) {
  test.serial(`the model finds a mistake: ${mistake}`, (t) => {
    const report = check({ BROKEN: broken });
    t.regex(report, finding);
    t.regex(report, /errors: 1/);
  });
}
