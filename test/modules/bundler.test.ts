import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { projectFolder } from '../support/project.js';
import { counterIn, mainWith, makeProject, runNode } from './support.js';

const esbuild = join(projectFolder, 'node_modules/esbuild/bin/esbuild');
/** What a bundle for Node.js is made with: heddle, which has threads of its own to start, stays out of it. */
const common = ['--bundle', '--platform=node', '--format=esm', '--packages=external', '--outdir=bundle'];

async function bundle(t: ExecutionContext, url: string, ...options: string[]): Promise<string> {
  const folder = await makeProject(t, { 'counter.ts': counterIn(url), 'main.ts': mainWith('./counter.ts') });
  const { exitCode, stderr } = await runNode(folder, esbuild, 'main.ts', ...common, ...options);
  t.is(exitCode, 0, stderr);
  return folder;
}

test('actors as entry points of their own, with code splitting: import.meta.url is where their code is', async (t) => {
  const folder = await bundle(t, 'import.meta.url', 'counter.ts', '--splitting');
  const { stdout, stderr } = await runNode(folder, 'bundle/main.js');
  t.is(stderr, '');
  t.is(stdout, '42 worker-1\n');
});

test('bundles that share no code: the actor says by URL which of them defines it', async (t) => {
  const folder = await bundle(t, "new URL('./counter.js', import.meta.url)", 'counter.ts');
  t.deepEqual(readdirSync(join(folder, 'bundle')).sort(), ['counter.js', 'main.js']);
  const { stdout, stderr } = await runNode(folder, 'bundle/main.js');
  t.is(stderr, '');
  t.is(stdout, '42 worker-1\n');
});

test('the same, minified: names of messages are kept', async (t) => {
  const folder = await bundle(t, "new URL('./counter.js', import.meta.url)", 'counter.ts', '--minify');
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
