import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';

const program = fileURLToPath(new URL('./fixtures/processes/run.js', import.meta.url));

class Run {
  readonly child: ChildProcessWithoutNullStreams;
  readonly lines: string[] = [];
  errors = '';
  readonly #onLine = new Set<() => void>();
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(t: ExecutionContext, scenario: string) {
    this.child = spawn(process.execPath, [program, scenario]);
    t.teardown(() => this.child.kill('SIGKILL'));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(line);
      for (const listener of this.#onLine) listener();
    });
    this.child.stderr.on('data', (chunk) => {
      this.errors += chunk;
    });
    this.ended = once(this.child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** Resolves to the first line that starts so. */
  line(start: string): Promise<string> {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.lines.find((line) => line.startsWith(start));
        if (found === undefined) return;
        this.#onLine.delete(look);
        resolve(found);
      };
      this.#onLine.add(look);
      look();
    });
  }
}

async function runToEnd(t: ExecutionContext, scenario: string) {
  const run = new Run(t, scenario);
  const { code } = await run.ended;
  return { code, lines: run.lines, errors: run.errors };
}

test('nothing left to do: contexts are stopped in order, and the process exits with 0', async (t) => {
  const { code, lines, errors } = await runToEnd(t, 'idle');
  t.deepEqual(lines, ['ended stopped', 'ended stopped', 'exit 0']);
  t.is(code, 0);
  t.is(errors, '');
});

test('the context of the main thread is stopped before the exit', async (t) => {
  const { code, lines } = await runToEnd(t, 'own');
  t.deepEqual(lines, ['exit 0', 'own context stopped 1']);
  t.is(code, 0);
});

test('outstanding work of the main context holds the process', async (t) => {
  const { code, lines } = await runToEnd(t, 'own-outstanding');
  t.deepEqual(lines, ['answered', 'exit 0']);
  t.is(code, 0);
});

test('a node that is closed holds the process no longer, though it was busy', async (t) => {
  const { code, lines } = await runToEnd(t, 'closed-while-busy');
  t.deepEqual(lines, ['timers 0', 'exit 0']);
  t.is(code, 0);
});

test('a node that begins while the last one closes holds the process', async (t) => {
  const { code, lines } = await runToEnd(t, 'another-while-asked');
  t.deepEqual(lines, ['stopped', 'exit 0']);
  t.is(code, 0);
});

test('a timer in a worker holds the process, and what it prints is seen', async (t) => {
  const { code, lines } = await runToEnd(t, 'print-soon');
  t.deepEqual(lines, ['printed by the worker', 'exit 0']);
  t.is(code, 0);
});

test('a start that is under way holds the process', async (t) => {
  const { code, lines } = await runToEnd(t, 'starting');
  t.deepEqual(lines, ['started', 'printed by the worker', 'exit 0']);
  t.is(code, 0);
});

test('messages between idle contexts hold the process until the last one', async (t) => {
  const { code, lines } = await runToEnd(t, 'ping-pong');
  t.deepEqual(lines, ['the last message', 'the last message', 'exit 0']);
  t.is(code, 0);
});

test('one-way messages between real contexts hold the process until the last one', async (t) => {
  for (let round = 0; round < 5; round++) {
    const { code, lines } = await runToEnd(t, 'bounce');
    t.deepEqual(lines, ['the last message', 'exit 0']);
    t.is(code, 0);
  }
});

test('a file operation in a worker holds the process', async (t) => {
  const run = new Run(t, 'worker-fs');
  const path = (await run.line('pipe ')).slice('pipe '.length);
  await writeFile(path, 'through the pipe\n');
  t.deepEqual(await run.ended, { code: 0, signal: null });
  t.deepEqual(run.lines.slice(1), ['read through the pipe', 'exit 0']);
});

test('a computation on the thread pool holds the process', async (t) => {
  const { code, lines } = await runToEnd(t, 'worker-crypto');
  t.deepEqual(lines, ['derived 16 bytes', 'exit 0']);
  t.is(code, 0);
});

test('a server in a worker keeps the process', async (t) => {
  const run = new Run(t, 'serve');
  await run.line('serving');
  // Several rounds of asking whether all is passive: with nothing to hold it, a process is gone after one.
  const idle = await runToEnd(t, 'idle');
  t.is(idle.code, 0);
  t.is(run.child.exitCode, null);
  process.kill(run.child.pid!, 'SIGTERM');
  t.deepEqual(await run.ended, { code: null, signal: 'SIGTERM' });
  t.deepEqual(run.lines, ['serving']);
});

test('who waits for the end of an idle context gets it, and may go on', async (t) => {
  const { code, lines } = await runToEnd(t, 'await-end');
  t.deepEqual(lines, ['ended stopped', 'ended stopped again', 'exit 0']);
  t.is(code, 0);
});

test('two nodes do not hold each other', async (t) => {
  const { code, lines } = await runToEnd(t, 'two-nodes');
  t.deepEqual(lines, ['exit 0']);
  t.is(code, 0);
});

test('nodes of two copies of heddle do not hold each other, nor end before the other has nothing left to do', async (t) => {
  const { code, lines } = await runToEnd(t, 'two-copies');
  t.deepEqual(lines, ['busy stopped, questions left 0', 'idle stopped, questions left 0', 'exit 0']);
  t.is(code, 0);
});

test('an uncaught error in the main thread ends the process with 1', async (t) => {
  const { code, lines, errors } = await runToEnd(t, 'throw');
  t.deepEqual(lines, ['exit 1']);
  t.is(code, 1);
  t.regex(errors, /main broke/);
});

test('process.exitCode is kept', async (t) => {
  const { code, lines } = await runToEnd(t, 'exit-code');
  t.deepEqual(lines, ['exit 5']);
  t.is(code, 5);
});

test('a crash of a context that nobody waits for is a warning', async (t) => {
  const { code, errors } = await runToEnd(t, 'crash');
  t.is(code, 0);
  t.regex(errors, /ERR_HEDDLE_CONTEXT_LOST|crashed: TypeError: something broke/);
});

test('a closed node leaves nothing behind', async (t) => {
  const { code, lines } = await runToEnd(t, 'closed');
  t.deepEqual(lines, ['closed', 'exit 0']);
  t.is(code, 0);
});
