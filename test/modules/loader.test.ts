import test from 'ava';
import { counterIn, mainWith, makeProject, runNode } from './support.js';

/** A loader as tsx is one, of a few lines: it takes types away by esbuild, and finds the .ts behind a .js. */
const hooks = `import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';

export async function resolve(specifier, context, next) {
  if (/^\\.\\.?\\/.*\\.js$/.test(specifier)) {
    const url = new URL(specifier.replace(/js$/, 'ts'), context.parentURL);
    if (existsSync(fileURLToPath(url))) return { url: url.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { code } = await transform(readFileSync(fileURLToPath(url), 'utf8'), { loader: 'ts', format: 'esm' });
  return { format: 'module', source: code, shortCircuit: true };
}
`;

test('a loader that is given to node serves the contexts as well', async (t) => {
  const folder = await makeProject(t, {
    'hooks.mjs': hooks,
    'register.mjs': "import { register } from 'node:module';\nregister('./hooks.mjs', import.meta.url);\n",
    'counter.ts': counterIn('import.meta.url'),
    'main.ts': mainWith('./counter.js'),
  });
  // Loaders on a thread of their own are deprecated from Node.js 26 on, and work still.
  const options = ['--disable-warning=DEP0205', '--import', './register.mjs'];
  const { stdout, stderr, exitCode } = await runNode(folder, ...options, 'main.ts');
  t.is(stderr, '');
  t.is(stdout, '42 worker-1\n');
  t.is(exitCode, 0);
});
