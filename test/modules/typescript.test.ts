import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { createNode, createSystem, defineActor, HeddleError } from '../../src/index.js';
import { counterIn, mainWith, makeProject, runNode } from './support.js';

/** Whether this Node.js runs TypeScript by itself. */
const stripsTypes = Boolean((process.features as { typescript?: unknown }).typescript);
const main = "export default (): string => 'typed';\n";
const withEnum = 'enum Colour { Red }\nexport default () => Colour.Red;\n';

test('an actor and a program in .ts run as they are, where Node.js strips types', async (t) => {
  const folder = await makeProject(t, {
    'counter.ts': counterIn('import.meta.url'),
    'main.ts': mainWith('./counter.ts'),
  });
  const { stdout, stderr, exitCode } = await runNode(folder, '--disable-warning=ExperimentalWarning', 'main.ts');
  if (stripsTypes) {
    t.is(stderr, '');
    t.is(stdout, '42 worker-1\n');
    t.is(exitCode, 0);
  } else {
    t.regex(stderr, /Unknown file extension "\.ts"/, 'Node.js itself says so, of the main module');
    t.is(exitCode, 1);
  }
});

test('elsewhere the module of an actor in .ts is refused with advice', async (t) => {
  const folder = await makeProject(t, { 'counter.ts': counterIn('import.meta.url') });
  const url = pathToFileURL(join(folder, 'counter.ts'));
  const system = await createSystem({ contexts: 1 });
  // A system does not keep the process alive, and ava ends a test when nothing else does.
  const hold = setInterval(() => {}, 60_000);
  t.teardown(async () => {
    await system.close();
    clearInterval(hold);
  });
  // As if a loader of this thread alone had loaded it.
  const Counter = defineActor(url, { name: 'counter', state: (_: { start: number }) => ({}), handlers: { add() {} } });
  const spawned = system.spawn(Counter, { start: 0 });
  if (stripsTypes) {
    t.is((await spawned).contextName, 'worker-1');
  } else {
    const error = await t.throwsAsync(spawned, { instanceOf: HeddleError });
    t.is(error?.code, 'ERR_HEDDLE_TYPESCRIPT');
    t.regex(
      error?.message ?? '',
      /counter\.ts: Node\.js v20\S+ does not run TypeScript by itself: use 22\.18 or newer/,
    );
  }
});

const cases: readonly [title: string, file: string, code: string, stripped: RegExp | string, else_: RegExp][] = [
  ['a context in .ts', 'context.ts', main, 'typed', /does not run TypeScript by itself/],
  ['one in node_modules', 'node_modules/x/context.ts', main, /have that package publish JavaScript/, /use 22\.18/],
  ['one with an enum', 'context.ts', withEnum, /Node\.js only strips types/, /use 22\.18/],
  ['one in .tsx', 'context.tsx', main, /Node\.js runs no JSX/, /Node\.js runs no JSX/],
];
for (const [title, file, code, stripped, otherwise] of cases) {
  test(`${title} runs, or is refused with advice`, async (t) => {
    const folder = await makeProject(t, { [file]: code });
    const node = createNode();
    t.teardown(() => node.close());
    const started = node.startContext(join(folder, file));
    const expected = stripsTypes ? stripped : otherwise;
    if (typeof expected === 'string') {
      t.is((await started).value, expected);
      return;
    }
    const error = await t.throwsAsync(started, { instanceOf: HeddleError });
    t.is(error?.code, 'ERR_HEDDLE_CONTEXT_START');
    t.is((error?.cause as HeddleError | undefined)?.code, 'ERR_HEDDLE_TYPESCRIPT');
    t.regex(error?.message ?? '', expected);
  });
}

test('a .js that is there as .ts alone: the error names the file', async (t) => {
  const folder = await makeProject(t, { 'context.ts': main, 'other.mjs': "import './context.js';\n" });
  const node = createNode();
  t.teardown(() => node.close());
  for (const file of ['context.js', 'other.mjs']) {
    await t.throwsAsync(node.startContext(join(folder, file)), { message: /there is \S+context\.ts, however/ });
  }
});
