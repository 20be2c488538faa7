/**
 * Writes docs/api from the docstrings of what src/index.ts and src/testkit.ts export:
 *
 *   npm run docs          writes it
 *   npm run docs:check    writes nothing, and fails when docs/api is not what would be written
 *
 * Both fail when a public name has no docstring, when a docstring links to nothing, or when a public signature names
 * a type that is not exported. Both take seconds; the first run installs the tools into this folder.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const tools = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(tools));
const committed = join(root, 'docs/api');
const fresh = join(tools, '.cache/api');
const check = process.argv.includes('--check');

installTools();
writeFresh();

if (check) {
  const differences = compare(committed, fresh);
  if (differences.length > 0) {
    console.error('docs/api is not what the sources say. Run `npm run docs` and commit what it writes.');
    for (const difference of differences) console.error(`  ${difference}`);
    process.exit(1);
  }
  console.log('docs/api is current, and every public name has a docstring');
} else {
  rmSync(committed, { recursive: true, force: true });
  cpSync(fresh, committed, { recursive: true });
  console.log(`wrote docs/api: ${listFiles(committed).length} pages`);
}

/** Installs exactly what the lock file names, once for each version of it. */
function installTools() {
  const lock = join(tools, 'package-lock.json');
  const installed = join(tools, 'node_modules/.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  runOrExit('npm', ['ci', '--prefix', tools, '--no-audit', '--no-fund'], root);
}

function writeFresh() {
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const typedoc = join(tools, 'node_modules/typedoc/bin/typedoc');
  runOrExit(process.execPath, [typedoc, '--options', 'typedoc.json', '--logLevel', 'Warn', '--out', fresh], tools);
}

/** What went wrong stands on the terminal already: no stack trace of this script on top of it. */
function runOrExit(command, args, cwd) {
  try {
    execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    if (error.status === undefined || error.status === null) console.error(error.message);
    process.exit(1);
  }
}

function compare(expected, actual) {
  const before = new Set(existsSync(expected) ? listFiles(expected) : []);
  const after = new Set(listFiles(actual));
  const missing = [...after].filter((file) => !before.has(file)).map((file) => `missing: ${file}`);
  const surplus = [...before].filter((file) => !after.has(file)).map((file) => `no longer written: ${file}`);
  const changed = [...after]
    .filter((file) => before.has(file) && read(expected, file) !== read(actual, file))
    .map((file) => `changed: ${file}`);
  return [...missing, ...surplus, ...changed].sort();
}

function listFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function read(folder, file) {
  return readFileSync(join(folder, file), 'utf8');
}
