import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import test from 'ava';
import { findAnchors, findLinks } from './support/markdown.js';
import { projectFiles, projectFolder, readProjectFile } from './support/project.js';

const handWritten = [
  'README.md',
  'CONTRIBUTING.md',
  'native/README.md',
  ...[...projectFiles('docs'), ...projectFiles('examples')].filter((path) => path.endsWith('.md')),
];

test('relative links in the documentation lead to files and headings that exist', (t) => {
  const broken: string[] = [];
  for (const page of handWritten) {
    for (const { line, target } of findLinks(readProjectFile(page))) {
      const problem = linkProblem(page, target);
      if (problem !== undefined) broken.push(`${page}:${line}: ${target}: ${problem}`);
    }
  }
  t.deepEqual(broken, []);
});

test('the index of the documentation lists every page', (t) => {
  const listed = new Set(
    findLinks(readProjectFile('docs/README.md')).map(({ target }) =>
      posix.join('docs', target.split('#')[0] as string),
    ),
  );
  const pages = handWritten.filter(
    (path) => path.startsWith('docs/') && !path.startsWith('docs/api/') && path !== 'docs/README.md',
  );
  t.deepEqual(
    [...pages, 'docs/api/README.md'].filter((path) => !listed.has(path)),
    [],
  );
});

test('no page holds a placeholder', (t) => {
  const found = handWritten.filter((path) =>
    /\b(TODO|TBD|FIXME|lorem ipsum|coming soon)\b/i.test(readProjectFile(path)),
  );
  t.deepEqual(found, []);
});

test('scripts that the documentation names are there', (t) => {
  const scripts = Object.keys((JSON.parse(readProjectFile('package.json')) as { scripts: object }).scripts);
  const missing: string[] = [];
  for (const page of handWritten) {
    for (const [, name] of readProjectFile(page).matchAll(/npm run ([a-z][\w:-]*)/g)) {
      if (!scripts.includes(name as string)) missing.push(`${page}: npm run ${name}`);
    }
  }
  t.deepEqual(missing, []);
});

test('links are found in text and not in code', (t) => {
  const text = ['[a](x.md) and ![b](<y.png>)', '`[no](code.md)`', '```', '[no](fenced.md)', '```', '[r]: z.md#top'];
  t.deepEqual(findLinks(text.join('\n')), [
    { line: 1, target: 'x.md' },
    { line: 1, target: 'y.png' },
    { line: 6, target: 'z.md#top' },
  ]);
});

test('anchors are those that GitHub gives to headings', (t) => {
  const text = ['# Rings and waiting', '## `npm test`, explained', '## Same', '## Same', '```', '# no', '```'];
  t.deepEqual([...findAnchors(text.join('\n'))], ['rings-and-waiting', 'npm-test-explained', 'same', 'same-1']);
});

test('a link to a missing file or heading is a problem, one to the web or to a folder is not', (t) => {
  t.is(linkProblem('README.md', 'docs/README.md'), undefined);
  t.is(linkProblem('docs/README.md', '../src/'), undefined);
  t.is(linkProblem('README.md', 'https://nodejs.org/'), undefined);
  t.is(linkProblem('README.md', 'docs/nowhere.md'), 'no such file');
  t.is(linkProblem('README.md', 'docs/README.md#no-such-heading'), 'no such heading');
  t.is(linkProblem('README.md', '/docs/README.md'), 'not relative');
});

/** What is wrong with a link on a page; undefined when nothing is, or when it leads out of the project. */
function linkProblem(page: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined;
  if (target.startsWith('/')) return 'not relative';
  const [file = '', anchor] = decodeURI(target).split('#');
  const path = file === '' ? page : posix.join(posix.dirname(page), file);
  if (path.startsWith('..') || !existsSync(join(projectFolder, path))) return 'no such file';
  if (anchor === undefined || !path.endsWith('.md')) return undefined;
  return findAnchors(readProjectFile(path)).has(anchor) ? undefined : 'no such heading';
}

test('every public name has a docstring', (t) => {
  const index = ['src/index.ts', 'src/testkit.ts'].map(readProjectFile).join('');
  const missing: string[] = [];
  let names = 0;
  for (const [, list, from] of index.matchAll(/^export (?:type )?\{([^}]+)\} from '\.\/([^']+)\.js';/gm)) {
    const source = readProjectFile(`src/${from}.ts`);
    for (const name of (list as string).split(',').map((item) => item.replace(/^\s*type\s/, '').trim())) {
      if (name === '') continue;
      names++;
      const documented = new RegExp(
        `\\*/\\n(?:// biome-ignore [^\\n]*\\n)?export (?:abstract |async )?(?:class|interface|type|function|const) ${name}\\b`,
      );
      if (!documented.test(source)) missing.push(`${name} in src/${from}.ts`);
    }
  }
  t.true(names > 40);
  t.deepEqual(missing, []);
});
