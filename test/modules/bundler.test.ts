import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type BuildOptions, build } from 'esbuild';
import { counterIn, mainWith, makeProject, runNode } from './support.js';

/** What a bundle for Node.js is made with: heddle, which has threads of its own to start, stays out of it. */
const common = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  outdir: 'bundle',
} as const satisfies BuildOptions;

/** Makes a bundle of main.ts, and of the actor's module when it is an entry point, too. */
async function bundle(
  t: ExecutionContext,
  url: string,
  entries: readonly string[] = [],
  options: BuildOptions = {},
): Promise<string> {
  const folder = await makeProject(t, { 'counter.ts': counterIn(url), 'main.ts': mainWith('./counter.ts') });
  await build({ absWorkingDir: folder, entryPoints: ['main.ts', ...entries], ...common, ...options });
  return folder;
}

test('actors as entry points of their own, with code splitting: import.meta.url is where their code is', async (t) => {
  const folder = await bundle(t, 'import.meta.url', ['counter.ts'], { splitting: true });
  const { stdout, stderr } = await runNode(folder, 'bundle/main.js');
  t.is(stderr, '');
  t.is(stdout, '42 worker-1\n');
});

test('bundles that share no code: the actor says by URL which of them defines it', async (t) => {
  const folder = await bundle(t, "new URL('./counter.js', import.meta.url)", ['counter.ts']);
  t.deepEqual(readdirSync(join(folder, 'bundle')).sort(), ['counter.js', 'main.js']);
  const { stdout, stderr } = await runNode(folder, 'bundle/main.js');
  t.is(stderr, '');
  t.is(stdout, '42 worker-1\n');
});

test('the same, minified: names of messages are kept', async (t) => {
  const folder = await bundle(t, "new URL('./counter.js', import.meta.url)", ['counter.ts'], { minify: true });
  t.is((await runNode(folder, 'bundle/main.js')).stdout, '42 worker-1\n');
});

test('all in one file: the error says that the actor needs one of its own', async (t) => {
  const folder = await bundle(t, 'import.meta.url');
  const { stdout, stderr, exitCode } = await runNode(folder, 'bundle/main.js');
  t.is(stdout, '');
  t.is(exitCode, 1);
  t.regex(stderr, /ERR_HEDDLE_UNKNOWN_ACTOR_TYPE/);
  t.regex(stderr, /define actors in modules of their own, which a bundler must know as entry points/);
});
