import test from 'ava';
import { importedFiles, importProblem } from './support/architecture.js';
import { projectFiles, readProjectFile } from './support/project.js';

const maximumLines = 450;
const sources = projectFiles('src').filter((path) => path.endsWith('.ts'));

test('imports in src/ follow the arrows', (t) => {
  t.true(sources.length > 0);
  const problems = sources.flatMap((path) =>
    importedFiles(path, readProjectFile(path)).flatMap((imported) => importProblem(path, imported) ?? []),
  );
  t.deepEqual(problems, []);
});

test('every import in src/ leads to a file', (t) => {
  const known = new Set(sources);
  const dangling = sources.flatMap((path) =>
    importedFiles(path, readProjectFile(path))
      .filter((imported) => !known.has(imported))
      .map((imported) => `${path} -> ${imported}`),
  );
  t.deepEqual(dangling, []);
});

test(`no file in src/ exceeds ${maximumLines} lines`, (t) => {
  const long = sources
    .map((path) => ({ path, lines: readProjectFile(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > maximumLines);
  t.deepEqual(long, []);
});

test('imports are found in every form, and in code alone', (t) => {
  const source = `
    import { a } from './a.js';
    import type {
      B,
    } from '../b.js';
    import './c.js';
    export * from "./d.js";
    export { type E } from './e.js';
    const late = await import('./f.js');
    new Worker(new URL('./g.js', import.meta.url));
    type H = import('./h.js').H;
    // import './comment.js';
    /** import { x } from './docstring.js'; */
    import os from 'node:os';
    import { pack } from 'msgpackr';
    const advice = "use new URL('./text.js', import.meta.url)";
    const uri = 'tcp://host'; import './i.js';`;
  const names = ['src/x/a.ts', 'src/b.ts', ...['c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name) => `src/x/${name}.ts`)];
  t.deepEqual(importedFiles('src/x/y.ts', source).sort(), names.sort());
});

const allowed = [
  ['src/runtime/context/context.ts', 'src/runtime/session/session.ts'],
  ['src/runtime/context/context.ts', 'src/transports/shm/shm-transport.ts'],
  ['src/runtime/context/context.ts', 'src/runtime/observe/statistics.ts'],
  ['src/runtime/session/session.ts', 'src/runtime/message/message.ts'],
  ['src/runtime/session/session.ts', 'src/runtime/memory/slab.ts'],
  ['src/runtime/session/session.ts', 'src/runtime/observe/statistics.ts'],
  ['src/runtime/message/message.ts', 'src/transports/record.ts'],
  ['src/runtime/memory/slab.ts', 'src/errors.ts'],
  ['src/runtime/actors/actor.ts', 'src/runtime/context/context.ts'],
  ['src/transports/tcp/tcp-link.ts', 'src/transports/record.ts'],
  ['src/transports/tcp/tcp-link.ts', 'src/clock.ts'],
  ['src/index.ts', 'src/runtime/context/context.ts'],
  ['src/cli/heddle.ts', 'src/transports/transport.ts'],
] as const;
for (const [from, to] of allowed) {
  test(`allowed: ${from} -> ${to}`, (t) => t.is(importProblem(from, to), undefined));
}

const forbidden = [
  ['src/transports/tcp/tcp-link.ts', 'src/runtime/message/message.ts'],
  ['src/transports/transport.ts', 'src/runtime/session/session.ts'],
  ['src/transports/tcp/tcp-link.ts', 'src/transports/shm/ring.ts'],
  ['src/transports/record.ts', 'src/transports/shm/ring.ts'],
  ['src/runtime/message/message.ts', 'src/runtime/session/session.ts'],
  ['src/runtime/memory/slab.ts', 'src/runtime/message/message.ts'],
  ['src/runtime/session/session.ts', 'src/runtime/context/context.ts'],
  ['src/runtime/context/context.ts', 'src/runtime/actors/actor.ts'],
  ['src/errors.ts', 'src/transports/record.ts'],
  ['src/runtime/message/message.ts', 'src/runtime/observe/statistics.ts'],
  ['src/runtime/context/context.ts', 'src/index.ts'],
  ['src/cli/heddle.ts', 'src/index.ts'],
  ['src/runtime/context/context.ts', 'src/cli/heddle.ts'],
  ['src/elsewhere/x.ts', 'src/errors.ts'],
  ['src/runtime/context/context.ts', 'test/support/x.ts'],
] as const;
for (const [from, to] of forbidden) {
  test(`forbidden: ${from} -> ${to}`, (t) => t.is(typeof importProblem(from, to), 'string'));
}
