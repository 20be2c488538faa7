import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import test from 'ava';
import { errorCodes } from '../src/errors.js';
import { counterNames, defaultConnectionOptions, defaultContextOptions } from '../src/index.js';
import { findCodeBlocks } from './support/markdown.js';
import { projectFiles, projectFolder, readProjectFile } from './support/project.js';
import { runProgram } from './support/run-program.js';

const pages = ['README.md', ...projectFiles('docs').filter((path) => /^docs\/[\w-]+\.md$/.test(path))];

/** Files that a page shows one after another, `// name.js` first, up to its main.js; and what that prints. */
interface DocumentedProgram {
  readonly title: string;
  readonly files: Map<string, string>;
  readonly output: string | undefined;
}

function findPrograms(page: string): DocumentedProgram[] {
  const blocks = findCodeBlocks(readProjectFile(page));
  const programs: DocumentedProgram[] = [];
  let files = new Map<string, string>();
  blocks.forEach(({ line, language, code }, index) => {
    const name = language === 'js' ? /^\/\/ ([\w-]+\.js)\b/.exec(code)?.[1] : undefined;
    if (name === undefined) return;
    files.set(name, code);
    const next = blocks[index + 1];
    const nextName = next === undefined ? undefined : /^\/\/ ([\w-]+\.js)\b/.exec(next.code)?.[1];
    // A page may show main.js first, and then the modules that it starts.
    if (!files.has('main.js') || (nextName !== undefined && nextName !== 'main.js' && name === 'main.js')) return;
    programs.push({
      title: `${page}:${line}`,
      files,
      output: next?.language === 'text' ? next.code : undefined,
    });
    files = new Map();
  });
  return programs;
}

const programs = pages.flatMap(findPrograms);

test('there are programs in the documentation', (t) => {
  t.true(programs.length >= 8);
  t.true(programs.filter(({ title }) => title.startsWith('README.md')).length >= 2);
});

for (const { title, files, output } of programs) {
  test(`the program at ${title} runs and prints what the page says`, async (t) => {
    // Inside of the project, where 'heddle' means this package.
    const folder = await mkdtemp(join(projectFolder, 'dist/documented-'));
    t.teardown(() => rm(folder, { recursive: true }));
    for (const [name, code] of files) await writeFile(join(folder, name), code);
    const end = await runProgram(relative(projectFolder, join(folder, 'main.js')));
    t.is(end.stderr, '');
    t.is(end.exitCode, 0);
    if (output === undefined) t.not(end.stdout, '');
    else t.is(end.stdout.trimEnd(), output);
  });
}

test('excerpts in the documentation are what their sources say', (t) => {
  let excerpts = 0;
  for (const page of pages) {
    for (const { line, code } of findCodeBlocks(readProjectFile(page))) {
      const path = /^\/\/ from ([\w/.-]+)\n/.exec(code)?.[1];
      if (path === undefined) continue;
      excerpts++;
      const excerpt = code.slice(code.indexOf('\n') + 1);
      t.true(readProjectFile(path).includes(excerpt), `${page}:${line} is not in ${path}`);
    }
  }
  t.true(excerpts > 10);
});

/** First columns of the tables of a page, or of one section of it: what stands there in code. */
function namesInTables(page: string, heading = ''): string[] {
  const text = readProjectFile(page);
  const start = text.indexOf(heading);
  const end = heading === '' ? -1 : text.indexOf('\n## ', start);
  return text
    .slice(start, end < 0 ? undefined : end)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...line.split(' | ')[0]!.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string));
}

test('the page on errors has every code, with its meaning and advice, and no other', (t) => {
  const rows = readProjectFile('docs/errors.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2, -2).split(' | '));
  t.deepEqual(
    rows.map(([code, meaning]) => [code, meaning]),
    Object.entries(errorCodes).map(([code, meaning]) => [`\`${code}\``, meaning]),
  );
  for (const [code, , advice] of rows) t.true((advice ?? '').trim().length > 10, `${code} needs advice`);
});

test('the page on statistics has every counter, and no other', (t) => {
  t.deepEqual(namesInTables('docs/statistics.md').sort(), [...counterNames].sort());
});

test('the page on flow control has every option of a connection, and no other', (t) => {
  t.deepEqual(namesInTables('docs/flow-control.md').sort(), Object.keys(defaultConnectionOptions).sort());
});

test('the page on contexts has every option of a context, and no other', (t) => {
  t.deepEqual(namesInTables('docs/contexts.md', '### Options').sort(), Object.keys(defaultContextOptions).sort());
});
